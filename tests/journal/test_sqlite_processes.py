"""Several processes on one SQLite file: nothing is skipped, nothing answered is lost when one is killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from journal.contract import JournalStore
from journal.database import open_database
from journal.records import Column, TableSpec
from tests.conformance.hammer import Reader, check_complete, follow
from tests.conformance.samples import log
from tests.waiting import eventually

VIEW = TableSpec("view", "id", (Column("id", "text"), Column("n", "integer")))
ENDLESS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT max(n) FROM numbers"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


async def _writer_program(path: Path, shard: int, batches: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.journal.sqlite_writer", f"sqlite:///{path}", str(shard), str(batches),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_no_reader_skips_an_event_of_several_processes(path: Path) -> None:
    database = await open_database(f"sqlite:///{path}")
    store = await database.journal("hammered", 3)
    programs = [await _writer_program(path, shard, 40) for shard in range(3)]
    outputs = asyncio.gather(*(program.communicate() for program in programs))
    readers = [
        asyncio.ensure_future(follow(store, Reader(dict.fromkeys(range(3), 0)), outputs.done, 50)) for _ in range(2)
    ]
    written_in_all = sum(int(out.split()[-1]) for out, _ in await outputs)
    for reader in readers:
        check_complete(await reader, written_in_all)
    await database.close()


async def test_what_a_killed_process_was_told_is_in_the_journal(path: Path) -> None:
    database = await open_database(f"sqlite:///{path}")
    store = await database.journal("hammered", 3)
    for epoch in range(1, 4):
        program = await _writer_program(path, 0, -1)
        assert program.stdout is not None
        before = (await store.heads())[0].head
        await eventually(lambda: _head_beyond(store, before + 20 * epoch), within=30)  # noqa: B023 - called at once
        program.kill()
        output, _ = await program.communicate()
        told = [int(line) for line in output.decode().split("\n")[:-1]]
        head = (await store.heads())[0].head
        assert told[-1] <= head <= told[-1] + 100
        stored = await log(store)
        assert [event.offset for event in stored] == list(range(1, head + 1))
    await database.close()


async def _head_beyond(store: JournalStore, offset: int) -> bool:
    return (await store.heads())[0].head > offset


async def test_programs_that_create_the_file_at_once(path: Path) -> None:
    databases = await asyncio.gather(*(open_database(f"sqlite:///{path}") for _ in range(8)))
    stores = await asyncio.gather(*(database.journal("booking", 2) for database in databases))
    assert [len(await store.heads()) for store in stores] == [2] * 8
    await asyncio.gather(*(database.close() for database in databases))
