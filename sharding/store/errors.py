"""What can go wrong with the cluster store, as types."""

from __future__ import annotations

from collections.abc import Sequence


class ClusterStoreError(Exception):
    """Root of the errors of the cluster store."""


class StoreUnavailable(ClusterStoreError):
    """The store could not be reached, or refused, before anything happened. Safe to try again."""


class StoreOutcomeUnknown(ClusterStoreError):
    """The connection was lost while a change was being committed: it may have happened. Look before you repeat it."""


class NodeNameTaken(ClusterStoreError):
    """A member of this name holds a lease. Another name, or wait until `lease_left` is over."""

    def __init__(self, cluster: str, node: str, incarnation: int, host: str, port: int, lease_left: float) -> None:
        super().__init__(
            f"cluster {cluster!r}: the name {node!r} is taken by a member at {host}:{port} "
            f"(incarnation {incarnation}), whose lease runs for {lease_left:.1f} s more: "
            "use another node name, or stop that process"
        )
        self.cluster, self.node, self.incarnation = cluster, node, incarnation
        self.host, self.port, self.lease_left = host, port, lease_left


class LeaseLost(ClusterStoreError):
    """This incarnation is no member any more: it was declared down, or has left. Stop what it runs; join anew."""

    def __init__(self, cluster: str, incarnation: int) -> None:
        super().__init__(f"cluster {cluster!r}: incarnation {incarnation} is no member any more: stop it and join anew")
        self.cluster, self.incarnation = cluster, incarnation


class TermOver(ClusterStoreError):
    """A newer coordinator holds the term; nothing was changed. Final for this coordinator: it must stop."""

    def __init__(self, cluster: str, term: int, current: int) -> None:
        super().__init__(
            f"cluster {cluster!r}: term {term} is over, the current one is {current}: stop this coordinator"
        )
        self.cluster, self.term, self.current = cluster, term, current


class EpochNotNewer(ClusterStoreError):
    """An allocation named an epoch that is not newer than the stored one; nothing was changed. Read them again."""

    def __init__(self, type_name: str, shard: int, epoch: int, current: int) -> None:
        super().__init__(f"{type_name} shard {shard}: epoch {epoch} is not newer than {current}: read the allocations")
        self.type_name, self.shard, self.epoch, self.current = type_name, shard, epoch, current


class DeploymentMismatch(ClusterStoreError):
    """Nodes of one cluster disagree about a type: its kind, or its number of shards. The message names both.

    Attributes:
        hosts: the nodes that host it now.
        passes: whether it can go better once they do not.
    """

    def __init__(
        self,
        cluster: str,
        name: str,
        what: str,
        stored: object,
        asked: object,
        hosts: Sequence[str] = (),
        *,
        passes: bool = False,
    ) -> None:
        hosted = f" (hosted by {', '.join(repr(node) for node in hosts)})" if hosts else ""
        super().__init__(
            f"cluster {cluster!r}: other nodes deployed {name!r} with {what} {stored!r}{hosted}, "
            f"this program asks for {asked!r}: all nodes of a cluster must agree"
        )
        self.cluster, self.name, self.what, self.stored, self.asked = cluster, name, what, stored, asked
        self.hosts = tuple(hosts)
        self.passes = passes


class ClusterSchemaMismatch(ClusterStoreError):
    """The cluster store's tables and this program do not fit each other. The message says which is older."""


class NoSuchCluster(ClusterStoreError):
    """There is no such cluster at this place: no process has ever joined it. Nothing was created."""

    def __init__(self, cluster: str, where: str) -> None:
        super().__init__(f"{where}: no cluster {cluster!r} there: check the name and the URL")
        self.cluster, self.where = cluster, where


class InvalidClusterName(ClusterStoreError):
    """A cluster cannot have this name: 1 to 60 letters of ASCII, digits, `_`, `-` and `.`."""

    def __init__(self, name: str) -> None:
        super().__init__(f"cluster name {name!r}: use 1 to 60 characters of A-Z, a-z, 0-9, '_', '-' and '.'")
        self.name = name


class InvalidStoreUrl(ClusterStoreError):
    """A URL names no cluster store. The message says how it is written, and repeats no password."""
