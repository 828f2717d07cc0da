"""The cluster store in a PostgreSQL database, for clusters of any number of machines."""

from sharding.store.postgres.store import PostgresClusterStore

__all__ = ["PostgresClusterStore"]
