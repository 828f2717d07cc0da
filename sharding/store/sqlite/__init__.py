"""The cluster store in one SQLite file, for a cluster of processes on one machine."""

from sharding.store.sqlite.store import SqliteClusterStore

__all__ = ["SqliteClusterStore"]
