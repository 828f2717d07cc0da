"""Opening a database by its URL: every store by its scheme, nothing imported in vain, no password in an error."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from journal.database import open_database
from journal.errors import InvalidUrl, JournalError, NoSuchDatabase, SchemaMismatch
from journal.memory import MemoryDatabase
from journal.sqlite import SqliteDatabase
from tests.conformance.samples import appending, log, written

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)


async def test_each_scheme_opens_its_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    for database, kind in (
        (await open_database("memory:"), MemoryDatabase),
        (await open_database(url), SqliteDatabase),
    ):
        assert type(database) is kind
        assert database.url == ("memory:" if kind is MemoryDatabase else url)
        await database.close()


async def test_every_memory_is_its_own() -> None:
    first, second = await open_database("memory:"), await open_database("memory:")
    await first.offsets.claim("view", ["a"], 1)
    assert await second.offsets.read("view") == {}


async def test_a_memory_takes_its_time_from_its_clock() -> None:
    store = await (await open_database("memory:", clock=lambda: NOON)).journal("booking", 1)
    await store.claim(0, 1)
    await written(store, appending("a", 1))
    assert [event.recorded_at for event in await log(store)] == [NOON]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory",
        "memory://",
        "memory:x",
        "mysql://u:hunter2@h/db",
        "postgres:u:hunter2@h",
        "postgresql//u:hunter2@h",
        "u:hunter2@h/db",
        "/tmp/x.db",
        "SQLITE:///x.db",
        "sqlite",
        "sqlite://u:hunter2@h/db",
        "sqlite://u:hunter2",
        "sqlite://[hunter2",
    ],
)
async def test_a_url_of_no_store_says_what_is_possible_and_keeps_secrets(url: str) -> None:
    with pytest.raises(InvalidUrl, match=r"sqlite:///relative/path\.db") as refused:
        await open_database(url)
    assert isinstance(refused.value, JournalError)
    assert isinstance(refused.value, ValueError)
    assert "hunter2" not in str(refused.value)


async def test_an_option_that_a_store_does_not_know() -> None:
    with pytest.raises(TypeError, match="colour"):
        await open_database("memory:", colour="red")


def contents(folder: Path) -> dict[Path, bytes]:
    """All files of a folder."""
    return {file: file.read_bytes() for file in folder.iterdir()}


def write_files_of_others(folder: Path) -> None:
    """A text, and a database that is not ours."""
    (folder / "text.db").write_text("no database at all, but long enough to be looked at for one" * 20)
    with closing(sqlite3.connect(folder / "theirs?#.db")) as connection:
        connection.execute("CREATE TABLE mine (a)")


async def test_what_is_not_there_is_not_created_unless_wanted(tmp_path: Path) -> None:
    with pytest.raises(NoSuchDatabase, match="memory: is another one for each process"):
        await open_database("memory:", create=False)
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NoSuchDatabase, match=r"journal\.db: no journal there: check the URL"):
            await open_database(f"sqlite:///{folder}/journal.db", create=False)
    assert contents(tmp_path) == {}


async def test_somebody_else_s_file_is_left_as_it_is(tmp_path: Path) -> None:
    write_files_of_others(tmp_path)
    before = contents(tmp_path)
    for file in before:
        with pytest.raises(NoSuchDatabase, match="no journal there"):
            await open_database(f"sqlite:///{quote(str(file))}", create=False)
    assert contents(tmp_path) == before


async def test_a_file_that_is_there_opens_without_creating_and_an_older_one_does_not(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    await (await open_database(url)).close()
    database = await open_database(url, create=False)
    assert await database.offsets.read("view") == {}
    await database.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection, connection:
        connection.execute("DELETE FROM aecorpy_schema WHERE version > 1")
    with pytest.raises(SchemaMismatch, match="is older than this program"):
        await open_database(url, create=False)


async def test_a_postgresql_database_without_tables_is_told_and_left_empty(postgres_url: str) -> None:
    with pytest.raises(NoSuchDatabase, match=r"^PostgreSQL at .*, schema 'public': no journal there"):
        await open_database(postgres_url, create=False)
    with pytest.raises(NoSuchDatabase):
        await open_database(postgres_url, create=False)
    await (await open_database(postgres_url)).close()
    database = await open_database(postgres_url, create=False)
    with pytest.raises(SchemaMismatch, match="journal 'booking' does not exist"):
        await database.journal("booking", 4)
    await database.close()


def test_a_journal_without_postgresql_needs_no_driver() -> None:
    program = """
import asyncio, sys
from journal.database import open_database
asyncio.run(open_database("memory:"))
assert "asyncpg" not in sys.modules, "asyncpg was imported"
assert "journal.sqlite" not in sys.modules, "journal.sqlite was imported"
"""
    subprocess.run([sys.executable, "-c", program], check=True)
