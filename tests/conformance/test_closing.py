"""What happens to a database's users when it is closed."""

from __future__ import annotations

import asyncio
import threading

import pytest

from journal.contract import Database
from journal.errors import JournalError, Unavailable
from journal.records import Append, Appended, Column, NewNote, OffsetMove, Snapshot, TableSpec
from tests.conformance.conftest import SHARDS, Opener
from tests.conformance.samples import append, appending, log

TABLE = TableSpec("view", "id", (Column("id", "text"),))


async def test_closing_twice_is_closing(database: Database) -> None:
    await database.close()
    await database.close()


async def test_closing_at_once_from_two_tasks(database: Database) -> None:
    await database.journal("booking", 1)
    await asyncio.gather(database.close(), database.close())


async def test_a_closed_database_says_so(database: Database) -> None:
    store = await database.journal("booking", SHARDS)
    snapshots, offsets, letters = database.snapshots("booking"), database.offsets, database.dead_letters
    notes = database.notes
    await database.create_table(TABLE)
    await database.close()
    uses = [
        database.journal("booking", SHARDS),
        database.create_table(TABLE),
        anext(database.scan(TABLE)),
        database.transaction().__aenter__(),
        store.append([appending("a", 1)]),
        store.claim(0, 1),
        store.heads(),
        store.read_entity("a", 1, 1),
        store.read_shards({0: 0}, 1),
        notes.put([NewNote("control", "a", b"")]),
        notes.read(["control"]),
        notes.delete("control", ["a"]),
        snapshots.get("a"),
        snapshots.put(0, 1, Snapshot("a", 1, "State", 1, b"")),
        snapshots.delete("a"),
        offsets.read("view"),
        offsets.claim("view", ["a"], 1),
        offsets.commit("view", [OffsetMove("a", 0, 1)], 1),
        letters.list("view"),
    ]
    for use in uses:
        with pytest.raises(Unavailable, match="closed"):
            await use


async def test_closing_under_load_answers_everyone_and_keeps_what_was_answered(
    open_again: Opener, store_url: str
) -> None:
    database = await open_again()
    store = await database.journal("booking", SHARDS)
    for shard in range(SHARDS):
        await store.claim(shard, 1)

    async def write(number: int) -> tuple[Append, bool]:
        one = appending(f"k{number}", 1, shard=number % SHARDS)
        try:
            (outcome,) = await append(store, one)
        except JournalError:
            return one, False
        return one, isinstance(outcome, Appended)

    tasks = [asyncio.ensure_future(write(number)) for number in range(100)]
    await asyncio.sleep(0.01)
    await database.close()
    results = await asyncio.wait_for(asyncio.gather(*tasks), 30)
    if store_url == "memory:":
        return  # what a closed memory held is gone
    again = await (await open_again()).journal("booking", SHARDS)
    found = {event.key for shard in range(SHARDS) for event in await log(again, shard)}
    assert {one.key for one, answered in results if answered} <= found


async def test_closing_inside_somebodys_block_commits_nothing_of_it(open_again: Opener, store_url: str) -> None:
    database = await open_again()
    await database.create_table(TABLE)

    async def block() -> None:
        async with database.transaction() as transaction:
            await transaction.put_rows(TABLE, [("a",)])
            await database.close()
            await transaction.put_rows(TABLE, [("b",)])

    with pytest.raises(Unavailable):
        await asyncio.wait_for(block(), 30)
    if store_url != "memory:":
        assert [row async for row in (await open_again()).scan(TABLE)] == []


async def test_no_thread_is_left_behind(open_again: Opener) -> None:
    before = set(threading.enumerate())
    database = await open_again()
    store = await database.journal("booking", SHARDS)
    await store.claim(0, 1)
    await append(store, appending("a", 1))
    await asyncio.gather(*(log(store) for _ in range(10)))
    await database.close()
    assert set(threading.enumerate()) <= before
