"""Transactions that a crash of the server may take back are whole all the same, and fenced."""

from __future__ import annotations

import pytest

from journal.contract import Database
from journal.errors import Fenced
from journal.records import NewNote, OffsetMove


async def test_what_commits_relaxed_is_there_and_fenced(database: Database) -> None:
    relaxed = database.relaxed()
    await database.offsets.claim("view", ["t-0"], 3)
    async with relaxed.transaction() as transaction:
        await transaction.put_note(NewNote("kind", "name", b"written"))
        await transaction.move_offsets("view", [OffsetMove("t-0", 0, 5)], 3)
    assert [note.payload for note in await database.notes.read(["kind"])] == [b"written"]
    with pytest.raises(Fenced):
        async with relaxed.transaction() as transaction:
            await transaction.move_offsets("view", [OffsetMove("t-0", 5, 6)], 2)
    assert (await database.offsets.read("view"))["t-0"].offset == 5


async def test_only_relaxed_transactions_do_not_wait_for_the_disk(database: Database) -> None:
    if not database.url.startswith("postgresql"):
        pytest.skip("the other stores have no weaker commit")
    said = []
    for one in (database.relaxed(), database, database.relaxed()):
        for _ in range(3):
            async with one.transaction() as transaction:
                said += await transaction.fetch("SHOW synchronous_commit")
    assert said == [("off",)] * 3 + [("on",)] * 3 + [("off",)] * 3
