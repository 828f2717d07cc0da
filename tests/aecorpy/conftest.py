"""A node on a memory that can be told to fail, and databases of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from aecorpy import ClusterNode, EntityRefs
from journal.contract import Database
from journal.database import open_database
from journal.memory import MemoryDatabase
from tests.aecorpy.running import stop_all
from tests.aecorpy.samples import Counter, Stops
from tests.faulty_store import FaultyDatabase

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
StartNode: TypeAlias = Callable[..., Awaitable[ClusterNode]]


@pytest.fixture
def stops(monkeypatch: pytest.MonkeyPatch) -> Stops:
    """Where this test's commands wait."""
    stops = Stops()
    monkeypatch.setattr(Counter, "stops", stops)
    return stops


@pytest.fixture
def faulty() -> FaultyDatabase:
    """An empty memory that fails when told to."""
    return FaultyDatabase(MemoryDatabase(clock=lambda: NOW))


@pytest.fixture
async def start_node(faulty: FaultyDatabase) -> AsyncIterator[StartNode]:
    """Starts nodes, on the faulty memory unless told otherwise; they are stopped after the test."""
    async with AsyncExitStack() as stack:

        async def start(journal: str | Database = faulty, **options: Any) -> ClusterNode:
            return await stack.enter_async_context(
                ClusterNode("test", journal=journal, **{"ask_seconds": 5.0, **options})
            )

        yield start
        await stop_all()
        faulty.heal()  # nodes then stop as they should, also when the test failed in the middle


@pytest.fixture
async def node(start_node: StartNode) -> ClusterNode:
    """A node on the faulty memory."""
    return await start_node()


@pytest.fixture
async def counters(node: ClusterNode, stops: Stops) -> EntityRefs[Counter]:
    """Counters on the node on the faulty memory."""
    return await node.deploy(Counter)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param != "memory":
        store = pytest.importorskip(f"journal.{request.param}", exc_type=ImportError)
        if not any(name.endswith("Database") for name in vars(store)):
            pytest.skip(f"no {request.param} yet")
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    """An empty database of each kind, open."""
    database = await open_database(store_url)
    yield database
    await database.close()
