"""Timers on whole clusters: each fires once, and by the database's clock, whichever nodes die."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from aecorpy import AecorError, ClusterNode, ClusterSettings, EntityRefs
from aecorpy.behaviour import Behaviour
from aecorpy.schedule import Dropped, Fired, Schedule, Scheduled
from journal.errors import JournalError
from sharding.ports import Ports as ClusterPorts
from tests.aecorpy.schedule.reminders import Meals, Reminder, Reminders
from tests.simulation.clusters import LEASE
from tests.simulation.errors import NodeCrashed
from tests.simulation.world import Ports, World
from tests.waiting import eventually

Timers = tuple[ClusterNode, EntityRefs[Reminders], EntityRefs[Meals]]
DRIFT = timedelta(milliseconds=3)  # of clocks that go wrong by a thousandth, in the time between two measurements
KEYS = [f"t{number:02}" for number in range(24)]


async def boot(ports: Ports) -> Timers:
    """Start a node with both schedules."""
    time = asyncio.get_running_loop().time
    node = ClusterNode(
        "sim",
        journal=ports.database,
        store=ports.cluster_store,
        node=ports.name,
        bind=(ports.host, 0),
        secret=b"a secret of the simulation",
        lease_seconds=LEASE,
        cluster=ClusterSettings(hand_off=3.0, unreachable=2.0),
        clock=ports.clock,
        draw=ports.draw,
        ports=ClusterPorts(clock=time, draw=ports.draw, nonce=lambda: bytes(32), network=ports.network),
    )
    await node.start()
    return node, await node.schedule(Reminders), await node.schedule(Meals)


async def set_all(world: World, on: str, begin: datetime, every: float) -> None:
    """Set all reminders, one every so many seconds from `begin`, however often that has to be tried."""

    async def one(key: str, due: datetime) -> bool:
        running = world.running.get(on)
        if running is None:
            return False
        try:
            await world.on(on, running[1](key).at(due, Reminder(key)))
        except (AecorError, JournalError, NodeCrashed):
            return False
        return True

    for number, key in enumerate(KEYS):
        due = begin + timedelta(seconds=every * number)
        await eventually(partial(one, key, due), within=60, every=0.5)


async def journal_of(world: World, schedule: type[Schedule[Any]]) -> dict[str, list[tuple[datetime, Any]]]:
    """When each event was recorded, by timer."""
    behaviour = Behaviour.of(schedule)
    shards = schedule.tagging.shard_count
    store = await world.memory.journal(behaviour.name, shards)
    found: dict[str, list[tuple[datetime, Any]]] = {}
    for record in await store.read_shards(dict.fromkeys(range(shards), 0), 10_000):
        happened = behaviour.events.decode(record.type_name, record.version, record.payload)
        found.setdefault(record.key, []).append((record.recorded_at, happened))
    return found


async def until_decided(world: World, count: int, within: float = 60.0) -> None:
    """Wait until so many reminders are decided."""
    end = world.loop.now + within
    while sum(len(events) == 2 for events in (await journal_of(world, Reminders)).values()) < count:
        assert world.loop.now < end, await journal_of(world, Reminders)
        await asyncio.sleep(0.2)


async def stop_all(world: World) -> None:
    """Stop the nodes in order."""
    for name in sorted(world.running):
        await world.on(name, world.running[name][0].stop())


def play(seed: int, scenario: Callable[[World], Coroutine[Any, Any, None]], *, late: float) -> None:
    """Run a scenario in which all reminders are set; each must have fired once, in time, at most so much `late`."""
    with World(seed, ["a", "b", "c"], boot) as world:
        world.run(scenario(world))
        journal = world.run(journal_of(world, Reminders))
    assert sorted(journal) == KEYS
    for key, ((_, first), (recorded, second)) in journal.items():
        assert isinstance(first, Scheduled), key
        assert isinstance(second, Fired), key
        assert second.due == first.due <= second.at <= recorded + DRIFT, key
        assert (recorded - max(first.due, journal[key][0][0])).total_seconds() < late, key


@pytest.mark.parametrize("seed", range(3))
def test_on_sound_nodes_with_wrong_clocks(seed: int) -> None:
    async def scenario(world: World) -> None:
        await world.start()
        await asyncio.sleep(3)
        await set_all(world, "a", world.now() + timedelta(seconds=2), 0.25)
        await until_decided(world, len(KEYS))
        await stop_all(world)

    play(seed, scenario, late=0.5)


@pytest.mark.parametrize("seed", range(6))
def test_nodes_die_and_answers_are_lost_between_due_and_fired(seed: int) -> None:
    async def scenario(world: World) -> None:
        draws = world.loop.random("deaths")
        await world.start()
        await asyncio.sleep(2)
        world.store_loses_after(0.1)
        world.store_loses_before(0.1)
        setting = world.loop.create_task(set_all(world, "a", world.now() + timedelta(seconds=1), 0.5))
        for name in draws.sample(["b", "c", "a"], 3):
            await asyncio.sleep(draws.uniform(1, 4))
            world.crash(name)
            await asyncio.sleep(draws.uniform(0.1, 2))
            world.restart(name)
        await setting
        world.heal()
        await until_decided(world, len(KEYS))
        await asyncio.sleep(2)
        await stop_all(world)

    play(seed, scenario, late=60)


@pytest.mark.parametrize("seed", range(2))
def test_what_was_missed_while_all_were_down_is_fired_late_or_dropped(seed: int) -> None:
    async def scenario(world: World) -> None:
        await world.start()
        begin = world.now() + timedelta(seconds=4)
        await set_all(world, "a", begin, 0.5)

        async def meals() -> None:
            for name, seconds in (("early", 1.0), ("later", 60.0)):
                await world.running["a"][2](name).at(begin + timedelta(seconds=seconds), name)

        await world.on("a", meals())
        for name in world.nodes:
            world.crash(name)
        await asyncio.sleep(30)
        await world.start()
        await until_decided(world, len(KEYS))
        await asyncio.sleep(50)
        found = await journal_of(world, Meals)
        assert [type(events[-1][1]) for _, events in sorted(found.items())] == [Dropped, Fired]
        await stop_all(world)

    play(seed, scenario, late=60)
