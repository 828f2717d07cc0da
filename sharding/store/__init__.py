"""The cluster store: members, leases, the coordinator's term, shard allocations; on PostgreSQL, SQLite or in memory."""

from sharding.store.checking import checked_seat
from sharding.store.contract import ClusterStore
from sharding.store.errors import (
    ClusterSchemaMismatch,
    ClusterStoreError,
    DeploymentMismatch,
    EpochNotNewer,
    InvalidClusterName,
    InvalidStoreUrl,
    LeaseLost,
    NodeNameTaken,
    NoSuchCluster,
    StoreOutcomeUnknown,
    StoreUnavailable,
    TermOver,
)
from sharding.store.opening import open_cluster_store
from sharding.store.records import DOWN, LEAVING, UP, Allocation, Deployment, Hosting, Member, Picture, Seat

__all__ = [
    "DOWN",
    "LEAVING",
    "UP",
    "Allocation",
    "ClusterSchemaMismatch",
    "ClusterStore",
    "ClusterStoreError",
    "Deployment",
    "DeploymentMismatch",
    "EpochNotNewer",
    "Hosting",
    "InvalidClusterName",
    "InvalidStoreUrl",
    "LeaseLost",
    "Member",
    "NoSuchCluster",
    "NodeNameTaken",
    "Picture",
    "Seat",
    "StoreOutcomeUnknown",
    "StoreUnavailable",
    "TermOver",
    "checked_seat",
    "open_cluster_store",
]
