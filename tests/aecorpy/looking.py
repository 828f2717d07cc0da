"""Ways to look at what happened: the journal's rows, and whether something stays as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from aecorpy import EntityRefs
from journal.contract import Database
from journal.records import StoredEvent
from tests.aecorpy.samples import Added, Counter

T = TypeVar("T")


async def turns(count: int = 50) -> None:
    """Let everything that can happen on the loop now happen. Nothing here waits for time to pass."""
    for _ in range(count):
        await asyncio.sleep(0)


async def started(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task that has gone as far as it can."""
    task = asyncio.ensure_future(coroutine)
    await turns()
    return task


async def stored(database: Database, key: str, journal: str = "counter", shards: int = 4) -> list[StoredEvent]:
    """All events of an entity, as they lie in the journal."""
    return await (await database.journal(journal, shards)).read_entity(key, 1, 1_000_000)


async def numbers(counters: EntityRefs[Counter], database: Database, key: str) -> list[int]:
    """The numbers in the events of a counter, after a check that they are 1, 2, 3, …"""
    rows = await stored(database, key)
    assert [row.seq_nr for row in rows] == list(range(1, len(rows) + 1))
    decoded: list[Added] = [counters.behaviour.events.decode(row.type_name, row.version, row.payload) for row in rows]
    return [added.n for added in decoded]
