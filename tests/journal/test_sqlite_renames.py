"""Renaming view tables in a SQLite file: indexes stay with their table, and keep nobody from creating another."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from journal.contract import Database
from journal.database import open_database
from journal.errors import SchemaMismatch
from journal.records import Column, TableSpec

COLUMNS = (Column("id", "text"), Column("n", "integer"), Column("m", "integer"))
VIEW = TableSpec("shops", "id", COLUMNS, ("n", "m"))
NEXT = TableSpec("shops_g2", "id", COLUMNS, ("n", "m"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = await open_database(f"sqlite:///{path}")
    yield database
    await database.close()


def indexed(path: Path, table: str) -> list[str]:
    """The columns of a table's own indexes."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(
            column
            for _, name, _, origin, _ in connection.execute(f"PRAGMA index_list({table})")
            if origin == "c"
            for _, _, column in connection.execute(f"PRAGMA index_info({name})")
        )


async def switch(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.drop_table("shops")
        await transaction.rename_table("shops_g2", "shops")


async def test_generation_after_generation_has_every_index_once(database: Database, path: Path) -> None:
    await database.create_table(VIEW)
    for _ in range(4):
        for _ in range(2):  # the second time nothing is missing
            await database.create_table(NEXT)
            await database.create_table(VIEW)
        assert indexed(path, "shops") == indexed(path, "shops_g2") == ["m", "n"]
        await switch(database)
        assert indexed(path, "shops") == ["m", "n"]


async def test_an_index_that_a_later_program_asks_for_is_added_to_a_renamed_table(
    database: Database, path: Path
) -> None:
    await database.create_table(TableSpec("shops_g2", "id", COLUMNS, ("n",)))
    await switch(database)
    await database.create_table(VIEW)
    assert indexed(path, "shops") == ["m", "n"]


async def test_a_table_cannot_have_the_name_of_an_index(database: Database) -> None:
    await database.create_table(VIEW)

    async def rename() -> None:
        async with database.transaction() as transaction:
            await transaction.rename_table("shops", "shops__n")

    with pytest.raises(SchemaMismatch, match="taken"):
        await rename()


async def test_an_index_of_ones_own_counts_when_it_is_on_that_column_alone(database: Database, path: Path) -> None:
    async with database.transaction() as transaction:
        await transaction.execute('CREATE TABLE shops ("id" TEXT NOT NULL PRIMARY KEY, "n" INTEGER, "m" INTEGER)')
        await transaction.execute("CREATE INDEX mine ON shops (n)")
        await transaction.execute("CREATE INDEX both ON shops (m, n)")
    await database.create_table(VIEW)
    assert indexed(path, "shops") == ["m", "m", "n", "n"]
