"""Transaction blocks on SQLite: what is stuck, late or abandoned does not stop the others, and commits nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from journal.contract import Database, JournalStore, Transaction
from journal.database import open_database
from journal.errors import Unavailable
from journal.records import Column, OffsetMove, TableSpec
from journal.sqlite import SqliteDatabase
from tests.conformance.samples import appending, log, written

VIEW = TableSpec("view", "id", (Column("id", "text"), Column("n", "integer")))
ENDLESS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT max(n) FROM numbers"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    """A database that does not wait long."""
    database = await SqliteDatabase.open(
        f"sqlite:///{path}", busy_timeout=0.2, transaction_limit=0.3, waiting_limit=20, readers=2
    )
    yield database
    await database.close()


@pytest.fixture
async def store(database: SqliteDatabase) -> JournalStore:
    store = await database.journal("booking", 2)
    await store.claim(0, 1)
    await store.claim(1, 1)
    return store


async def scanned(database: Database) -> list[object]:
    return [row async for row in database.scan(VIEW)]


async def test_a_block_that_takes_too_long_is_rolled_back_and_others_go_on(
    database: SqliteDatabase, store: JournalStore
) -> None:
    await database.create_table(VIEW)
    others: list[asyncio.Future[object]] = []

    async def stuck() -> None:
        async with database.transaction() as transaction:
            await transaction.put_rows(VIEW, [("k", 1)])
            others.append(asyncio.ensure_future(written(store, appending("a", 1))))
            await others[0]
            await transaction.put_rows(VIEW, [("k", 2)])

    with pytest.raises(Unavailable, match=r"rolled back.*more than 0.3 s"):
        await stuck()
    assert len(await log(store)) == 1
    assert await scanned(database) == []


async def test_a_block_that_ends_too_late_commits_nothing(database: SqliteDatabase) -> None:
    await database.create_table(VIEW)

    async def late() -> None:
        async with database.transaction() as transaction:
            await transaction.put_rows(VIEW, [("k", 1)])
            async with database.transaction():  # of another task; it gets its turn when this one's is over
                pass

    async def other() -> None:
        async with database.transaction():
            pass

    async def late_without_itself() -> None:
        async with database.transaction() as transaction:
            await transaction.put_rows(VIEW, [("k", 1)])
            await asyncio.ensure_future(other())

    with pytest.raises(RuntimeError, match="own task"):
        await late()
    with pytest.raises(Unavailable, match="rolled back"):
        await late_without_itself()
    assert await scanned(database) == []


async def test_a_block_that_nobody_ends_does_not_stop_the_others(database: SqliteDatabase, store: JournalStore) -> None:
    await database.create_table(VIEW)
    abandoned = database.transaction()
    transaction = await abandoned.__aenter__()
    await transaction.put_rows(VIEW, [("k", 1)])
    await asyncio.wait_for(asyncio.ensure_future(written(store, appending("a", 1))), 10)
    assert await scanned(database) == []
    with pytest.raises(Unavailable, match="rolled back"):
        await transaction.put_rows(VIEW, [("k", 2)])
    with pytest.raises(Unavailable, match="rolled back"):
        await abandoned.__aexit__(None, None, None)


async def test_a_query_without_end_is_stopped_with_its_block(database: SqliteDatabase) -> None:
    async def endless() -> None:
        async with database.transaction() as transaction:
            await transaction.fetch(ENDLESS)

    with pytest.raises(Unavailable, match=r"interrupted|rolled back"):
        await asyncio.wait_for(endless(), 10)
    task = asyncio.ensure_future(endless())
    await asyncio.wait([task], timeout=0.05)
    task.cancel()
    async with asyncio.timeout(10), database.transaction() as transaction:
        assert await transaction.fetch("SELECT 1") == [(1,)]


async def test_a_query_without_end_is_stopped_by_closing(path: Path) -> None:
    database = await open_database(f"sqlite:///{path}")

    async def endless() -> None:
        async with database.transaction() as transaction:
            await transaction.fetch(ENDLESS)

    task = asyncio.ensure_future(endless())
    await asyncio.wait([task], timeout=0.05)
    await asyncio.wait_for(database.close(), 10)
    with pytest.raises(Unavailable):
        await task


async def test_the_loop_goes_on_while_sqlite_works(database: SqliteDatabase) -> None:
    async def endless() -> None:
        async with database.transaction() as transaction:
            await transaction.fetch(ENDLESS)

    task = asyncio.ensure_future(endless())
    turns = 0
    while not task.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 50
    with pytest.raises(Unavailable):
        await task


async def test_a_block_cannot_end_its_transaction_itself(database: SqliteDatabase) -> None:
    await database.create_table(VIEW)
    async with database.transaction() as transaction:
        await transaction.put_rows(VIEW, [("k", 1)])
        for sql in ("COMMIT", " commit;", "ROLLBACK", "END", "BEGIN", "rollback to x"):
            with pytest.raises(ValueError, match="transaction block"):
                await transaction.execute(sql)
        assert await scanned(database) == []


async def test_arguments_of_own_sql(database: SqliteDatabase) -> None:
    noon = datetime(2024, 6, 1, 12, tzinfo=UTC)
    async with database.transaction() as transaction:
        rows = await transaction.fetch(
            "SELECT $2, $1, $1, $10, $3, $4, $5", 1, "two", b"three", noon, Decimal("1.50"), True, None, 8, 9, "ten"
        )
        assert rows == [("two", 1, 1, "ten", b"three", "2024-06-01T12:00:00.000000+00:00", "1.50")]
        with pytest.raises(sqlite3.Error):
            await transaction.fetch("SELECT $1, $2", 1)


async def test_a_block_that_has_ended_is_of_no_use(database: SqliteDatabase) -> None:
    async with database.transaction() as transaction:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        await transaction.execute("SELECT 1")


@pytest.fixture
def memory_and_file(path: Path) -> list[str]:
    return ["memory:", f"sqlite:///{path}"]


async def test_memory_keeps_to_the_limits_of_a_file(memory_and_file: list[str]) -> None:
    """What would get stuck on SQLite gets stuck, and unstuck, in a unit test on memory in the same way."""
    for url in memory_and_file:
        database = await open_database(url, transaction_limit=0.05)
        await database.create_table(VIEW)
        await database.offsets.claim("view", ["a"], 1)
        await _stuck_on_its_own_write(database)
        assert await scanned(database) == []
        assert (await database.offsets.read("view"))["a"].offset == 0
        await database.close()


async def _stuck_on_its_own_write(database: Database) -> None:
    async def block() -> None:
        async with database.transaction() as transaction:
            await _change(transaction)
            await asyncio.ensure_future(database.offsets.claim("view", ["a"], 2))

    with pytest.raises(Unavailable, match=r"rolled back.*0\.05 s"):
        await block()


async def _change(transaction: Transaction) -> None:
    await transaction.put_rows(VIEW, [("k", 1)])
    await transaction.move_offsets("view", [OffsetMove("a", 0, 1)], 1)
