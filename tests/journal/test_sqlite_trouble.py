"""SQLite in trouble: locked, full, a failing disk, too many callers. Nothing answered is ever lost."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from journal.contract import Database, JournalStore
from journal.database import open_database
from journal.errors import OutcomeUnknown, Overloaded, Unavailable
from journal.records import Column, TableSpec
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


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program that writes, and takes its time."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def log_limit(path: Path) -> Iterator[None]:
    """Writing the file's log some 10 KB further fails, as on a disk that breaks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = Path(f"{path}-wal").stat().st_size + 10_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def scanned(database: Database) -> list[object]:
    return [row async for row in database.scan(VIEW)]


async def test_a_file_that_stays_locked_is_unavailable_and_then_available(
    database: SqliteDatabase, store: JournalStore, path: Path
) -> None:
    with locked(path):
        with pytest.raises(Unavailable, match="another process kept the file locked"):
            await store.append([appending("a", 1)])
        with pytest.raises(Unavailable, match="locked"):
            await database.transaction().__aenter__()
        assert await log(store) == []
    await written(store, appending("a", 1))


async def test_a_write_waits_for_another_program_and_holds_up_nothing_else(store: JournalStore, path: Path) -> None:
    with locked(path):
        waiting = asyncio.ensure_future(written(store, appending("a", 1)))
        await store.heads()
        assert await log(store) == []
        assert not waiting.done()
    await waiting
    assert len(await log(store)) == 1


async def test_a_full_disk_is_unavailable_and_nothing_was_written(
    database: SqliteDatabase, store: JournalStore
) -> None:
    def limit(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")

    await database._access.writer.submit(limit)
    with pytest.raises(Unavailable, match="disk is full"):
        await store.append([appending("a", 1), appending("big", 1, b"x" * 1_000_000)])
    assert await log(store) == []
    await written(store, appending("a", 1))


async def test_a_commit_that_fails_half_way_is_unknown_and_then_one_or_the_other(
    store: JournalStore, path: Path
) -> None:
    await written(store, appending("a", 1))
    with log_limit(path), pytest.raises(OutcomeUnknown, match="may have happened"):
        await store.append([appending("a", 2, b"y" * 100_000)])
    last = len(await store.read_entity("a", 1, 10))
    assert last in (1, 2)
    await written(store, appending("a", last + 1))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_block_whose_commit_fails_half_way_is_unknown(database: SqliteDatabase, path: Path) -> None:
    await database.create_table(TableSpec("blobs", "id", (Column("id", "text"), Column("raw", "bytes"))))

    async def block() -> None:
        async with database.transaction() as transaction:
            await transaction.execute("INSERT INTO blobs VALUES ($1, $2)", "k", b"y" * 100_000)

    with log_limit(path), pytest.raises(OutcomeUnknown):
        await block()
    async with database.transaction() as transaction:
        await transaction.execute("DELETE FROM blobs")


async def test_too_many_that_wait_are_overloaded(database: SqliteDatabase, store: JournalStore) -> None:
    appends = [asyncio.ensure_future(written(store, appending(f"k{n}", 1))) for n in range(100)]
    reads = [asyncio.ensure_future(store.heads()) for _ in range(100)]
    for tasks in (appends, reads):
        results = await asyncio.gather(*tasks, return_exceptions=True)
        refused = [result for result in results if isinstance(result, Overloaded)]
        assert 0 < len(refused) < 100
        assert len(refused) == sum(isinstance(result, BaseException) for result in results)
    await written(store, appending("last", 1))


async def test_closing_ends_all_threads_and_files(path: Path) -> None:
    before = set(threading.enumerate())
    database = await open_database(f"sqlite:///{path}")
    await asyncio.gather(*(database.offsets.read("view") for _ in range(20)))
    assert {thread.name for thread in set(threading.enumerate()) - before}
    await database.close()
    assert set(threading.enumerate()) <= before
    assert sorted(file.name for file in path.parent.iterdir()) == ["journal.db"]  # the log was folded in and removed
