"""Idle entities leave memory, and nobody notices but the memory."""

from __future__ import annotations

import asyncio

import pytest

from aecorpy import Unavailable
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import numbers, started
from tests.aecorpy.samples import Counter, Saver, Stops, Total
from tests.faulty_store import FaultyDatabase, unavailable
from tests.waiting import eventually

IDLE = 0.01


async def test_an_idle_entity_leaves_and_comes_back_with_its_state(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    node = await start_node(idle_seconds=IDLE)
    counters = await node.deploy(Counter)
    assert await counters("a").add(5) == 5
    assert node.live_entities(Counter) == 1
    await eventually(lambda: node.live_entities(Counter) == 0)
    reads = faulty.counts["read_entity"]
    assert await counters("a").add(1) == 6
    assert faulty.counts["read_entity"] == reads + 1, "it was read from the journal"
    assert await numbers(counters, faulty, "a") == [5, 1]


async def test_an_entity_that_never_could_be_read_leaves_too(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node(idle_seconds=IDLE)
    counters = await node.deploy(Counter)
    faulty.on("read_entity", unavailable())
    with pytest.raises(Unavailable):
        await counters("a").add(1)
    await eventually(lambda: node.live_entities(Counter) == 0)
    assert await counters("a").add(1) == 1


async def test_an_entity_with_a_running_command_or_commit_stays(
    start_node: StartNode, faulty: FaultyDatabase, stops: Stops
) -> None:
    node = await start_node(idle_seconds=IDLE)
    counters = await node.deploy(Counter)
    await counters("committing").add(1)
    await counters("running").add(1)
    await counters("idle").add(1)
    gate = faulty.block("append")
    committing = await started(counters("committing").add(1))
    await gate.reached()
    running = await started(counters("running").add_after(1, "stop"))
    await eventually(lambda: node.live_entities(Counter) == 2, what="the idle one leaves")
    sweeps = faulty.counts["heads"]
    await asyncio.sleep(5 * IDLE)
    assert node.live_entities(Counter) == 2
    assert faulty.counts["heads"] == sweeps
    gate.release()
    stops.let_go("stop")
    assert (await committing, await running) == (2, 3)
    await eventually(lambda: node.live_entities(Counter) == 0)


async def test_commands_that_come_while_entities_leave_are_not_lost(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    node = await start_node(idle_seconds=0.001)
    counters = await node.deploy(Counter)

    async def caller(key: str) -> list[int]:
        answers = []
        for number in range(60):
            answers.append(await counters(key).add(1))
            await asyncio.sleep(0.001 if number % 3 else 0.004)
        return answers

    every = await asyncio.gather(*[caller(f"k{number}") for number in range(20)])
    assert every == [list(range(1, 61))] * 20
    assert faulty.counts["read_entity"] > 40, "they did leave in between"
    assert await numbers(counters, faulty, "k7") == [1] * 60


async def test_the_cap_on_live_entities(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node(max_live_entities=10)
    counters = await node.deploy(Counter)
    for round_number in (1, 2):
        for number in range(100):
            assert await counters(f"k{number}").add(1) == round_number
    await eventually(lambda: node.live_entities(Counter) <= 10 + 4)
    assert [*await asyncio.gather(*[counters(f"k{number}").add(1) for number in range(100)])] == [3] * 100


async def test_a_snapshot_on_its_way_arrives_before_the_entity_leaves(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    node = await start_node(idle_seconds=IDLE)
    savers = await node.deploy(Saver)
    gate = faulty.block("snapshot_put")
    assert await savers("a").add_all((1, 2, 3)) == Total(6, 3)
    await gate.reached()
    await asyncio.sleep(3 * IDLE)
    assert node.live_entities(Saver) == 1
    gate.release()
    await eventually(lambda: node.live_entities(Saver) == 0)
    assert await faulty.snapshots("saver").get("a") is not None
