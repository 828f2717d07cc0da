"""Two nodes of one cluster on one database, and views over their counters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from aecorpy import ClusterNode
from aecorpy.management import Management
from journal.contract import Database
from journal.database import open_database
from tests.aecorpy.samples import Counter

Start: TypeAlias = Callable[[], Awaitable[ClusterNode]]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database that several nodes can share."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """The database, opened by somebody who runs no node."""
    database = await open_database(url)
    yield database
    await database.close()


@pytest.fixture
def management(database: Database) -> Management:
    """What somebody who runs no node can do."""
    return Management(database)


@pytest.fixture
async def start(url: str) -> AsyncIterator[Start]:
    """Starts nodes of one cluster, with counters; they are stopped after the test, the last one first."""
    async with AsyncExitStack() as stack:
        count = 0

        async def start(**options: Any) -> ClusterNode:
            nonlocal count
            count += 1
            node = ClusterNode("test", journal=url, node=f"node-{count}", entities=[Counter], **options)
            return await stack.enter_async_context(node)

        yield start
