"""Queues are bounded: who comes to a full one is told at once."""

from __future__ import annotations

import asyncio

import pytest

from aecorpy import EntityRefs, Overloaded
from aecorpy.eventsourced import EntityLimits
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import numbers, started, turns
from tests.aecorpy.samples import Counter, Stops
from tests.faulty_store import FaultyDatabase

Counters = EntityRefs[Counter]


async def test_a_full_queue_in_front_of_the_journal(
    start_node: StartNode, faulty: FaultyDatabase, stops: Stops
) -> None:
    counters = await (await start_node(max_waiting_appends=5)).deploy(Counter)
    keys = [f"k{number}" for number in range(10)]
    for key in keys:
        await counters(key).add(1)
    gate = faulty.block("append")
    taken = [await started(counters(key).add(1)) for key in keys[:6]]
    await gate.reached()
    for key in keys[6:]:
        with pytest.raises(Overloaded, match=r"journal 'counter': queue is full \(5 waiting\)"):
            await counters(key).add(1)
    gate.release()
    assert [*await asyncio.gather(*taken)] == [2] * 6
    assert await counters(keys[9]).add(1) == 2
    assert [await numbers(counters, faulty, key) for key in (keys[5], keys[8])] == [[1, 1], [1]]


async def test_a_full_queue_is_told_at_once_also_on_an_entity_that_is_being_committed(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    counters = await (await start_node(max_waiting_appends=3)).deploy(Counter)
    await counters("a").add(1)
    gate = faulty.block("append")
    taken = [await started(counters("a").add(1)) for _ in range(4)]
    await gate.reached()
    refused = await started(counters("a").add(1))
    assert refused.done(), "it does not have to wait for the commits before it to hear this"
    with pytest.raises(Overloaded):
        await refused
    gate.release()
    assert [*await asyncio.gather(*taken)] == [2, 3, 4, 5]
    assert await counters("a").add(1) == 6
    assert await numbers(counters, faulty, "a") == [1] * 6


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entities at which little may wait."""
    monkeypatch.setattr("aecorpy.hosts.EntityLimits", lambda: EntityLimits(waiting_commands=3, uncommitted_commands=4))


@pytest.mark.usefixtures("small_limits")
async def test_too_many_commands_behind_a_running_one(counters: Counters, stops: Stops) -> None:
    running = await started(counters("a").add_after(1, "stop"))
    waiting = [await started(counters("a").add(1)) for _ in range(3)]
    with pytest.raises(Overloaded, match=r"counter 'a': queue is full \(3 waiting\)"):
        await counters("a").add(1)
    assert await counters("b").add(1) == 1
    stops.let_go("stop")
    assert [await running, *await asyncio.gather(*waiting)] == [2, 3, 4, 5]


@pytest.mark.usefixtures("small_limits")
async def test_too_many_commands_being_committed(counters: Counters, faulty: FaultyDatabase) -> None:
    await counters("a").add(1)
    gate = faulty.block("append")
    waiting = [await started(counters("a").add(1)) for _ in range(4)]
    await gate.reached()
    with pytest.raises(Overloaded, match=r"commands being committed: queue is full \(4 waiting\)"):
        await counters("a").add(1)
    with pytest.raises(Overloaded):
        await counters("a").get()
    gate.release()
    assert [*await asyncio.gather(*waiting)] == [2, 3, 4, 5]
    assert await counters("a").get() == 5


@pytest.mark.usefixtures("small_limits")
async def test_too_many_commands_while_the_entity_is_read(counters: Counters, faulty: FaultyDatabase) -> None:
    gate = faulty.block("read_entity")
    waiting = [await started(counters("a").add(1)) for _ in range(3)]
    await gate.reached()
    with pytest.raises(Overloaded):
        await counters("a").add(1)
    gate.release()
    assert [*await asyncio.gather(*waiting)] == [1, 2, 3]
    await turns()
    assert await counters("a").add(1) == 4
