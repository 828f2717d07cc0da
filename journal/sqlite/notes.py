"""Notes in a SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

from journal.contract import NoteStore
from journal.notes import checked_kind, checked_note_name, checked_notes, checked_prefix
from journal.records import NewNote, Note
from journal.sqlite.access import Access
from journal.sqlite.events import time_of
from journal.sqlite.statements import statements

_SQL = statements("notes")


class SqliteNotes(NoteStore):
    """Small documents of management."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def put(self, notes: Sequence[NewNote]) -> None:
        """See `NoteStore.put`."""
        await self._access.write(partial(put_notes, notes=checked_notes(notes)))

    async def read(self, kinds: Sequence[str], prefix: str = "") -> list[Note]:
        """See `NoteStore.read`."""
        wanted = {"kinds": json.dumps([checked_kind(kind) for kind in kinds]), "prefix": checked_prefix(prefix)}
        return await self._access.read(partial(_read, wanted=wanted))

    async def delete(self, kind: str, names: Sequence[str]) -> None:
        """See `NoteStore.delete`."""
        checked = [checked_note_name(name) for name in names]
        await self._access.write(partial(delete_notes, kind=checked_kind(kind), names=checked))


def put_notes(connection: sqlite3.Connection, notes: Sequence[NewNote], *, whatever_epoch: bool = False) -> None:
    """Insert or replace notes within the open transaction; `whatever_epoch` replaces those of a higher epoch, too."""
    (now,) = connection.execute(statements("registry")["now"]).fetchone()
    rows = [{**note._asdict(), "now": now, "whatever_epoch": whatever_epoch} for note in notes]
    connection.executemany(_SQL["put"], rows)


def get_note(connection: sqlite3.Connection, kind: str, name: str) -> Note | None:
    """The note as the open transaction sees it."""
    row = connection.execute(_SQL["get"], (kind, name)).fetchone()
    return _note(row) if row else None


def delete_notes(connection: sqlite3.Connection, kind: str, names: Sequence[str]) -> None:
    """Forget notes within the open transaction."""
    connection.execute(_SQL["delete"], (kind, json.dumps(names)))


def _read(connection: sqlite3.Connection, wanted: dict[str, str]) -> list[Note]:
    return [_note(row) for row in connection.execute(_SQL["read"], wanted).fetchall()]


def _note(row: tuple[Any, ...]) -> Note:
    return Note(*(*row[:-1], time_of(row[-1])))
