"""The coordinator notes in the store which shards are under way, and that they have arrived."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from aecorpy import ClusterNode, Entity, Fold, Next, command, event
from journal.memory import MemoryDatabase
from sharding.store.memory import MemoryClusterStore
from tests.waiting import eventually

KEYS = 20


@event("Waited")
@dataclass(frozen=True, slots=True)
class Waited:
    pass


class Waiter(Entity[int, Waited]):
    fold = Fold[int, Waited](0, lambda count, _: Next(count + 1))
    gate: asyncio.Event

    @command
    async def wait(self) -> None:
        await self.gate.wait()


async def test_shards_under_way_are_noted_until_they_have_arrived() -> None:
    Waiter.gate = asyncio.Event()
    database = MemoryDatabase(clock=lambda: datetime.now(UTC))
    store = MemoryClusterStore("waiting", clock=asyncio.get_running_loop().time)
    first, second = [ClusterNode("waiting", journal=database, store=store, node=name) for name in ("a", "b")]
    async with first, asyncio.TaskGroup() as callers:
        waiters = await first.deploy(Waiter)
        for key in range(KEYS):
            callers.create_task(waiters(str(key)).wait())
        async with second:
            await eventually(lambda: first.live_entities(Waiter) == KEYS)
            await second.deploy(Waiter)  # shards whose commands are at the gate cannot be handed off
            moving = await eventually(store.moves)
            busy = {Waiter.tagging.shard_of(str(key)) for key in range(KEYS)}
            assert await eventually(lambda: _all_in(store, busy), what="only shards at the gate are under way")
            assert moving.keys() == {"waiter"}
            Waiter.gate.set()

            async def arrived() -> bool:
                return await store.moves() == {}

            await eventually(arrived)
            owners = [one.owner for one in await store.allocations("waiter")]
            assert len(set(owners)) == 2


async def _all_in(store: MemoryClusterStore, busy: set[int]) -> bool:
    moving = (await store.moves()).get("waiter", [])
    return bool(moving) and set(moving) <= busy
