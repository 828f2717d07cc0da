"""Effects outside the database are had for the generation that serves, and held for the one that is built."""

from __future__ import annotations

from collections import Counter as Tally

from aecorpy.management import Management
from aecorpy.management.rebuilding import back, rebuild
from journal.contract import Database
from tests.aecorpy.rebuilding.conftest import StartNode
from tests.aecorpy.rebuilding.seeing import serves
from tests.aecorpy.rebuilding.shops import Load, RebuiltShop, Shops, started
from tests.waiting import eventually


def had(*views: Shops) -> Tally[tuple[str, int]]:
    """How often each event had its effect."""
    return Tally((key, seq_nr) for view in views for _, key, seq_nr in view.had)


def events(load: Load) -> set[tuple[str, int]]:
    """All events there are."""
    return {(key, number) for key, count in load.sales.items() for number in range(1, count + 1)}


async def test_effects_are_held_during_a_rebuild(start: StartNode, database: Database) -> None:
    view = Shops()
    load = Load([await started(await start(), view)])
    await load.some(10)
    async with load:
        await rebuild(database, "shops", "a test")
        await serves(database, 2)
    await load.seen()
    await eventually(lambda: set(had(view)) == events(load))
    again = {event for event, times in had(view).items() if times > 1}
    assert all(number > 10 for _, number in again), "what was there before has no effect again"
    assert view.handled[2] > 0


async def test_what_only_the_new_generation_got_past_has_its_effect_after_the_switch(
    start: StartNode, database: Database
) -> None:
    view = Shops("poison", by=(1,))
    load = Load([await started(await start(), view)])
    await load.some(2)
    await load.seen()
    await load.sell(load.shops[0], "s1", "poison", 1)
    await load.sell(load.shops[0], "s1", "tea", 1)
    await rebuild(database, "shops", "a test")
    await serves(database, 2)
    await eventually(lambda: {(2, "s1", 3), (2, "s1", 4)} <= set(view.had))
    assert set(had(view)) == events(load)


async def test_going_back_at_once_has_no_effect_again(start: StartNode, database: Database) -> None:
    view = Shops()
    load = Load([await started(await start(), view)])
    await load.some(2)
    await rebuild(database, "shops", "a test")
    await serves(database, 2)
    await load.some(2)
    await load.seen()
    before = had(view)
    await back(database, "shops", "a test", at_once=True)
    await eventually(lambda: view.handled[1] >= 80)
    await load.some(1)
    await load.seen()
    assert set(had(view)) == events(load)
    assert {event: had(view)[event] for event in before} == dict(before)


async def test_what_came_after_a_way_back_at_once_has_no_effect_again_at_the_next_start(
    start: StartNode, database: Database
) -> None:
    view = Shops()
    load = Load([await started(await start(), view)])
    await load.some(2)
    await rebuild(database, "shops", "a test")
    await serves(database, 2)
    await load.some(2)
    await load.seen()
    await back(database, "shops", "a test", at_once=True)
    await load.some(3)
    await load.seen()
    before = had(view)
    assert set(before) == events(load)
    manager = Management(database)
    for _ in range(2):
        await manager.pause("shops", by="a test", wait=5)
        await manager.resume("shops", by="a test")
        await load.some(1)
        await load.seen()
    assert {event: had(view)[event] for event in before} == dict(before)
    assert set(had(view)) == events(load)


async def test_a_letter_asked_for_waits_until_its_generation_serves_again_and_has_its_effect_then(
    start: StartNode, database: Database
) -> None:
    view = Shops("poison", by=(1,))
    load = Load([await started(await start(), view)])
    await load.some(2)
    await load.sell(load.shops[0], "s1", "poison", 1)
    await eventually(lambda: (1, "s1", 3) in view.had)
    tag = f"rebuilt_shop-{RebuiltShop.tagging.shard_of('s1')}"
    management = Management(database)
    offset = (await database.offsets.read("shops"))[tag].offset + 1
    await management.skip("shops", tag, offset, by="a test", why="poison")
    await load.seen()
    await rebuild(database, "shops", "a test")
    await serves(database, 2)
    assert await database.dead_letters.ask_again("shops@1", tag, offset), "it went with its generation"
    view.poison.clear()
    view.had.clear()
    await back(database, "shops", "a test")
    await serves(database, 1)

    async def is_settled() -> bool:
        return await database.dead_letters.list("shops") == await database.dead_letters.list("shops@1") == []

    await eventually(is_settled)
    assert view.had == [(1, "s1", 3)]
