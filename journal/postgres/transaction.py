"""Transactions in PostgreSQL: a view's rows together with the offsets of what they were made from."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from journal.contract import Transaction
from journal.errors import Fenced, InvalidName, JournalError, SchemaMismatch
from journal.notes import checked_kind, checked_note_name, checked_notes
from journal.postgres import offsets as offset_rows
from journal.postgres import renames
from journal.postgres.failures import DRIVER_ERRORS, of_table_change, of_user_statement
from journal.postgres.link import Link
from journal.postgres.notes import delete_notes, get_note, put_notes
from journal.postgres.statements import statement
from journal.postgres.values import storable
from journal.postgres.view_tables import ViewStatements, as_put
from journal.records import ConsumerOffset, DeadLetter, NewNote, Note, OffsetMove, TableSpec
from journal.tables import checked_rows

T = TypeVar("T")


class PostgresTransaction(Transaction):
    """See `Transaction`. Made by `PostgresDatabase.transaction`."""

    def __init__(self, link: Link, where: str, schema: str, views: ViewStatements) -> None:
        self._link = link
        self._where = where
        self._schema = schema
        self._views = views
        self._open = True
        self._refusal: JournalError | None = None

    async def execute(self, sql: str, *arguments: Any) -> None:
        """See `Transaction.execute`."""
        await self._run(self._connection.execute(sql, *arguments))

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """See `Transaction.execute_many`."""
        await self._run(self._connection.executemany(sql, rows))

    async def fetch(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """See `Transaction.fetch`."""
        return [tuple(row) for row in await self._run(self._connection.fetch(sql, *arguments))]

    async def get_note(self, kind: str, name: str) -> Note | None:
        """See `Transaction.get_note`."""
        place = (checked_kind(kind), checked_note_name(name))
        return await self._run(get_note(self._checked_link, self._schema, *place))

    async def put_note(self, note: NewNote) -> None:
        """See `Transaction.put_note`."""
        notes = checked_notes([note])
        await self._run(put_notes(self._checked_link, self._schema, notes, whatever_epoch=True))

    async def delete_note(self, kind: str, name: str) -> None:
        """See `Transaction.delete_note`."""
        place = (checked_kind(kind), [checked_note_name(name)])
        await self._run(delete_notes(self._checked_link, self._schema, *place))

    async def move_offsets(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        """See `Transaction.move_offsets`."""
        await self._run(offset_rows.move(self._checked_link, self._schema, consumer, moves, epoch))

    async def read_offsets(self, consumer: str) -> dict[str, ConsumerOffset]:
        """See `Transaction.read_offsets`."""
        return await self._run(offset_rows.read_locked(self._checked_link, self._schema, consumer))

    async def place_offsets(self, consumer: str, offsets: Mapping[str, int]) -> None:
        """See `Transaction.place_offsets`."""
        await self._run(offset_rows.place(self._checked_link, self._schema, consumer, offsets))

    async def forget_offsets(self, consumer: str) -> None:
        """See `Transaction.forget_offsets`."""
        sql = statement("offset_forget", self._schema)
        await self._run(self._changing(self._checked_link.fetch(sql, consumer)))

    async def set_aside(self, letter: DeadLetter) -> None:
        """See `Transaction.set_aside`."""
        sql = statement("dead_letter_put", self._schema)
        place = (letter.consumer, letter.tag, letter.offset, letter.key, letter.seq_nr)
        await self._run(self._checked_link.fetch(sql, *place, letter.type_name, letter.error, letter.by))

    async def settle_letter(self, consumer: str, tag: str, offset: int) -> bool:
        """See `Transaction.settle_letter`."""
        sql = statement("dead_letter_settle", self._schema)
        return bool(await self._run(self._checked_link.fetch(sql, consumer, tag, offset)))

    async def forget_letters(self, consumer: str, tag: str, after: int) -> int:
        """See `Transaction.forget_letters`."""
        sql = statement("dead_letters_forget", self._schema)
        return len(await self._run(self._checked_link.fetch(sql, consumer, tag, after)))

    async def hand_over_letters(self, consumer: str, to: str) -> int:
        """See `Transaction.hand_over_letters`."""
        sql = statement("dead_letters_hand_over", self._schema)
        return len(await self._run(self._checked_link.fetch(sql, consumer, to)))

    async def get_rows(self, table: TableSpec, keys: Sequence[str]) -> dict[str, tuple[Any, ...]]:
        """See `Transaction.get_rows`."""
        sql, place = self._views.get(table)
        rows = await self._run(self._connection.fetch(sql, [key for key in keys if storable(key)]))
        return {row[place]: row for row in as_put(table, rows)}

    async def put_rows(self, table: TableSpec, rows: Sequence[tuple[Any, ...]]) -> None:
        """See `Transaction.put_rows`."""
        sql = self._views.put(table)
        checked = checked_rows(table, rows)
        if checked:
            await self._run(self._connection.execute(sql, *zip(*checked, strict=True)))

    async def delete_rows(self, table: TableSpec, keys: Sequence[str]) -> None:
        """See `Transaction.delete_rows`."""
        sql = self._views.delete(table)
        await self._run(self._connection.execute(sql, [key for key in keys if storable(key)]))

    async def rename_table(self, old: str, new: str) -> None:
        """See `Transaction.rename_table`."""
        await self._run(self._changing(renames.rename(self._checked_link, self._schema, old, new)))

    async def drop_table(self, name: str) -> None:
        """See `Transaction.drop_table`."""
        await self._run(self._changing(renames.drop(self._checked_link, self._schema, name)))

    def end(self) -> None:
        """Refuse further use: the block has ended."""
        self._open = False

    def check(self) -> None:
        """Do nothing if the transaction may commit.

        Raises:
            Fenced, SchemaMismatch: something was refused and the block went on all the same.
        """
        if self._refusal is not None:
            raise self._refusal

    @property
    def _checked_link(self) -> Link:
        if not self._open:
            raise RuntimeError("this transaction's block has ended")
        return self._link

    @property
    def _connection(self) -> Any:
        return self._checked_link.connection

    async def _changing(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except DRIVER_ERRORS as error:
            meaning = of_table_change(self._where, error)
            if meaning is None:
                raise
            raise meaning from error

    async def _run(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except (Fenced, InvalidName, SchemaMismatch) as error:
            self._refusal = error
            raise
        except DRIVER_ERRORS as error:
            meaning = of_user_statement(self._where, error, closed=self._link.connection.is_closed())
            if meaning is None:
                raise
            raise meaning from error
