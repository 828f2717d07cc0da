"""The database goes away under load and comes back: typed errors in time, nothing acknowledged lost, no help needed."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from dataclasses import dataclass, field

import pytest

from aecorpy import ClusterNode, EntityRefs, Fenced, OutcomeUnknown, Unavailable
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import numbers
from tests.aecorpy.samples import Counter
from tests.faulty_store import FaultyDatabase
from tests.postgres_server import PostgresServer
from tests.waiting import eventually

Counters = EntityRefs[Counter]
DEADLINE = 1.0
BOUND = 1.0  # seconds that a busy machine may add


@dataclass
class Load:
    """Callers who add one after the other, and what each was told."""

    counters: Counters
    keys: tuple[str, ...] = tuple(f"k{number}" for number in range(8))
    done: Tally[str] = field(default_factory=Tally)
    unknown: Tally[str] = field(default_factory=Tally)
    refused: Tally[type] = field(default_factory=Tally)
    slowest: float = 0.0
    ends: bool = False

    async def run(self) -> None:
        """Call until told to end."""
        async with asyncio.TaskGroup() as group:
            for key in self.keys * 3:
                group.create_task(self._caller(key))

    async def _caller(self, key: str) -> None:
        clock = asyncio.get_running_loop().time
        while not self.ends:
            start = clock()
            try:
                await self.counters.within(DEADLINE)(key).add(1)
            except OutcomeUnknown as error:
                self.unknown[key] += 1
                self.refused[type(error)] += 1
            except (Unavailable, Fenced) as error:
                self.refused[type(error)] += 1
                await asyncio.sleep(0.005)
            else:
                self.done[key] += 1
            self.slowest = max(self.slowest, clock() - start)

    async def is_served(self) -> None:
        """Return when each key was served since."""
        before = self.done.copy()
        await eventually(lambda: all(self.done[key] > before[key] + 2 for key in self.keys), within=20)

    async def is_refused(self) -> None:
        """Return when many callers were told that they cannot be served."""
        before = self.refused.total()
        await eventually(lambda: self.refused.total() > before + 30)


async def check(load: Load, node: ClusterNode) -> None:
    """Assert that what was acknowledged is there once, and what was refused is not."""
    for key in load.keys:
        kept = len(await numbers(load.counters, node.database, key))
        assert load.done[key] <= kept <= load.done[key] + load.unknown[key], key
        assert await load.counters(key).get() == kept
    assert load.slowest < DEADLINE + BOUND


async def test_a_store_that_goes_away_and_comes_back(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node()
    load = Load(await node.deploy(Counter))
    running = asyncio.ensure_future(load.run())
    for _ in range(3):
        await load.is_served()
        faulty.go_away()
        await load.is_refused()
        faulty.heal()
    await load.is_served()
    load.ends = True
    await running
    await check(load, node)


@pytest.mark.parametrize("how", ["cleanly", "as a crash would"])
async def test_a_server_that_goes_away_and_comes_back(
    start_node: StartNode, postgres_server: PostgresServer, postgres_url: str, how: str
) -> None:
    if not postgres_server.owned:
        pytest.skip("stops PostgreSQL, and the server that POSTGRES_URL names is not ours to stop")
    node = await start_node(postgres_url)
    load = Load(await node.deploy(Counter))
    running = asyncio.ensure_future(load.run())
    await load.is_served()
    stop = postgres_server.stop if how == "cleanly" else postgres_server.stop_immediate
    await asyncio.to_thread(stop)
    await load.is_refused()
    await asyncio.to_thread(postgres_server.start)
    await load.is_served()
    load.ends = True
    await running
    assert set(load.refused) <= {Unavailable, OutcomeUnknown} | set(Unavailable.__subclasses__()) | set(
        OutcomeUnknown.__subclasses__()
    )
    await check(load, node)


async def test_deploying_while_the_store_is_away(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node()
    faulty.go_away()
    with pytest.raises(Unavailable, match="away"):
        await node.deploy(Counter)
    faulty.heal()
    assert await (await node.deploy(Counter))("a").add(1) == 1


async def test_a_server_that_is_not_there_at_the_start(
    postgres_server: PostgresServer, postgres_url: str, start_node: StartNode
) -> None:
    if not postgres_server.owned:
        pytest.skip("stops PostgreSQL, and the server that POSTGRES_URL names is not ours to stop")
    await asyncio.to_thread(postgres_server.stop)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        await start_node(postgres_url)
    await asyncio.to_thread(postgres_server.start)
    counters = await (await start_node(postgres_url)).deploy(Counter)
    assert await counters("a").add(1) == 1
