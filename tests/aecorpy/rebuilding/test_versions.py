"""A program with a higher version of a view builds it beside the one that serves, by itself."""

from __future__ import annotations

import logging

import pytest

from aecorpy import InvalidDefinition, Table
from aecorpy.management.look import look
from aecorpy.management.rebuilding import back
from aecorpy.projection import SqlView
from journal.contract import Database
from tests.aecorpy.rebuilding.conftest import StartNode
from tests.aecorpy.rebuilding.seeing import serves, view_seen
from tests.aecorpy.rebuilding.shops import Load, Products, RebuiltShop, Row2, Shops, Shops2, rows, started
from tests.waiting import eventually


async def largest(database: Database) -> dict[str, int]:
    """The new version's own column."""
    return {row.shop: row.largest async for row in Shops2.table.rows(database)}


async def test_the_former_version_serves_until_the_new_one_does(start: StartNode, database: Database) -> None:
    first = await start()
    load = Load([await started(first, Shops())])
    await load.some(20)
    await load.seen()
    await first.stop()
    load.shops = [await started(await start(), Shops2(), former=Shops())]
    async with load:
        await serves(database, 2)
    await load.seen()
    assert await rows(database, Shops2.table) == load.expected
    assert set((await largest(database)).values()) == {5}
    assert (await view_seen(database)).version == 2
    kept = Table(Shops.table.row, "shops__g1")
    assert len(await rows(database, kept)) == 20, "the former generation is kept"


async def test_without_the_former_version_its_tables_stay_as_they_are_meanwhile(
    start: StartNode, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    first = await start()
    load = Load([await started(first, Shops())])
    await load.some(2)
    await load.seen()
    await first.stop()
    caplog.set_level(logging.WARNING)
    load.shops = [await started(await start(), Shops2())]
    await serves(database, 2)
    await load.some(2)
    await load.seen()
    assert await rows(database, Shops2.table) == load.expected
    assert "version 1 serves, which this program has not got: its tables stay as they are" in caplog.text


async def test_a_view_that_is_new_begins_with_the_version_that_it_has(start: StartNode, database: Database) -> None:
    load = Load([await started(await start(), Shops2())])
    await load.some(2)
    await load.seen()
    assert await rows(database, Shops2.table) == load.expected
    seen = await view_seen(database)
    assert (seen.serving, seen.version, seen.rebuild) == (1, 2, None)


async def test_an_older_program_says_what_to_do_and_serves_once_that_is_done(
    start: StartNode, database: Database
) -> None:
    first = await start()
    load = Load([await started(first, Shops())])
    await load.some(5)
    await load.seen()
    await first.stop()
    second = await start()
    load.shops = [await started(second, Shops2(), former=Shops())]
    await serves(database, 2)
    await second.stop()
    load.shops = [await started(await start(), Shops())]

    async def says_so() -> bool:
        seen = await look(database, "shops")
        return seen is not None and "version 2 of view 'shops' serves, and this program has 1: deploy" in str(
            seen.error
        )

    await eventually(says_so)
    await load.some(5)
    assert await back(database, "shops", "a test") == 1
    await serves(database, 1)
    await load.seen()
    assert await rows(database) == load.expected


async def test_after_the_way_back_a_program_does_not_begin_anew_by_itself(start: StartNode, database: Database) -> None:
    first = await start()
    load = Load([await started(first, Shops())])
    await load.some(2)
    await load.seen()
    await first.stop()
    second = await start()
    load.shops = [await started(second, Shops2(), former=Shops())]
    await serves(database, 2)
    await back(database, "shops", "a test")
    await serves(database, 1)
    await second.stop()
    load.shops = [await started(await start(), Shops2(), former=Shops())]
    await load.some(2)
    await load.seen()
    assert await rows(database) == load.expected
    seen = await view_seen(database)
    assert (seen.serving, seen.version, seen.kept, seen.rebuild) == (1, 1, 2, None)


async def test_what_no_program_can_bring(start: StartNode) -> None:
    node = await start()
    await node.deploy(RebuiltShop)
    with pytest.raises(InvalidDefinition, match="has version 1, its former one 2: let the new one have the higher"):
        await node.distribute("shops", Shops(), former=Shops2())

    class HardCoded(SqlView[object]):
        entity = RebuiltShop
        version = 2

        async def apply(self, transaction: object, events: object) -> None: ...

    with pytest.raises(InvalidDefinition, match=r'declare its tables, `table_names = \("products",\)`'):
        await node.distribute("shops", HardCoded())

    class LongName(Shops2):
        table = Table(Row2, "a_name_that_leaves_no_room_for_more_x")

    with pytest.raises(InvalidDefinition, match="has 37 letters, and room is needed"):
        await node.distribute("shops", LongName())
    with pytest.raises(InvalidDefinition, match="'other' is not among its table_names"):
        Products().table("other")
