"""What `NoteStore` and the notes of a transaction promise: whose note stays, what is counted, what commits together."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from journal.contract import Database, NoteStore
from journal.errors import BadPayload, Fenced, InvalidName, OutcomeUnknown, Unavailable
from journal.notes import MAX_NOTE_BYTES
from journal.records import NewNote, Note, OffsetMove
from tests.conformance.conftest import Opener
from tests.faulty_store import FaultyDatabase, lost_after, unavailable


class Stop(Exception):
    """Raised by tests to leave a block."""


@pytest.fixture
def notes(database: Database) -> NoteStore:
    return database.notes


async def only(notes: NoteStore, kind: str = "control") -> Note:
    """The one note of a kind."""
    (note,) = await notes.read([kind])
    return note


async def told(notes: NoteStore, *kinds: str, prefix: str = "") -> list[tuple[str, str, bytes]]:
    return [note[:3] for note in await notes.read(kinds, prefix)]


async def test_what_is_put_is_read(notes: NoteStore) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    await notes.put([NewNote("control", "totals", b"\0paused\xff", 7), NewNote("view", "totals", b"")])
    assert (await only(notes))[:5] == ("control", "totals", b"\0paused\xff", 7, 1)
    assert (await only(notes, "view"))[:5] == ("view", "totals", b"", 0, 1)
    written_at = (await only(notes)).written_at
    assert written_at.utcoffset() == timedelta(0)
    assert before < written_at < before + timedelta(minutes=2)


async def test_each_writing_is_a_revision_of_its_own_later_one(notes: NoteStore) -> None:
    await notes.put([NewNote("control", "totals", b"1")])
    first = await only(notes)
    await asyncio.sleep(0.003)  # the coarsest of the clocks counts milliseconds
    await notes.put([NewNote("control", "totals", b"2")])
    second = await only(notes)
    assert (second.payload, second.revision) == (b"2", 2)
    assert second.written_at > first.written_at


async def test_a_note_of_a_higher_epoch_stays_and_the_others_are_written(notes: NoteStore) -> None:
    await notes.put([NewNote("process", "a", b"new", 5), NewNote("process", "b", b"old", 4)])
    await notes.put([NewNote("process", name, b"stale", 4) for name in "abc"])
    assert [note[1:5] for note in await notes.read(["process"])] == [
        ("a", b"new", 5, 1),
        ("b", b"stale", 4, 2),
        ("c", b"stale", 4, 1),
    ]
    await notes.put([NewNote("process", "a", b"newer", 6)])
    assert [note[1:5] for note in await notes.read(["process"], "a")] == [("a", b"newer", 6, 2)]


async def test_notes_come_by_kind_and_name_in_the_order_of_code_points(notes: NoteStore) -> None:
    names = ["b/10", "b/2", "B", "b", "é", "z", "\U0001f39f", "\uffff", "a"]
    await notes.put([NewNote(kind, name, b"") for name in names for kind in ("view", "control", "process")])
    assert await told(notes, "view", "control", "view") == [
        (kind, name, b"") for kind in ("control", "view") for name in sorted(names)
    ]


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("", ["%", "100%", "Totals/1", "_", "totals", "totals/1", "totals/2", "totals2", "ü/1"]),
        ("totals", ["totals", "totals/1", "totals/2", "totals2"]),
        ("totals/", ["totals/1", "totals/2"]),
        ("%", ["%"]),
        ("_", ["_"]),
        ("10", ["100%"]),
        ("ü", ["ü/1"]),
        ("u", []),
        ("totals/1/", []),
    ],
)
async def test_a_prefix_is_what_names_begin_with(notes: NoteStore, prefix: str, names: list[str]) -> None:
    every = ["totals/2", "totals", "Totals/1", "totals/1", "totals2", "%", "_", "100%", "ü/1"]
    await notes.put([NewNote("process", name, b"") for name in every])
    await notes.put([NewNote("other", "totals/3", b"")])
    assert [note.name for note in await notes.read(["process"], prefix)] == names


async def test_where_nothing_is_nothing_is_read(notes: NoteStore) -> None:
    await notes.put([])
    await notes.put([NewNote("control", "totals", b"")])
    assert await notes.read([]) == []
    assert await notes.read(["controls", "contro"]) == []


async def test_what_is_deleted_is_gone_and_begins_anew(notes: NoteStore) -> None:
    await notes.put([NewNote(kind, name, b"", 9) for kind in ("view", "control") for name in "abc"])
    await notes.delete("view", ["a", "c", "never there", "a"])
    await notes.delete("view", [])
    assert [note[:2] for note in await notes.read(["control", "view"])] == [
        ("control", "a"),
        ("control", "b"),
        ("control", "c"),
        ("view", "b"),
    ]
    await notes.put([NewNote("view", "a", b"again", 1)])
    assert [note[2:5] for note in await notes.read(["view"], "a")] == [(b"again", 1, 1)]


async def test_the_largest_of_everything_is_kept(notes: NoteStore, database: Database) -> None:
    largest = NewNote("ü" * 256, "n" * 512, b"\x01" * MAX_NOTE_BYTES, 2**63 - 1)
    await notes.put([largest])
    assert (await only(notes, largest.kind))[:4] == largest
    assert [note[:4] for note in await notes.read([largest.kind], largest.name)] == [largest]
    async with database.transaction() as transaction:
        await transaction.put_note(largest)
    assert (await only(notes, largest.kind)).revision == 2


async def test_names_are_any_text(notes: NoteStore) -> None:
    kind, name = "kind'; DROP TABLE aecorpy_note; --", "ярлык-$1-%"
    await notes.put([NewNote(kind, name, b"x")])
    assert await told(notes, kind, prefix="ярлык-$") == [(kind, name, b"x")]
    await notes.delete(kind, [name])
    assert await told(notes, kind) == []


NO_NAMES: list[Any] = ["", "a\0b", "n" * 513, "ü" * 257, "\ud800", 7, None, b"name"]


@pytest.mark.parametrize("name", NO_NAMES)
async def test_what_is_no_name_is_refused_by_every_method(database: Database, name: Any) -> None:
    notes = database.notes
    await notes.put([NewNote("control", "totals", b"1")])
    uses = [
        notes.put([NewNote("control", "totals", b"2"), NewNote("control", name, b"")]),
        notes.put([NewNote("control", "totals", b"2"), NewNote(name, "totals", b"")]),
        notes.read([name]),
        notes.delete("control", ["totals", name]),
        notes.delete(name, ["totals"]),
    ]
    if name != "":
        uses.append(notes.read(["control"], name))
    for use in uses:
        with pytest.raises(InvalidName):
            await use
    async with database.transaction() as transaction:
        for kind, of_that in (("control", name), (name, "totals")):
            with pytest.raises(InvalidName):
                await transaction.get_note(kind, of_that)
            with pytest.raises(InvalidName):
                await transaction.put_note(NewNote(kind, of_that, b""))
            with pytest.raises(InvalidName):
                await transaction.delete_note(kind, of_that)
    assert (await only(notes)).payload == b"1"


@pytest.mark.parametrize(
    "bad",
    [
        NewNote("control", "b", b"x" * (MAX_NOTE_BYTES + 1)),
        NewNote("control", "b", "text"),  # type: ignore[arg-type]
        NewNote("control", "b", None),  # type: ignore[arg-type]
        NewNote("control", "b", b"", -1),
        NewNote("control", "b", b"", 2**63),
        NewNote("control", "b", b"", "1"),  # type: ignore[arg-type]
    ],
)
async def test_what_cannot_be_kept_is_refused_and_nothing_is_written(database: Database, bad: NewNote) -> None:
    with pytest.raises(BadPayload, match="'control', 'b'"):
        await database.notes.put([NewNote("control", "a", b""), bad])
    async with database.transaction() as transaction:
        with pytest.raises(BadPayload):
            await transaction.put_note(bad)
        await transaction.put_note(NewNote("control", "c", b""))
    assert await told(database.notes, "control") == [("control", "c", b"")]


async def test_one_note_twice_in_one_call_is_refused(notes: NoteStore) -> None:
    with pytest.raises(BadPayload, match="same kind and name"):
        await notes.put([NewNote("control", "a", b"1"), NewNote("view", "a", b""), NewNote("control", "a", b"2")])
    assert await notes.read(["control", "view"]) == []


async def test_payloads_like_bytes_are_read_as_bytes(notes: NoteStore) -> None:
    await notes.put([NewNote("control", "a", bytearray(b"1")), NewNote("control", "b", memoryview(b"2"))])  # type: ignore[arg-type]
    assert await told(notes, "control") == [("control", "a", b"1"), ("control", "b", b"2")]


async def test_a_transaction_sees_and_counts_its_own_writing(database: Database) -> None:
    await database.notes.put([NewNote("control", "a", b"1", 3), NewNote("control", "b", b"")])
    async with database.transaction() as transaction:
        assert await transaction.get_note("control", "never there") is None
        before = await transaction.get_note("control", "a")
        assert before is not None
        assert before == (await database.notes.read(["control"]))[0]
        await transaction.put_note(NewNote("control", "a", b"2", 1))
        await transaction.put_note(NewNote("control", "a", b"3", 2))
        await transaction.delete_note("control", "b")
        await transaction.delete_note("control", "never there")
        after = await transaction.get_note("control", "a")
        assert after is not None
        assert after[:5] == ("control", "a", b"3", 2, 3)
        assert after.written_at >= before.written_at
        assert await transaction.get_note("control", "b") is None
        await transaction.put_note(NewNote("control", "b", b"anew"))
        assert [note.payload for note in await database.notes.read(["control"])] == [b"1", b""]
    assert [note[1:5] for note in await database.notes.read(["control"])] == [("a", b"3", 2, 3), ("b", b"anew", 0, 1)]


async def test_notes_roll_back_with_everything_else(database: Database) -> None:
    await database.notes.put([NewNote("control", "a", b"1")])
    await database.offsets.claim("view", ["tag"], 1)

    async def block(error: Exception | None, epoch: int) -> None:
        async with database.transaction() as transaction:
            await transaction.put_note(NewNote("control", "b", b"2"))
            await transaction.delete_note("control", "a")
            await transaction.move_offsets("view", [OffsetMove("tag", 0, 4)], epoch)
            if error is not None:
                raise error

    with pytest.raises(Stop):
        await block(Stop(), 1)
    with pytest.raises(Fenced):
        await block(None, 2)
    assert await told(database.notes, "control") == [("control", "a", b"1")]
    await block(None, 1)
    assert await told(database.notes, "control") == [("control", "b", b"2")]
    assert (await database.offsets.read("view"))["tag"].offset == 4


async def test_a_note_that_is_being_changed_is_waited_for(database: Database, open_again: Opener) -> None:
    other = await open_again()
    await database.notes.put([NewNote("control", "count", b"0")])

    async def count(on: Database) -> None:
        async with on.transaction() as transaction:
            note = await transaction.get_note("control", "count")
            assert note is not None
            await asyncio.sleep(0)
            await transaction.put_note(NewNote("control", "count", b"%d" % (int(note.payload) + 1)))

    await asyncio.gather(*(count(on) for on in [database, other] * 8))
    assert (await only(database.notes))[2:5] == (b"16", 0, 17)


async def test_who_puts_or_deletes_waits_for_the_transaction_that_has_read(
    database: Database, open_again: Opener
) -> None:
    other = await open_again()
    await database.notes.put([NewNote("control", name, b"1") for name in "ab"])
    async with database.transaction() as transaction:
        for name in "ab":
            await transaction.get_note("control", name)
        putting = asyncio.ensure_future(other.notes.put([NewNote("control", "a", b"2")]))
        deleting = asyncio.ensure_future(other.notes.delete("control", ["b"]))
        done, _ = await asyncio.wait([putting, deleting], timeout=0.05)
        assert not done
        for name in "ab":
            await transaction.put_note(NewNote("control", name, b"3"))
    await asyncio.gather(putting, deleting)
    assert [note[1:5] for note in await database.notes.read(["control"])] == [("a", b"2", 0, 3)]


async def test_writers_of_the_same_notes_in_any_order_all_get_through(database: Database, open_again: Opener) -> None:
    other, names = await open_again(), [f"n{number}" for number in range(20)]

    async def write(on: Database, epoch: int) -> None:
        ordered = names if epoch % 2 else names[::-1]
        await on.notes.put([NewNote("process", name, b"%d" % epoch, epoch) for name in ordered])
        await on.notes.delete("doomed", ordered)

    await database.notes.put([NewNote("doomed", name, b"") for name in names])
    await asyncio.gather(*(write(database if epoch % 3 else other, epoch) for epoch in range(1, 21)))
    assert {note[2:4] for note in await database.notes.read(["process"])} == {(b"20", 20)}
    assert await database.notes.read(["doomed"]) == []


async def test_another_program_sees_what_was_put(notes: NoteStore, open_again: Opener) -> None:
    other = (await open_again()).notes
    await notes.put([NewNote("control", "a", b"1")])
    await other.put([NewNote("control", "a", b"2")])
    assert await notes.read(["control"]) == await other.read(["control"])
    assert (await only(notes))[2:5] == (b"2", 0, 2)


async def test_notes_behind_faults(database: Database) -> None:
    faulty = FaultyDatabase(database)
    faulty.on("notes_put", unavailable(), lost_after())
    for error, stored in ((Unavailable, []), (OutcomeUnknown, [("control", "a", b"1")])):
        with pytest.raises(error):
            await faulty.notes.put([NewNote("control", "a", b"1")])
        assert await told(faulty.notes, "control") == stored
    gate = faulty.block("notes_read")
    reading = asyncio.ensure_future(faulty.notes.read(["control"]))
    await gate.reached()
    await faulty.notes.delete("control", ["a"])
    gate.release()
    assert await reading == []
    faulty.go_away()
    with pytest.raises(Unavailable):
        await faulty.notes.delete("control", ["a"])
