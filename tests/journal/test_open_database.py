"""Opening a database by its URL: every store by its scheme, nothing imported in vain, no password in an error."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from journal.database import open_database
from journal.errors import InvalidUrl, JournalError
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


def test_a_journal_without_postgresql_needs_no_driver() -> None:
    program = """
import asyncio, sys
from journal.database import open_database
asyncio.run(open_database("memory:"))
assert "asyncpg" not in sys.modules, "asyncpg was imported"
assert "journal.sqlite" not in sys.modules, "journal.sqlite was imported"
"""
    subprocess.run([sys.executable, "-c", program], check=True)
