"""The audit that all tests of clusters rely on finds what it is there to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from aecorpy import Behaviour
from journal.database import open_database
from journal.events import EventJournal
from tests.cluster.ledger import ANSWERED, FAILED, REFUSED, UNKNOWN, Ledger, audit
from tests.cluster.notes import SHARDS, Note, Written
from tests.cluster.records import Owned, Recorder, Records

OWNED = [Owned("a.1", 0, 1, True, 1.0), Owned("b.1", 0, 2, True, 2.0)]


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A journal with the commands x and y, written by a.1 under epoch 1, and y and z, by b.1 under epoch 2."""
    url = f"sqlite:///{tmp_path}/journal.db"
    database = await open_database(url)
    store = await database.journal("note", SHARDS)
    journal: EventJournal[Written] = EventJournal(store, Behaviour.of(Note).events)
    number = 0
    for epoch, by, commands in ((1, "a.1", ("x", "y")), (2, "b.1", ("y", "z"))):
        await journal.claim(0, epoch)
        for command in commands:
            number += 1
            await journal.append(0, epoch, "k", number, [Written(command, by)])
    await journal.close()
    await database.close()
    return url


def _told(**outcomes: str) -> Ledger:
    ledger = Ledger()
    for command, outcome in outcomes.items():
        ledger.note(command, outcome, "why")
    return ledger


async def test_a_repeated_event_is_found_and_nothing_else(url: str) -> None:
    found = await audit(url, Note, _told(x=ANSWERED, y=ANSWERED, z=UNKNOWN, w=REFUSED), OWNED)
    assert found.all == ["duplicated: y: 2 events"]
    assert found.events == 4


async def test_what_callers_were_told_and_the_journal_does_not_have_is_found(url: str) -> None:
    found = await audit(url, Note, _told(x=REFUSED, y=ANSWERED, w=ANSWERED, v=FAILED), OWNED)
    assert found.lost == ["w"]
    assert found.done_nevertheless == ["x"]
    assert found.surprises == ["v: why", "nobody sent z"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([Owned("c.1", 0, 2, True, 3.0)], ["owned by ['b.1', 'c.1']"]),
        ([Owned("c.1", 0, 3, True, 3.0)], []),
        ([Owned("b.1", 0, 2, False, 3.0), Owned("b.1", 0, 2, True, 4.0)], []),
    ],
)
async def test_two_owners_under_one_epoch_are_found(url: str, more: list[Owned], words: list[str]) -> None:
    found = await audit(url, Note, _told(x=ANSWERED, y=ANSWERED, z=ANSWERED), OWNED + more)
    assert len(found.double_owner) == len(words)
    assert all(word in one for word, one in zip(words, found.double_owner, strict=True))


async def test_who_writes_without_having_recorded_that_it_owns_is_found(url: str) -> None:
    found = await audit(url, Note, _told(x=ANSWERED, y=ANSWERED, z=ANSWERED), OWNED[:1])
    assert [one.partition(":")[0] for one in found.double_owner] == ["shard 0, epoch 2"]


def test_records_are_read_as_far_as_they_are_written(tmp_path: Path) -> None:
    recorder, records = Recorder(tmp_path, "a.1"), Records(tmp_path)
    recorder("note", 3, 1, True)
    recorder("note", 4, 1, True)
    records.refresh()
    recorder("note", 3, 1, False)
    with (tmp_path / "a.1.owned").open("a") as file:
        file.write("5 1 1 12.")  # the rest of the line is on its way
    records.refresh()
    assert records.owned_by("a.1") == {4}
    assert [(one.shard, one.now) for one in records.all] == [(3, True), (4, True), (3, False)]
    recorder.close()
