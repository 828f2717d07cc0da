"""One URL, one cluster store."""

from __future__ import annotations

import reprlib
import time
from urllib.parse import unquote, urlsplit

from sharding.store.contract import ClusterStore
from sharding.store.errors import InvalidStoreUrl, NoSuchCluster
from sharding.store.memory import MemoryClusterStore
from sharding.store.sqlite import SqliteClusterStore


async def open_cluster_store(url: str, cluster: str, *, create: bool = True) -> ClusterStore:
    """Open the store of a cluster, by the URL of the database in which its journal is.

    Args:
        url: `memory:` for a store of this call's own; `sqlite:///relative.db` or `sqlite:////absolute.db` for the file
            `….db-cluster` beside; `postgresql://…` for tables in that database.
        cluster: its name.
        create: make what is missing; otherwise a cluster that is not there is an error, and nothing is written.

    Raises:
        InvalidClusterName: a cluster cannot be called that.
        InvalidStoreUrl: the URL names none of these.
        StoreUnavailable: it cannot be opened now.
        NoSuchCluster: it is not there, and `create` is false.
        ClusterSchemaMismatch: what is there belongs to a newer version of this package; without `create`, to an older
            one as well.
    """
    if url == "memory:":
        if not create:
            raise NoSuchCluster(cluster, "memory: is another one for each process")
        return MemoryClusterStore(cluster, clock=time.monotonic)
    if url.startswith("sqlite:"):
        return await SqliteClusterStore.open(f"{file_path(url)}-cluster", cluster, create=create)
    if url.startswith(("postgresql://", "postgres://")):
        from sharding.store.postgres import PostgresClusterStore  # not at the top: most programs need no asyncpg

        return await PostgresClusterStore.open(url, cluster, create=create)
    raise InvalidStoreUrl(
        "a cluster store's URL is memory:, sqlite:///path or postgresql://…; this one is none of them"
    )


def file_path(url: str) -> str:
    """The path of the file that a `sqlite:` URL names.

    Raises:
        InvalidStoreUrl: it names none, or more than a file.
    """
    # What is none of ours may be another store's URL, with a password in it.
    said = reprlib.repr(url) if url.startswith("sqlite:///") and "@" not in url else "this URL"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidStoreUrl(
            f"{said} cannot be read: use sqlite:///relative/path.db or sqlite:////absolute/path.db"
        ) from None
    path = unquote(parts.path[1:])
    if parts.netloc or not path or path == ":memory:" or path.endswith("/"):
        raise InvalidStoreUrl(
            f"{said} names no SQLite file: use sqlite:///relative/path.db or sqlite:////absolute/path.db"
        )
    if parts.query or parts.fragment or "\0" in path:
        raise InvalidStoreUrl(f"{said}: a SQLite URL is a path alone; write ? and # in a path as %3F and %23")
    return path
