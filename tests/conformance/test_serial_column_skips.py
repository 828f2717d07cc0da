"""The hammer would notice: run against a journal with a plain serial column, it catches the skipped event.

Two transactions draw 1 and 2 from the sequence, and the one with 2 commits first. A reader that remembers the last
number it saw is then past 1 for ever. The counter in the shard's row cannot do this: the second writer waits for the
first one's commit, because both need the same row.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import asyncpg
import pytest

from journal.contract import Database, JournalStore
from journal.database import open_database
from journal.errors import JournalError
from journal.records import Append, Appended, ShardHead, StoredEvent
from tests.conformance.hammer import Reader, check_complete, follow, write_batches
from tests.conformance.samples import append, appending, log
from tests.waiting import eventually

SCHEMA = """
CREATE TABLE serial_event (
    "offset" bigserial PRIMARY KEY,
    key text NOT NULL,
    seq_nr bigint NOT NULL,
    payload bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (key, seq_nr)
)
"""
INSERT = 'INSERT INTO serial_event (key, seq_nr, payload) VALUES ($1, $2, $3) RETURNING "offset"'
READ = 'SELECT * FROM serial_event WHERE "offset" > $1 ORDER BY "offset" LIMIT $2'


class SerialJournal(JournalStore):
    """What not to do: one shard, and offsets from a sequence. Commits when `may_commit` is set."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self.name, self.shard_count = "serial", 1
        self.may_commit = asyncio.Event()
        self.may_commit.set()
        self.uncommitted = 0
        self._pool = pool

    async def append(self, batch: Sequence[Append]) -> list[Appended | JournalError]:
        outcomes: list[Appended | JournalError] = []
        async with self._pool.acquire() as connection, connection.transaction():
            for one in batch:
                for number, event in enumerate(one.events):
                    offset = await connection.fetchval(INSERT, one.key, one.seq_nr + number, event.payload)
                outcomes.append(Appended(0, offset))
            self.uncommitted += 1
            await self.may_commit.wait()
            self.uncommitted -= 1
        return outcomes

    async def read_shards(self, after: Mapping[int, int], limit: int) -> list[StoredEvent]:
        rows = await self._pool.fetch(READ, after[0], limit)
        return [
            StoredEvent(0, row["offset"], row["key"], row["seq_nr"], 1, "H", 1, row["payload"], b"", row["recorded_at"])
            for row in rows
        ]

    async def claim(self, shard: int, epoch: int) -> ShardHead:
        return ShardHead(shard, epoch, 0)

    async def heads(self) -> list[ShardHead]:
        return []

    async def read_entity(self, key: str, from_seq_nr: int, limit: int) -> list[StoredEvent]:
        return []


class TrustingReader(Reader):
    """A reader that does not mind a hole, as one of a serial column must not: every rollback leaves one."""

    def take(self, found: Sequence[StoredEvent]) -> None:
        for event in found:
            self.after[event.shard] = event.offset
            self.seen.append(event)


@pytest.fixture
async def serial(postgres_url: str) -> AsyncIterator[SerialJournal]:
    async with asyncpg.create_pool(postgres_url, min_size=1, max_size=4) as pool:
        await pool.execute(SCHEMA)
        yield SerialJournal(pool)


async def later_number_first(serial: SerialJournal, reader: Reader) -> tuple[Reader, int]:
    """Two writers draw their numbers one after the other, commit the other way round, and the reader follows."""
    serial.may_commit.clear()
    first = asyncio.ensure_future(write_batches(serial, [0], "first", 1))
    await eventually(lambda: serial.uncommitted == 1)
    held, serial.may_commit = serial.may_commit, asyncio.Event()
    serial.may_commit.set()
    second = await write_batches(serial, [0], "second", 1)
    try:
        reader.take(await serial.read_shards(reader.after, 100))
    finally:
        held.set()
        written = await first + second
    return await follow(serial, reader, lambda: True, 100), written


async def test_the_hammer_catches_a_serial_column_at_the_first_event_out_of_order(serial: SerialJournal) -> None:
    with pytest.raises(AssertionError, match="was shown before 1"):
        await later_number_first(serial, Reader({0: 0}))


async def test_the_hammer_catches_the_events_that_a_reader_of_a_serial_column_never_saw(serial: SerialJournal) -> None:
    reader, written = await later_number_first(serial, TrustingReader({0: 0}))
    everything = await serial.read_shards({0: 0}, 100)
    assert len(everything) == written  # all of it is in the table
    assert {event.key for event in reader.seen} == {"second-0-0", "second-0-1"}  # and half of it passed the reader by
    with pytest.raises(AssertionError):
        check_complete(reader, written)


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = await open_database(postgres_url)
    yield database
    await database.close()


@pytest.mark.parametrize("first_commits", [True, False])
async def test_with_the_counter_in_the_shards_row_the_second_writer_waits(
    database: Database, postgres_url: str, first_commits: bool
) -> None:
    """The first writer here is a bare connection that takes offset 1 and keeps its transaction open."""
    store = await database.journal("booking", 2)
    await store.claim(0, 1)
    await store.claim(1, 1)
    connection = await asyncpg.connect(postgres_url)
    first = connection.transaction()
    await first.start()
    assert await connection.fetchval("UPDATE booking_shard SET head = head + 1 WHERE shard = 0 RETURNING head") == 1
    second = asyncio.ensure_future(append(store, appending("second", 1)))
    await append(store, appending("elsewhere", 1, shard=1))  # another shard's writer does not wait
    await eventually(lambda: _waits_for_a_lock(postgres_url))
    assert not second.done()
    assert await log(store) == []
    await (first.commit() if first_commits else first.rollback())
    await connection.close()
    assert await second == [Appended(0, 2 if first_commits else 1)]


async def _waits_for_a_lock(url: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(await connection.fetchval(waiting))
    finally:
        await connection.close()
