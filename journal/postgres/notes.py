"""Notes in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from journal.contract import NoteStore
from journal.notes import checked_kind, checked_note_name, checked_notes, checked_prefix
from journal.postgres.blocks import lent_link
from journal.postgres.connections import Connections
from journal.postgres.link import Link
from journal.postgres.statements import statement
from journal.records import NewNote, Note


class PostgresNotes(NoteStore):
    """See `NoteStore`. Made by `PostgresDatabase.notes`."""

    def __init__(self, schema: str, connections: Connections) -> None:
        self._connections = connections
        self._schema = schema

    async def put(self, notes: Sequence[NewNote]) -> None:
        """See `NoteStore.put`."""
        checked = checked_notes(notes)
        async with lent_link(self._connections, committing=True) as link:
            await put_notes(link, self._schema, checked)

    async def read(self, kinds: Sequence[str], prefix: str = "") -> list[Note]:
        """See `NoteStore.read`."""
        wanted, beginning = [checked_kind(kind) for kind in kinds], checked_prefix(prefix)
        async with lent_link(self._connections) as link:
            return [Note(*row) for row in await link.fetch(statement("note_read", self._schema), wanted, beginning)]

    async def delete(self, kind: str, names: Sequence[str]) -> None:
        """See `NoteStore.delete`."""
        place = (checked_kind(kind), [checked_note_name(name) for name in names])
        async with lent_link(self._connections, committing=True) as link:
            await delete_notes(link, self._schema, *place)


async def put_notes(link: Link, schema: str, notes: Sequence[NewNote], *, whatever_epoch: bool = False) -> None:
    """Insert or replace checked notes by one statement; `whatever_epoch` replaces those of a higher epoch, too."""
    columns = [[note[place] for note in notes] for place in range(len(NewNote._fields))]
    await link.fetch(statement("note_put", schema), *columns, whatever_epoch)


async def get_note(link: Link, schema: str, kind: str, name: str) -> Note | None:
    """A note, locked until the transaction open on `link` ends."""
    rows = await link.fetch(statement("note_get", schema), kind, name)
    return Note(*rows[0]) if rows else None


async def delete_notes(link: Link, schema: str, kind: str, names: Sequence[str]) -> None:
    """Forget notes by one statement."""
    await link.fetch(statement("note_delete", schema), kind, names)
