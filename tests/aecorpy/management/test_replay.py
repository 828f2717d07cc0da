"""Handling again: from an offset, a time or the start, on all tags or one, while nodes run and while none does."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from datetime import datetime, timedelta

import pytest

from aecorpy import ClusterNode
from aecorpy.management import Management, NotIdempotent
from aecorpy.projection.handle import DistributedProjection
from journal.contract import Database
from tests.aecorpy.management.conftest import Start
from tests.aecorpy.management.views import KEYS, Latests, Sums, World, distributed, fill, latests, sums
from tests.aecorpy.samples import Counter
from tests.waiting import eventually


@pytest.fixture
async def nodes(start: Start) -> list[ClusterNode]:
    """Two nodes, and three events per key."""
    nodes = [await start(), await start()]
    for _ in range(3):
        await fill(nodes[0])
    return nodes


def shard(key: str) -> int:
    """The shard of a key."""
    return Counter.tagging.shard_of(key)


def again(world: World) -> dict[tuple[str, int], int]:
    """Which events were handled more than once, and how often."""
    return {place: count for place, count in world.seen.items() if count > 1}


async def begun(view: DistributedProjection, world: World) -> None:
    """Wait until all is handled; what was tried twice until then, as a process moved to another node, is no replay."""
    await view.caught_up(15)
    world.seen = Tally(dict.fromkeys(world.seen, 1))


async def settled(world: World, expected: dict[tuple[str, int], int]) -> None:
    """Wait until exactly some events came again."""
    await eventually(lambda: again(world) == expected, within=15.0, what=f"{expected} came again")


async def test_from_the_start_on_all_tags(nodes: list[ClusterNode], management: Management, database: Database) -> None:
    world = World()
    view = await distributed(nodes, Latests(world))
    await begun(view, world)
    replayed = await management.replay("View", 1, by="ann", why="new code")
    assert [(one.tag, one.after) for one in replayed] == [(f"counter-{shard}", 0) for shard in range(4)]
    assert sum(one.before for one in replayed) == 36
    await settled(world, {(key, seq_nr): 2 for key in KEYS for seq_nr in (1, 2, 3)})
    await view.caught_up(15)
    assert await latests(database) == dict.fromkeys(KEYS, 3)
    (action,) = await management.actions("View")
    assert (action.by, action.what, action.why) == ("ann", "replay all tags from the start", "new code")


async def test_from_an_offset_on_one_tag(nodes: list[ClusterNode], management: Management, database: Database) -> None:
    world = World()
    view = await distributed(nodes, Latests(world))
    await begun(view, world)
    keys = [key for key in KEYS if shard(key) == 0]
    head = 3 * len(keys)
    assert await management.replay("View", head - 1, tag="counter-0", by="ann") == [("counter-0", head, head - 2)]
    await settled(world, {(key, 3): 2 for key in keys[-2:]})
    assert await management.replay("View", head - 1, tag="counter-0", by="ann") != []
    await settled(world, {(key, 3): 3 for key in keys[-2:]})
    assert await latests(database) == dict.fromkeys(KEYS, 3)


async def test_from_a_time_on_all_tags(nodes: list[ClusterNode], management: Management, database: Database) -> None:
    world = World()
    view = await distributed(nodes, Latests(world))
    await begun(view, world)
    await asyncio.sleep(0.02)  # so that the database's clock tells before from after
    time = await database.now()
    await asyncio.sleep(0.02)
    await nodes[0].refs(Counter)("key-0").add(1)
    await nodes[0].refs(Counter)("key-1").add_all((1, 1))
    await begun(view, world)
    replayed = await management.replay("View", time, by="ann", why="since then")
    assert {one.tag for one in replayed} == {f"counter-{shard(key)}" for key in ("key-0", "key-1")}
    await settled(world, {("key-0", 4): 2, ("key-1", 4): 2, ("key-1", 5): 2})
    assert await management.replay("View", time + timedelta(days=1), by="ann") == []
    assert (await management.actions("View"))[-1].what == f"replay all tags from {time.isoformat()}"
    assert len(await management.replay("View", datetime(2020, 1, 1, tzinfo=time.tzinfo), by="ann")) == 4
    await eventually(lambda: len(again(world)) == 39, within=15.0)
    await view.caught_up(15)
    assert await latests(database) == {**dict.fromkeys(KEYS, 3), "key-0": 4, "key-1": 5}


async def test_what_is_not_idempotent_is_refused_and_counts_twice_by_force(
    nodes: list[ClusterNode], management: Management, database: Database
) -> None:
    view = await distributed(nodes, Sums(World()))
    await view.caught_up(15)
    with pytest.raises(NotIdempotent, match=r"would count twice .*\(`aecorpy projections rebuild`\)"):
        await management.replay("View", 1, by="ann")
    await view.caught_up(15)
    assert await sums(database) == dict.fromkeys(KEYS, 3)
    await management.replay("View", 1, by="ann", force=True)
    await view.caught_up(15)
    assert await sums(database) == dict.fromkeys(KEYS, 6)


async def test_events_committed_while_it_is_set_back_are_handled_once(
    nodes: list[ClusterNode], management: Management, database: Database
) -> None:
    """Setting back fences whoever is just committing, so nothing is lost or handled beside the new place."""
    world = World()
    view = await distributed(nodes, Latests(world))
    for number in range(4):
        writing = asyncio.create_task(fill(nodes[number % 2]))
        await management.replay("View", 1, by="ann", why=f"round {number}")
        await writing
    await view.caught_up(15)
    assert await latests(database) == dict.fromkeys(KEYS, 7)
    offsets = await database.offsets.read("View")
    assert sum(row.offset for row in offsets.values()) == 7 * len(KEYS)


async def test_while_nothing_runs_and_with_dead_letters(
    nodes: list[ClusterNode], management: Management, database: Database
) -> None:
    world = World()
    view = await distributed(nodes, Latests(world))
    await begun(view, world)
    await nodes[0].refs(Counter)("key-0").add(1)
    await begun(view, world)
    for node in nodes:
        await node.stop()
    tag = f"counter-{shard('key-0')}"
    head = (await database.offsets.read("View"))[tag].offset
    await management.replay("View", head, tag=tag, by="ann")
    await management.skip("View", tag, head, by="ann", why="not this one")
    assert [letter.offset for letter in await management.letters("View")] == [head]
    await management.replay("View", head, tag=tag, by="ann", why="this one after all")
    assert await management.letters("View") == []
    await nodes[1].start()
    await distributed(nodes[1:], Latests(world))
    await settled(world, {("key-0", 4): 2})
