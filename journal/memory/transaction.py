"""A transaction in memory: what it does is kept apart until it commits, and then applied in one go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NoReturn

from journal.contract import Transaction
from journal.errors import JournalError
from journal.memory.notes import MemoryNotes, NoteChanges
from journal.memory.offsets import Changes, Letters, MemoryDeadLetters, MemoryOffsets
from journal.memory.tables import MemoryTables, Rows, TableChanges
from journal.names import checked_view
from journal.records import ConsumerOffset, DeadLetter, NewNote, Note, OffsetMove, TableSpec


class MemoryTransaction(Transaction):
    """Changes on top of the committed ones. Made by `MemoryDatabase.transaction`."""

    def __init__(
        self,
        check: Callable[[], None],
        tables: MemoryTables,
        journals: Collection[str],
        offsets: MemoryOffsets,
        letters: MemoryDeadLetters,
        notes: MemoryNotes,
        clock: Callable[[], datetime],
    ) -> None:
        self._check = check
        self._tables = TableChanges(tables)
        self._journals = journals
        self._offsets = offsets
        self._letters = letters
        self._notes = NoteChanges(notes)
        self._clock = clock
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
        self._settled[letter.consumer, letter.tag, letter.offset] = replace(letter, recorded_at=None, asked=False)

    async def settle_letter(self, consumer: str, tag: str, offset: int) -> bool:
        """See `Transaction.settle_letter`."""
        self._check()
        return self._letters.settle((consumer, tag, offset), self._settled)

    async def forget_letters(self, consumer: str, tag: str, after: int) -> int:
        """See `Transaction.forget_letters`."""
        self._check()
        return self._letters.forget(consumer, tag, after, self._settled)

    async def hand_over_letters(self, consumer: str, to: str) -> int:
        """See `Transaction.hand_over_letters`."""
        self._check()
        return self._letters.hand_over(consumer, to, self._settled)

    async def get_rows(self, table: TableSpec, keys: Sequence[str]) -> Rows:
        """See `Transaction.get_rows`."""
        self._check()
        return self._tables.get(table, keys)

    async def put_rows(self, table: TableSpec, rows: Sequence[tuple[Any, ...]]) -> None:
        """See `Transaction.put_rows`."""
        self._check()
        self._tables.put(table, rows)

    async def delete_rows(self, table: TableSpec, keys: Sequence[str]) -> None:
        """See `Transaction.delete_rows`."""
        self._check()
        self._tables.delete(table, keys)

    async def rename_table(self, old: str, new: str) -> None:
        """See `Transaction.rename_table`."""
        self._check()
        try:
            self._tables.rename(checked_view(old, self._journals), checked_view(new, self._journals))
        except JournalError as error:
            self._refused = error
            raise

    async def drop_table(self, name: str) -> None:
        """See `Transaction.drop_table`."""
        self._check()
        try:
            self._tables.drop(checked_view(name, self._journals))
        except JournalError as error:
            self._refused = error
            raise

    def commit(self) -> None:
        """Apply everything.

        Raises:
            Fenced, SchemaMismatch: something was refused and the block went on all the same; nothing is applied.
            Unavailable: the transaction has expired; nothing is applied.
        """
        self._check()
        if self._refused is not None:
            raise self._refused
        self._tables.apply()
        self._notes.keep()
        self._offsets.keep(self._moved)
        self._letters.keep(self._settled, self._clock())


def _no_sql() -> NoReturn:
    raise TypeError(
        "the memory store has no SQL: use get_rows, put_rows and delete_rows, or a SQLite or PostgreSQL URL"
    )
