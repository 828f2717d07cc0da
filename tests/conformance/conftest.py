"""Each contract test runs once per store: memory, a SQLite file of its own, a PostgreSQL database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from journal.contract import Database, JournalStore
from journal.database import open_database
from sharding.store.contract import ClusterStore
from tests.conformance.clusters import Clusters, MemoryClusters, PostgresClusters, SqliteClusters

Opener: TypeAlias = Callable[[], Awaitable[Database]]

SHARDS = 4


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
async def open_again(store_url: str) -> AsyncIterator[Opener]:
    """Opens the database once more, as another program would. A memory has no other programs: it is itself again."""
    opened: list[Database] = []

    async def open_one() -> Database:
        if store_url != "memory:" or not opened:
            opened.append(await open_database(store_url))
        return opened[-1]

    yield open_one
    for one in opened:
        await one.close()


@pytest.fixture
async def database(open_again: Opener) -> Database:
    """An empty database, open."""
    return await open_again()


@pytest.fixture
async def store(database: Database) -> JournalStore:
    """A journal of four shards, all claimed under epoch 1."""
    store = await database.journal("booking", SHARDS)
    for shard in range(SHARDS):
        await store.claim(shard, 1)
    return store


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def clusters(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Clusters]:
    """An empty database for clusters."""
    clusters: Clusters
    if request.param == "postgres":
        clusters = PostgresClusters(request.getfixturevalue("postgres_url"))
    else:
        clusters = MemoryClusters() if request.param == "memory" else SqliteClusters(tmp_path / "cluster.db")
    yield clusters
    await clusters.close()


@pytest.fixture
async def cluster(clusters: Clusters) -> ClusterStore:
    """The store of the cluster `tickets`, without members."""
    return await clusters.open()
