"""What goes wrong during a rebuild does not touch the generation that serves, and is seen."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from aecorpy import ClusterNode
from aecorpy.management.look import look
from aecorpy.management.rebuilding import cancel, rebuild
from aecorpy.processing.wishes import pause, resume
from aecorpy.projection.generations import RebuildRefused, read_generations, seconds_now
from journal.contract import Database
from journal.errors import Unavailable
from tests.aecorpy.rebuilding.conftest import StartNode
from tests.aecorpy.rebuilding.seeing import rebuild_seen, serves, view_seen
from tests.aecorpy.rebuilding.shops import Load, Shops, rows, started
from tests.waiting import eventually


async def test_a_new_generation_that_cannot_handle_an_event_lets_the_former_one_serve(
    start: StartNode, database: Database
) -> None:
    view = Shops("poison", by=(2,))
    load = Load([await started(await start(), view)])
    await load.some(5)
    await load.sell(load.shops[0], "s1", "poison", 1)
    await rebuild(database, "shops", "a test")

    async def is_told() -> bool:
        return any("cannot handle poison" in error for error in (await rebuild_seen(database)).errors.values())

    async with load:
        await eventually(is_told)
        for _ in range(6):
            await load.shops[0].wait_for_view("shops", "s1", within=1.0)
            await asyncio.sleep(0.05)
            seen = await rebuild_seen(database)
            assert (seen.phase, (await view_seen(database)).serving) == ("building", 1)
    seen_all = await look(database, "shops")
    assert seen_all is not None
    assert seen_all.error is None, "the view itself is well"
    await load.seen()
    assert await rows(database) == load.expected
    view.poison.clear()
    await serves(database, 2)
    assert await rows(database) == load.expected


async def test_a_new_generation_that_fails_altogether_is_tried_again(
    start: StartNode, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Shops):
        broken = True

        async def prepare(self, database: Database) -> None:
            if self.generation == 2 and Broken.broken:
                raise PermissionError("no room for another table")
            await super().prepare(database)

    load = Load([await started(await start(), Broken())])
    await load.some(5)
    await rebuild(database, "shops", "a test")

    async def is_told() -> bool:
        return "PermissionError: no room for another table" in (await rebuild_seen(database)).errors.values()

    await eventually(is_told)
    await load.some(1)
    await load.seen()
    Broken.broken = False
    await serves(database, 2)
    assert await rows(database) == load.expected


async def test_progress_is_told_in_per_cent_and_time(start: StartNode, database: Database) -> None:
    view = Shops("poison", by=(2,))
    load = Load([await started(await start(), view)])
    await load.some(5)
    await load.sell(load.shops[0], "s1", "poison", 1)
    await load.some(5)
    await rebuild(database, "shops", "a test", "to see it")
    await eventually(lambda: half_done(database))
    seen = await rebuild_seen(database)
    assert (seen.generation, seen.version, seen.phase, seen.head) == (2, 1, "building", 201)
    assert 50 <= seen.percent < 100
    assert seen.rate > 0
    assert seen.seconds_left == pytest.approx((seen.head - seen.handled) / seen.rate)
    assert ((await view_seen(database)).by, (await view_seen(database)).why) == ("a test", "to see it")
    await cancel(database, "shops", "a test")


async def half_done(database: Database) -> bool:
    """Whether it is."""
    return (await rebuild_seen(database)).percent >= 50


async def freeze_as_one_that_is_killed_then(database: Database, node: ClusterNode) -> None:
    """Leave the view as a process does that ends between standing still and the switch."""
    now = await seconds_now(node.database)
    async with database.transaction() as transaction:
        seen = await read_generations(database, "shops")
        assert seen is not None
        offsets = await transaction.read_offsets("shops")
        await transaction.place_offsets("shops", {tag: row.offset for tag, row in offsets.items()})
        await transaction.put_note(seen.frozen(now).note("shops"))


async def test_a_switch_that_was_interrupted_goes_on(start: StartNode, database: Database) -> None:
    node = await start()
    load = Load([await started(node, Shops())])
    await load.some(5)
    await load.seen()
    await pause(database, "shops", "a test", "")
    await eventually(lambda: paused(database))
    await rebuild(database, "shops", "a test")
    await freeze_as_one_that_is_killed_then(database, node)
    with pytest.raises(RebuildRefused, match="is just being switched"):
        await cancel(database, "shops", "a test")
    await load.some(5)
    await resume(database, "shops", "a test", "")
    await serves(database, 2)
    await load.seen()
    assert await rows(database) == load.expected


async def paused(database: Database) -> bool:
    """Whether no process runs."""
    seen = await look(database, "shops")
    return seen is not None and all(one.state == "paused" for one in seen.processes)


async def test_a_switch_that_does_not_come_through_lets_the_former_one_go_on(
    start: StartNode, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aecorpy.projection.switch.FROZEN_LIMIT", 0.3)
    node = await start()
    view = Shops("poison", by=(2,))
    load = Load([await started(node, view)])
    await load.some(5)
    await load.sell(load.shops[0], "s1", "poison", 1)
    await rebuild(database, "shops", "a test")
    await eventually(lambda: view.handled[2] >= 100)
    await freeze_as_one_that_is_killed_then(database, node)
    await load.some(1)
    await load.seen()
    assert await rows(database) == load.expected
    seen = await read_generations(database, "shops")
    assert seen is not None
    assert seen.building is not None
    assert seen.building.rest_until > await seconds_now(database), "it is not tried again at once"
    async with database.transaction() as transaction:
        await transaction.put_note(replace(seen, building=replace(seen.building, rest_until=0.0)).note("shops"))
    view.poison.clear()
    await serves(database, 2)
    await load.seen()
    assert await rows(database) == load.expected


async def test_a_store_that_is_away_in_the_middle_of_a_switch(
    start: StartNode, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aecorpy.projection import switch

    exchange, tries = switch.exchange, 0

    async def refused(*arguments: object) -> object:
        nonlocal tries
        tries += 1
        found = await exchange(*arguments)  # type: ignore[arg-type]
        if tries <= 2:
            raise Unavailable("gone before the commit")
        return found

    monkeypatch.setattr(switch, "exchange", refused)
    load = Load([await started(await start(), Shops())])
    await load.some(5)
    await rebuild(database, "shops", "a test")
    await serves(database, 2)
    assert tries == 3
    await load.some(1)
    await load.seen()
    assert await rows(database) == load.expected


async def test_readers_who_want_all_connections_do_not_hold_up_the_switch(start: StartNode, database: Database) -> None:
    """While the tables change their names, who reads them waits, and has a connection."""
    node = await start()
    load = Load([await started(node, Shops())])
    await load.some(5)
    await load.seen()

    async def read() -> None:
        while True:
            await rows(node.database)
            await asyncio.sleep(0)

    readers = [asyncio.ensure_future(read()) for _ in range(20)]
    await rebuild(database, "shops", "a test")
    await serves(database, 2)
    assert not any(reader.done() for reader in readers)
    for reader in readers:
        reader.cancel()
    assert await rows(database) == load.expected


async def test_a_node_that_leaves_and_one_that_comes(start: StartNode, database: Database, store_url: str) -> None:
    if store_url == "memory:":
        pytest.skip("a memory is not shared by nodes")
    first, second = await start(), await start()
    view = Shops("poison", by=(2,))
    load = Load([await started(first, view), await started(second, view)])
    await load.some(20)
    await load.sell(load.shops[0], "s1", "poison", 1)
    await rebuild(database, "shops", "a test")
    await eventually(lambda: view.handled[2] >= 200)
    await first.stop()
    load.shops = load.shops[1:]
    await load.some(20)
    third = await start()
    load.shops = [*load.shops, await started(third, view)]
    view.poison.clear()
    async with load:
        await serves(database, 2)
    await load.seen()
    assert await rows(database) == load.expected
