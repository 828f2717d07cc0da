"""Notes in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from journal.contract import NoteStore
from journal.notes import checked_kind, checked_note_name, checked_notes, checked_prefix
from journal.records import NewNote, Note
from journal.turn import WriteTurn


class MemoryNotes(NoteStore):
    """Small documents of management."""

    def __init__(self, turn: WriteTurn, clock: Callable[[], datetime]) -> None:
        self._turn = turn
        self._clock = clock
        self._notes: dict[tuple[str, str], Note] = {}

    async def put(self, notes: Sequence[NewNote]) -> None:
        """See `NoteStore.put`."""
        checked, changes = checked_notes(notes), NoteChanges(self)
        await self._turn.passed()
        for note in checked:
            stored = self.find(note.kind, note.name)
            if stored is None or stored.epoch <= note.epoch:
                changes.put(note)
        changes.keep()

    async def read(self, kinds: Sequence[str], prefix: str = "") -> list[Note]:
        """See `NoteStore.read`."""
        wanted, beginning = {checked_kind(kind) for kind in kinds}, checked_prefix(prefix)
        self._turn.check_open()
        found = [note for note in self._notes.values() if note.kind in wanted and note.name.startswith(beginning)]
        return sorted(found, key=lambda note: (note.kind, note.name))

    async def delete(self, kind: str, names: Sequence[str]) -> None:
        """See `NoteStore.delete`."""
        changes = NoteChanges(self)
        for name in names:
            changes.delete(kind, name)
        await self._turn.passed()
        changes.keep()

    def find(self, kind: str, name: str) -> Note | None:
        """The committed note, or None."""
        return self._notes.get((kind, name))

    def now(self) -> datetime:
        """When what is written now is written."""
        return self._clock().astimezone(UTC)

    def replace(self, kind: str, name: str, note: Note | None) -> None:
        """Make `note` the committed one; None deletes."""
        if note is None:
            self._notes.pop((kind, name), None)
        else:
            self._notes[kind, name] = note


class NoteChanges:
    """Changes of notes on top of the committed ones, kept apart until `keep`."""

    def __init__(self, notes: MemoryNotes) -> None:
        self._notes = notes
        self._changed: dict[tuple[str, str], Note | None] = {}

    def get(self, kind: str, name: str) -> Note | None:
        """The note as these changes leave it."""
        place = (checked_kind(kind), checked_note_name(name))
        return self._changed[place] if place in self._changed else self._notes.find(*place)

    def put(self, note: NewNote) -> None:
        """Insert or replace a note, whatever its epoch."""
        (checked,) = checked_notes([note])
        stored = self.get(note.kind, note.name)
        revision = 1 if stored is None else stored.revision + 1
        self._changed[note.kind, note.name] = Note(*checked, revision, self._notes.now())

    def delete(self, kind: str, name: str) -> None:
        """Forget a note."""
        self._changed[checked_kind(kind), checked_note_name(name)] = None

    def keep(self) -> None:
        """Commit."""
        for (kind, name), note in self._changed.items():
            self._notes.replace(kind, name, note)
