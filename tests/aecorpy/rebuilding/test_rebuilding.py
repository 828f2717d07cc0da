"""A view is rebuilt beside the generation that serves, which goes on serving until the new one takes its place."""

from __future__ import annotations

import asyncio

import pytest

from aecorpy import ClusterNode
from aecorpy.management.rebuilding import back, cancel, drop_kept, rebuild
from aecorpy.projection.generations import RebuildRefused
from journal.contract import Database
from tests.aecorpy.rebuilding.conftest import StartNode
from tests.aecorpy.rebuilding.seeing import serves, view_seen
from tests.aecorpy.rebuilding.shops import Load, Products, Shops, products, rows, started
from tests.waiting import eventually


async def cluster(start: StartNode, store_url: str) -> list[ClusterNode]:
    """Two nodes; one in memory, which nobody shares."""
    return [await start() for _ in range(1 if store_url == "memory:" else 2)]


async def test_a_view_that_is_not_idempotent_is_rebuilt_under_load(
    start: StartNode, database: Database, store_url: str
) -> None:
    nodes = await cluster(start, store_url)
    views = [Shops() for _ in nodes]
    shops = [await started(node, view) for node, view in zip(nodes, views, strict=True)]
    load = Load(shops)
    await load.some(50)
    async with load:
        assert await rebuild(database, "shops", "a test") == 2
        await serves(database, 2)
    await load.seen()
    assert await rows(database) == load.expected
    assert await database.tables_exist(["shops", "shops__g1", "shops__g2"]) == {"shops", "shops__g1"}
    assert sum(view.handled[2] for view in views) == sum(load.sales.values()), "each event counts once in it"


async def test_sums_in_sql_are_rebuilt_under_load(start: StartNode, database: Database, store_url: str) -> None:
    if store_url == "memory:":
        pytest.skip("memory has no SQL")
    nodes = await cluster(start, store_url)
    load = Load([await started(node, Products()) for node in nodes])
    await load.some(50)
    async with load:
        await rebuild(database, "shops", "a test")
        await serves(database, 2)
    await load.seen()
    assert await products(database) == dict(load.products)


async def test_who_reads_never_sees_less_than_before(start: StartNode, database: Database, store_url: str) -> None:
    nodes = await cluster(start, store_url)
    load = Load([await started(node, Shops()) for node in nodes])
    await load.some(20)
    await load.seen()
    seen: dict[str, int] = {}
    reads = 0

    async def read() -> None:
        nonlocal reads
        while True:
            for shop, (sales, _) in (await rows(database)).items():
                assert sales >= seen.get(shop, 0), f"{shop} had {seen[shop]} sales, and has {sales}"
                seen[shop] = sales
            assert len(seen) == 20
            reads += 1
            await asyncio.sleep(0)

    reader = asyncio.ensure_future(read())
    async with load:
        for number in (2, 3):
            await rebuild(database, "shops", "a test")
            await serves(database, number)
            sold = dict(load.sales)
            await load.seen()
            there = await rows(database)
            assert all(there[shop][0] >= sales for shop, sales in sold.items())
    assert not reader.done()
    reader.cancel()
    assert reads > 10


async def test_what_was_written_can_be_read_across_a_switch(
    start: StartNode, database: Database, store_url: str
) -> None:
    nodes = await cluster(start, store_url)
    shops = [await started(node, Shops()) for node in nodes]
    await Load(shops).some(20)
    done = False

    async def write_and_read() -> int:
        count = 0
        while not done:
            version = await shops[count % len(shops)]("mine").sell("tea", 1)
            await shops[0].wait_for_view("shops", "mine", version=version)
            count += 1
            assert (await rows(database))["mine"] == (count, count)
        return count

    writer = asyncio.ensure_future(write_and_read())
    await rebuild(database, "shops", "a test")
    await serves(database, 2)
    done = True
    assert await writer > 0


async def test_a_rebuild_is_cancelled(start: StartNode, database: Database) -> None:
    view = Shops("poison", by=(2,))
    load = Load([await started(await start(), view)])
    await load.some(5)
    await load.sell(load.shops[0], "s1", "poison", 1)  # it does not get past it, so nothing is switched
    await rebuild(database, "shops", "a test")
    await eventually(lambda: view.handled[2] >= 100)
    with pytest.raises(RebuildRefused, match="'shops' is being rebuilt already, as generation 2: watch it"):
        await rebuild(database, "shops", "a test")
    await cancel(database, "shops", "a test")
    await load.some(1)
    await load.seen()
    assert await rows(database) == load.expected
    assert await database.tables_exist(["shops", "shops__g1", "shops__g2"]) == {"shops"}
    assert await database.offsets.read("shops@2") == {}
    assert await rebuild(database, "shops", "a test") == 3, "numbers are not used again"
    await serves(database, 3)
    await load.seen()
    assert await rows(database) == load.expected


async def test_what_cannot_be_done_is_refused(start: StartNode, database: Database) -> None:
    for action in (rebuild, back, cancel):
        with pytest.raises(RebuildRefused, match="no program has ever started a projection 'shops'"):
            await action(database, "shops", "a test")
    await started(await start(), Shops())
    with pytest.raises(RebuildRefused, match="has no former generation to go back to"):
        await back(database, "shops", "a test")
    with pytest.raises(RebuildRefused, match="'shops' is not being rebuilt"):
        await cancel(database, "shops", "a test")


@pytest.mark.parametrize("at_once", [False, True])
async def test_the_way_back_and_forth(start: StartNode, database: Database, store_url: str, at_once: bool) -> None:
    nodes = await cluster(start, store_url)
    load = Load([await started(node, Shops()) for node in nodes])
    await load.some(20)
    await rebuild(database, "shops", "a test")
    await serves(database, 2)
    async with load:
        assert await back(database, "shops", "a test", "it was wrong", at_once=at_once) == 1
        await serves(database, 1)
    await load.seen()
    assert await rows(database) == load.expected
    seen = await view_seen(database)
    assert (seen.kept, seen.by, seen.why) == (2, "a test", "it was wrong")
    assert await back(database, "shops", "a test", at_once=at_once) == 2
    await serves(database, 2)
    await load.some(1)
    await load.seen()
    assert await rows(database) == load.expected


async def test_what_is_kept_can_be_dropped(start: StartNode, database: Database) -> None:
    load = Load([await started(await start(), Shops())])
    await load.some(1)
    await rebuild(database, "shops", "a test")
    await serves(database, 2)
    await drop_kept(database, "shops", "a test")
    assert await database.tables_exist(["shops", "shops__g1"]) == {"shops"}
    assert await database.offsets.read("shops@1") == {}
    with pytest.raises(RebuildRefused, match="no former generation"):
        await back(database, "shops", "a test")
