"""One cluster in each kind of store, with its time in the test's hands."""

from __future__ import annotations

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from sharding.store.contract import ClusterStore
from sharding.store.memory import MemoryClusterStore
from sharding.store.postgres import PostgresClusterStore
from sharding.store.records import Deployment, Seat
from sharding.store.sqlite import SqliteClusterStore
from sharding.store.sqlite.moment import Moment
from tests.waiting import eventually

LEASE = 10.0
PATIENCE = 30.0  # seconds for a call: a slow machine is no failure
BOOKING = Deployment("Booking", "entity", 8)


def seat(node: str, **fields: Any) -> Seat:
    """What a process called `node` brings."""
    return Seat(node, "127.0.0.1", 7000, **fields)


async def coordinator(store: ClusterStore, node: str = "first") -> tuple[int, int]:
    """A new member that holds the term: its incarnation and the term."""
    incarnation = (await store.join(seat(node), LEASE)).incarnation
    term = await store.take_term(incarnation, (await store.picture()).term)
    assert term is not None
    return incarnation, term


class Clusters(ABC):
    """The stores of clusters in one database, each opened as often as there are processes."""

    def __init__(self) -> None:
        self.opened: list[ClusterStore] = []

    async def open(self, name: str = "tickets") -> ClusterStore:
        """The cluster's store, as one more process has it."""
        store = await self._open(name)
        self.opened.append(store)
        return store

    async def close(self) -> None:
        """Close all that was opened."""
        for store in self.opened:
            await store.close()

    @abstractmethod
    async def _open(self, name: str) -> ClusterStore: ...

    @abstractmethod
    async def pass_time(self, seconds: float) -> None:
        """Let the store's clock be `seconds` further."""


class MemoryClusters(Clusters):
    """A memory has no other processes: a cluster's store is the same object again."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1000.0
        self._stores: dict[str, MemoryClusterStore] = {}

    async def _open(self, name: str) -> ClusterStore:
        return self._stores.setdefault(name, MemoryClusterStore(name, clock=lambda: self._now))

    async def pass_time(self, seconds: float) -> None:
        self._now += seconds


class SqliteClusters(Clusters):
    """Clusters in a file, on a clock of the test's."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._now = 1000.0

    async def _open(self, name: str) -> ClusterStore:
        return await SqliteClusterStore.open(
            self.path, name, busy_timeout=PATIENCE, clock=lambda: Moment("boot", self._now)
        )

    async def pass_time(self, seconds: float) -> None:
        self._now += seconds

    @asynccontextmanager
    async def change_in_flight(self, sql: str, *, after: Sequence[asyncio.Future[Any]]) -> AsyncIterator[None]:
        """Another process has changed something and has not committed yet; it does when the block has ended."""
        other = sqlite3.connect(self.path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            other.execute(sql)
            yield
            await asyncio.wait(after, timeout=0.05)  # there is nothing to see of their waiting
            other.execute("COMMIT")
        finally:
            other.close()


class PostgresClusters(Clusters):
    """Clusters in a database. Its clock goes as it goes: time passes by moving all leases into the past."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    async def _open(self, name: str) -> ClusterStore:
        return await PostgresClusterStore.open(self.url, name, limit=PATIENCE)

    async def pass_time(self, seconds: float) -> None:
        connection = await asyncpg.connect(self.url)
        await connection.execute(f"UPDATE aecorpy_cluster_member SET lease_end = lease_end - interval '{seconds} s'")
        await connection.close()

    @asynccontextmanager
    async def change_in_flight(self, sql: str, *, after: Sequence[asyncio.Future[Any]]) -> AsyncIterator[None]:
        """Another process has changed something and has not committed yet; it does when all of `after` wait for it."""
        other = await asyncpg.connect(self.url)
        try:
            await other.execute("BEGIN")
            await other.execute(sql)
            yield
            await waiting_for_locks(self.url, len(after))
            await other.execute("COMMIT")
        finally:
            await other.close(timeout=5)


async def waiting_for_locks(url: str, count: int = 1) -> list[int]:
    """The process ids of sessions of cluster stores that wait for a lock, when there are `count`."""
    connection = await asyncpg.connect(url)

    async def waiting() -> list[int] | None:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'aecorpy cluster' "
            "AND datname = current_database()"
        )
        return [row["pid"] for row in rows] if len(rows) >= count else None

    try:
        return await eventually(waiting, what=f"{count} sessions wait for a lock") or []
    finally:
        await connection.close()
