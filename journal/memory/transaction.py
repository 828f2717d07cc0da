"""A transaction in memory: what it does is kept apart until it commits, and then applied in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from journal.contract import Transaction
from journal.errors import JournalError
from journal.memory.notes import MemoryNotes, NoteChanges
from journal.memory.offsets import Changes, Letters, MemoryDeadLetters, MemoryOffsets
from journal.memory.tables import MemoryTables, Rows
from journal.records import ConsumerOffset, DeadLetter, NewNote, Note, OffsetMove, TableSpec
from journal.tables import checked_keys, checked_rows, column_place


class MemoryTransaction(Transaction):
    """Changes on top of the committed ones. Made by `MemoryDatabase.transaction`."""

    def __init__(
        self,
        check: Callable[[], None],
        tables: MemoryTables,
        offsets: MemoryOffsets,
        letters: MemoryDeadLetters,
        notes: MemoryNotes,
        clock: Callable[[], datetime],
    ) -> None:
        self._check = check
        self._tables = tables
        self._offsets = offsets
        self._letters = letters
        self._notes = NoteChanges(notes)
        self._clock = clock
        self._changed: dict[str, dict[str, tuple[Any, ...] | None]] = {}
        self._moved: Changes = {}
        self._settled: Letters = {}
        self._refused: JournalError | None = None

    async def execute(self, sql: str, *arguments: Any) -> None:
        """Raise TypeError: there is no SQL here."""
        _no_sql()

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Raise TypeError: there is no SQL here."""
        _no_sql()

    async def fetch(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Raise TypeError: there is no SQL here."""
        _no_sql()

    async def get_note(self, kind: str, name: str) -> Note | None:
        """See `Transaction.get_note`."""
        self._check()
        return self._notes.get(kind, name)

    async def put_note(self, note: NewNote) -> None:
        """See `Transaction.put_note`."""
        self._check()
        self._notes.put(note)

    async def delete_note(self, kind: str, name: str) -> None:
        """See `Transaction.delete_note`."""
        self._check()
        self._notes.delete(kind, name)

    async def move_offsets(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        """See `Transaction.move_offsets`."""
        self._check()
        try:
            self._offsets.move(consumer, moves, epoch, self._moved)
        except JournalError as error:
            self._refused = error
            raise

    async def read_offsets(self, consumer: str) -> dict[str, ConsumerOffset]:
        """See `Transaction.read_offsets`."""
        self._check()
        return self._offsets.seen(consumer, self._moved)

    async def place_offsets(self, consumer: str, offsets: Mapping[str, int]) -> None:
        """See `Transaction.place_offsets`."""
        self._check()
        self._offsets.place(consumer, offsets, self._moved)

    async def forget_offsets(self, consumer: str) -> None:
        """See `Transaction.forget_offsets`."""
        self._check()
        self._moved.update({(consumer, tag): None for tag in self._offsets.seen(consumer, self._moved)})

    async def set_aside(self, letter: DeadLetter) -> None:
        """See `Transaction.set_aside`."""
        self._check()
        self._settled[letter.consumer, letter.tag, letter.offset] = letter

    async def settle_letter(self, consumer: str, tag: str, offset: int) -> bool:
        """See `Transaction.settle_letter`."""
        self._check()
        return self._letters.settle((consumer, tag, offset), self._settled)

    async def forget_letters(self, consumer: str, tag: str, after: int) -> int:
        """See `Transaction.forget_letters`."""
        self._check()
        return self._letters.forget(consumer, tag, after, self._settled)

    async def get_rows(self, table: TableSpec, keys: Sequence[str]) -> Rows:
        """See `Transaction.get_rows`."""
        self._check()
        committed, changed = self._tables.rows(table), self._changed.get(table.name, {})
        found = {key: changed[key] if key in changed else committed.get(key) for key in checked_keys(keys)}
        return {key: row for key, row in found.items() if row is not None}

    async def put_rows(self, table: TableSpec, rows: Sequence[tuple[Any, ...]]) -> None:
        """See `Transaction.put_rows`."""
        self._check()
        self._tables.rows(table)
        place = column_place(table, table.key)
        checked = checked_rows(table, rows)
        self._changed.setdefault(table.name, {}).update({row[place]: row for row in checked})

    async def delete_rows(self, table: TableSpec, keys: Sequence[str]) -> None:
        """See `Transaction.delete_rows`."""
        self._check()
        self._tables.rows(table)
        self._changed.setdefault(table.name, {}).update(dict.fromkeys(checked_keys(keys)))

    def commit(self) -> None:
        """Apply everything.

        Raises:
            Fenced: a move was refused and the block went on all the same; nothing is applied.
            Unavailable: the transaction has expired; nothing is applied.
        """
        self._check()
        if self._refused is not None:
            raise self._refused
        for name, changed in self._changed.items():
            rows = self._tables[name][1]
            for key, row in changed.items():
                if row is None:
                    rows.pop(key, None)
                else:
                    rows[key] = row
        self._notes.keep()
        self._offsets.keep(self._moved)
        self._letters.keep(self._settled, self._clock())


def _no_sql() -> NoReturn:
    raise TypeError(
        "the memory store has no SQL: use get_rows, put_rows and delete_rows, or a SQLite or PostgreSQL URL"
    )
