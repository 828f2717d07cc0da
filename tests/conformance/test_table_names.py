"""What stores promise when view tables change their names: one generation of a view takes the place of another."""

from __future__ import annotations

from typing import Any

import pytest

from journal.contract import Database
from journal.errors import InvalidName, JournalError, SchemaMismatch
from journal.records import Column, OffsetMove, TableSpec
from tests.conformance.conftest import Opener

COLUMNS = (Column("id", "text"), Column("n", "integer"), Column("due", "time"))
VIEW = TableSpec("shops", "id", COLUMNS, ("n", "due"))
NEXT = TableSpec("shops_g2", "id", COLUMNS, ("n", "due"))
OTHER = TableSpec("shops", "id", (Column("id", "text"), Column("n", "text")), ("n",))
OLD_ROWS = [("a", 1, None), ("b", 2, None)]
NEW_ROWS = [("a", 10, None), ("c", 30, None)]


class Stop(Exception):
    """Raised by tests to leave a block."""


async def put(database: Database, table: TableSpec, rows: list[tuple[Any, ...]]) -> None:
    async with database.transaction() as transaction:
        await transaction.put_rows(table, rows)


async def rows(database: Database, table: TableSpec) -> list[tuple[Any, ...]]:
    return [row async for row in database.scan(table)]


async def exchange(database: Database) -> None:
    """Let the next generation take the view's place."""
    async with database.transaction() as transaction:
        await transaction.drop_table("shops_old")
        await transaction.rename_table("shops", "shops_old")
        await transaction.rename_table("shops_g2", "shops")
        await transaction.drop_table("shops_old")


@pytest.fixture
async def ready(database: Database) -> Database:
    """A database with a view and its next generation."""
    for table, content in ((VIEW, OLD_ROWS), (NEXT, NEW_ROWS)):
        await database.create_table(table)
        await put(database, table, content)
    return database


async def test_tables_exist_that_were_created(ready: Database, open_again: Opener) -> None:
    for database in (ready, await open_again()):
        assert await database.tables_exist(["shops", "nothing", "shops_g2"]) == {"shops", "shops_g2"}
        assert await database.tables_exist([]) == set()
    for name in ("aecorpy_offset", "Shops", "x; --"):
        with pytest.raises(InvalidName):
            await ready.tables_exist([name])


async def test_indexes_and_journals_are_no_tables(ready: Database) -> None:
    await ready.journal("booking", 1)
    assert await ready.tables_exist(["booking", "shops__n", "booking_nothing"]) == set()


async def test_a_renamed_table_keeps_its_rows(ready: Database) -> None:
    async with ready.transaction() as transaction:
        await transaction.rename_table("shops", "shops_before")
    assert await ready.tables_exist(["shops", "shops_before"]) == {"shops_before"}
    assert await rows(ready, TableSpec("shops_before", "id", COLUMNS)) == OLD_ROWS


async def test_a_generation_takes_the_views_place_and_the_next_one_can_be_built(
    ready: Database, open_again: Opener
) -> None:
    other = await open_again()
    assert await rows(other, VIEW) == OLD_ROWS
    content = NEW_ROWS
    for number in range(3):
        await exchange(ready)
        assert await ready.tables_exist(["shops", "shops_g2", "shops_old"]) == {"shops"}
        for database in (ready, other):
            assert await rows(database, VIEW) == content
            await database.create_table(VIEW)
            await database.create_table(NEXT)
            assert await rows(database, NEXT) == []
        content = [(f"{number}", number, None)]
        await put(other, NEXT, content)


async def test_a_block_uses_tables_by_their_new_names(ready: Database) -> None:
    async with ready.transaction() as transaction:
        await transaction.put_rows(VIEW, [("d", 4, None)])
        await transaction.rename_table("shops", "shops_old")
        await transaction.rename_table("shops_g2", "shops")
        assert await transaction.get_rows(VIEW, ["a", "d"]) == {"a": NEW_ROWS[0]}
        await transaction.put_rows(VIEW, [("e", 5, None)])
        await transaction.delete_rows(VIEW, ["a"])
        await transaction.rename_table("shops_old", "shops_g2")
        assert await transaction.get_rows(NEXT, ["d"]) == {"d": ("d", 4, None)}
    assert await rows(ready, VIEW) == [NEW_ROWS[1], ("e", 5, None)]
    assert await rows(ready, NEXT) == [*OLD_ROWS, ("d", 4, None)]


async def test_names_rows_and_offsets_change_together_or_not_at_all(ready: Database, open_again: Opener) -> None:
    other = await open_again()
    await ready.offsets.claim("Shops@2", ["a"], 1)
    await ready.offsets.commit("Shops@2", [OffsetMove("a", 0, 9)], 1)

    async def switch(*, stop: bool) -> None:
        async with ready.transaction() as transaction:
            await transaction.drop_table("shops")
            await transaction.rename_table("shops_g2", "shops")
            placed = {tag: row.offset for tag, row in (await transaction.read_offsets("Shops@2")).items()}
            await transaction.place_offsets("Shops", placed)
            await transaction.forget_offsets("Shops@2")
            if stop:
                raise Stop

    with pytest.raises(Stop):
        await switch(stop=True)
    for database in (ready, other):
        assert (await rows(database, VIEW), await rows(database, NEXT)) == (OLD_ROWS, NEW_ROWS)
        assert await database.offsets.read("Shops") == {}
    await switch(stop=False)
    for database in (ready, other):
        assert await rows(database, VIEW) == NEW_ROWS
        assert {tag: row.offset for tag, row in (await database.offsets.read("Shops")).items()} == {"a": 9}
        assert await database.tables_exist(["shops", "shops_g2"]) == {"shops"}


async def test_a_dropped_table_is_gone_and_can_be_created_with_other_columns(ready: Database) -> None:
    async with ready.transaction() as transaction:
        await transaction.drop_table("shops")
        await transaction.drop_table("nothing")
    assert await ready.tables_exist(["shops", "shops_g2"]) == {"shops_g2"}
    await ready.create_table(OTHER)
    assert await rows(ready, OTHER) == []


async def test_a_renamed_table_has_the_columns_it_had(ready: Database) -> None:
    await exchange(ready)
    with pytest.raises(SchemaMismatch, match="shops"):
        await ready.create_table(OTHER)


@pytest.mark.parametrize(("old", "new"), [("nothing", "something"), ("shops", "shops_g2"), ("shops", "shops")])
async def test_a_table_that_is_not_there_or_a_name_that_is_taken(ready: Database, old: str, new: str) -> None:
    async def block(*, swallow: bool) -> None:
        async with ready.transaction() as transaction:
            await transaction.put_rows(VIEW, [("d", 4, None)])
            try:
                await transaction.rename_table(old, new)
            except SchemaMismatch:
                if not swallow:
                    raise

    with pytest.raises(SchemaMismatch, match=old):
        await block(swallow=False)
    with pytest.raises(JournalError):
        await block(swallow=True)
    assert (await rows(ready, VIEW), await rows(ready, NEXT)) == (OLD_ROWS, NEW_ROWS)


@pytest.mark.parametrize(
    "name", ["aecorpy_offset", "sqlite_schema", "pg_class", "Shops", 'x"; DROP TABLE shops; --', "", "booking_event"]
)
async def test_what_is_no_views_table_is_left_alone(ready: Database, name: str) -> None:
    store = await ready.journal("booking", 2)

    async def rename(old: str, new: str) -> None:
        async with ready.transaction() as transaction:
            await transaction.rename_table(old, new)

    async def drop() -> None:
        async with ready.transaction() as transaction:
            await transaction.drop_table(name)

    for refused in (rename(name, "mine"), rename("shops", name), drop()):
        with pytest.raises(InvalidName):
            await refused
    assert len(await store.heads()) == 2
    assert await rows(ready, VIEW) == OLD_ROWS


async def test_tables_of_ones_own_sql_are_renamed(ready: Database, store_url: str) -> None:
    if store_url == "memory:":
        pytest.skip("the memory store has no SQL")
    async with ready.transaction() as transaction:
        await transaction.execute("CREATE TABLE sums_g2 (product TEXT PRIMARY KEY, pieces BIGINT NOT NULL)")
        await transaction.execute("CREATE INDEX sums_by_pieces ON sums_g2 (pieces)")
        await transaction.execute("INSERT INTO sums_g2 VALUES ('tea', 7)")
    async with ready.transaction() as transaction:
        await transaction.rename_table("sums_g2", "sums")
    async with ready.transaction() as transaction:
        await transaction.execute("INSERT INTO sums VALUES ('tea', 1) ON CONFLICT (product) DO UPDATE SET pieces = 8")
        assert await transaction.fetch("SELECT product, pieces FROM sums") == [("tea", 8)]
        await transaction.execute("DROP INDEX sums_by_pieces")
        await transaction.execute("CREATE TABLE sums_g2 (product TEXT PRIMARY KEY)")
    assert await ready.tables_exist(["sums", "sums_g2"]) == {"sums", "sums_g2"}


async def test_who_reads_while_tables_change_their_names_sees_one_of_them(ready: Database, open_again: Opener) -> None:
    other = await open_again()
    many = TableSpec("shops", "id", COLUMNS)
    await put(ready, VIEW, [(f"k-{n:04}", 1, None) for n in range(2_500)])
    scan = other.scan(many)
    seen = [await anext(scan)]
    await exchange(ready)
    seen += [row async for row in scan]
    assert seen[:2] == OLD_ROWS  # the first page; those behind it are the new table's
    assert await rows(other, many) == NEW_ROWS
