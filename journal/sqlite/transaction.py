"""A transaction block on a SQLite file: the writer's thread works for this block alone until it ends."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from journal.contract import Transaction
from journal.errors import JournalError
from journal.notes import checked_kind, checked_note_name, checked_notes
from journal.records import ConsumerOffset, DeadLetter, NewNote, Note, OffsetMove, TableSpec
from journal.sqlite import offsets as offset_rows
from journal.sqlite import views
from journal.sqlite.access import Access
from journal.sqlite.connection import roll_back
from journal.sqlite.notes import delete_notes, get_note, put_notes
from journal.sqlite.tables import stored, stored_row, table_of
from journal.sqlite.threads import Work
from journal.tables import checked_keys, checked_rows, column_place
from journal.turn import Hold

T = TypeVar("T")

CONTROL = ("BEGIN", "COMMIT", "END", "ROLLBACK")


class SqliteTransaction(Transaction):
    """Made by `SqliteDatabase.transaction`."""

    def __init__(self, access: Access) -> None:
        self._file = access.file
        self._thread = access.writer
        self._turn = access.turn
        self._hold: Hold | None = None
        self._refused: JournalError | None = None
        self._committing = False
        self._begun = False
        self._working = 0

    async def begin(self) -> None:
        """Wait for the turn to write, and for other processes' writes.

        Raises:
            Unavailable: another process kept the file locked for too long, or the database is closed.
        """
        self._hold = await self._turn.held(self._give_up)
        await self._run(self._file.begin)
        self._begun = True

    async def commit(self) -> None:
        """Commit.

        Raises:
            Fenced, SchemaMismatch: something was refused and the block went on all the same; nothing is committed.
            Unavailable: nothing is committed.
            OutcomeUnknown: the commit failed and may have happened.
        """
        if self._refused is not None:
            raise self._refused
        self._committing = True
        await self._run(self._file.commit)
        if self._hold is not None:
            self._hold.release()

    def end(self) -> None:
        """Roll back what is not committed, and let others write. Idempotent."""
        if self._hold is not None:
            self._hold.expire("its block has ended")

    def _give_up(self) -> None:
        # Nothing waits for the rollback: the thread works in order, so whoever writes next comes after it.
        if self._working:
            self._interrupt()
        self._thread.finish(roll_back)

    def _interrupt(self) -> None:
        # Before BEGIN has run, the thread may be at work for somebody else; and a COMMIT had better come to its end.
        if self._begun and not self._committing:
            self._thread.interrupt()

    async def _run(self, work: Work[T]) -> T:
        if self._hold is None:
            raise RuntimeError("the transaction has not begun")
        self._hold.check()
        self._working += 1
        try:
            return await self._thread.submit(work)
        except asyncio.CancelledError:
            self._interrupt()
            raise
        finally:
            self._working -= 1

    async def _run_or_refuse(self, work: Work[T]) -> T:
        """Run what, when it is refused, must not be followed by a commit."""
        try:
            return await self._run(work)
        except JournalError as error:
            self._refused = error
            raise

    async def execute(self, sql: str, *arguments: Any) -> None:
        """See `Transaction.execute`. Errors in the SQL come as `sqlite3.Error`."""
        await self._run(partial(_fetch, sql=_allowed(sql), arguments=_named(arguments)))

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """See `Transaction.execute_many`. Errors in the SQL come as `sqlite3.Error`."""
        await self._run(partial(_execute_many, sql=_allowed(sql), rows=[_named(row) for row in rows]))

    async def fetch(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """See `Transaction.fetch`. Times and decimals come as the text that SQLite keeps."""
        return await self._run(partial(_fetch, sql=_allowed(sql), arguments=_named(arguments)))

    async def get_note(self, kind: str, name: str) -> Note | None:
        """See `Transaction.get_note`."""
        return await self._run(partial(get_note, kind=checked_kind(kind), name=checked_note_name(name)))

    async def put_note(self, note: NewNote) -> None:
        """See `Transaction.put_note`."""
        await self._run(partial(put_notes, notes=checked_notes([note]), whatever_epoch=True))

    async def delete_note(self, kind: str, name: str) -> None:
        """See `Transaction.delete_note`."""
        await self._run(partial(delete_notes, kind=checked_kind(kind), names=[checked_note_name(name)]))

    async def move_offsets(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        """See `Transaction.move_offsets`."""
        await self._run_or_refuse(partial(offset_rows.move, consumer=consumer, moves=moves, epoch=epoch))

    async def read_offsets(self, consumer: str) -> dict[str, ConsumerOffset]:
        """See `Transaction.read_offsets`."""
        return await self._run(partial(offset_rows.read, consumer=consumer))

    async def place_offsets(self, consumer: str, offsets: Mapping[str, int]) -> None:
        """See `Transaction.place_offsets`."""
        await self._run(partial(offset_rows.place, consumer=consumer, offsets=dict(offsets)))

    async def forget_offsets(self, consumer: str) -> None:
        """See `Transaction.forget_offsets`."""
        await self._run(partial(offset_rows.forget, consumer=consumer))

    async def set_aside(self, letter: DeadLetter) -> None:
        """See `Transaction.set_aside`."""
        await self._run(partial(offset_rows.set_aside, letter=letter))

    async def settle_letter(self, consumer: str, tag: str, offset: int) -> bool:
        """See `Transaction.settle_letter`."""
        return await self._run(partial(offset_rows.settle, place=(consumer, tag, offset)))

    async def forget_letters(self, consumer: str, tag: str, after: int) -> int:
        """See `Transaction.forget_letters`."""
        return await self._run(partial(offset_rows.forget_letters, consumer=consumer, tag=tag, after=after))

    async def hand_over_letters(self, consumer: str, to: str) -> int:
        """See `Transaction.hand_over_letters`."""
        return await self._run(partial(offset_rows.hand_over_letters, consumer=consumer, to=to))

    async def get_rows(self, table: TableSpec, keys: Sequence[str]) -> dict[str, tuple[Any, ...]]:
        """See `Transaction.get_rows`."""
        sql, place = table_of(table), column_place(table, table.key)
        rows = sql.read(await self._run(partial(_fetch, sql=sql.select, arguments=(json.dumps(checked_keys(keys)),))))
        return {row[place]: row for row in rows}

    async def put_rows(self, table: TableSpec, rows: Sequence[tuple[Any, ...]]) -> None:
        """See `Transaction.put_rows`."""
        checked = [stored_row(row) for row in checked_rows(table, rows)]
        await self._run(partial(_execute_many, sql=table_of(table).put, rows=checked))

    async def delete_rows(self, table: TableSpec, keys: Sequence[str]) -> None:
        """See `Transaction.delete_rows`."""
        sql = table_of(table).delete
        await self._run(partial(_fetch, sql=sql, arguments=(json.dumps(checked_keys(keys)),)))

    async def rename_table(self, old: str, new: str) -> None:
        """See `Transaction.rename_table`."""
        await self._run_or_refuse(partial(views.rename, old=old, new=new))

    async def drop_table(self, name: str) -> None:
        """See `Transaction.drop_table`."""
        await self._run_or_refuse(partial(views.drop, name=name))


def _fetch(connection: sqlite3.Connection, sql: str, arguments: Any) -> list[tuple[Any, ...]]:
    return connection.execute(sql, arguments).fetchall()


def _execute_many(connection: sqlite3.Connection, sql: str, rows: Sequence[Any]) -> None:
    connection.executemany(sql, rows)


def _named(arguments: Sequence[Any]) -> dict[str, Any]:
    """Arguments for `$1`, `$2`, …, which are named parameters to SQLite."""
    return {str(number): stored(value) for number, value in enumerate(arguments, 1)}


def _allowed(sql: str) -> str:
    words = sql.split(None, 1)
    if words and words[0].rstrip(";").upper() in CONTROL:
        raise ValueError(
            f"{words[0]} is not for a statement inside a transaction block: the block commits when it ends"
        )
    return sql
