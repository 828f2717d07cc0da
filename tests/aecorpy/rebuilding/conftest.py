"""Nodes of one cluster on a database of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import pytest

from aecorpy import ClusterNode
from journal.contract import Database

StartNode: TypeAlias = Callable[..., Awaitable[ClusterNode]]

PATIENT = 30.0  # seconds of a lease; no disk stalls for so long, and what nodes do when one does is tested elsewhere


@pytest.fixture
async def start(database: Database, store_url: str) -> AsyncIterator[StartNode]:
    """Starts nodes on `database`; they are stopped after the test. In memory a node is a cluster by itself."""
    async with AsyncExitStack() as stack:
        count = 0

        async def start(**options: Any) -> ClusterNode:
            nonlocal count
            count += 1
            alone = store_url == "memory:"
            journal: Any = database if alone else store_url
            settings: dict[str, Any] = {"lease_seconds": PATIENT, **options}
            node = ClusterNode("test", journal=journal, node=f"node-{count}", **settings)
            return await stack.enter_async_context(node)

        yield start
