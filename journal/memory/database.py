"""One memory: journals, snapshots, offsets and view tables that commit together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from journal.contract import Database
from journal.errors import WrongShardCount
from journal.memory.events import MemoryJournal, MemorySnapshots
from journal.memory.notes import MemoryNotes
from journal.memory.offsets import MemoryDeadLetters, MemoryOffsets
from journal.memory.tables import MemoryTable, MemoryTables
from journal.memory.transaction import MemoryTransaction
from journal.names import checked_journal, unreserved_name
from journal.records import TableSpec
from journal.tables import checked_table
from journal.turn import WriteTurn


class MemoryDatabase(Database):
    """A database that needs nothing and keeps nothing. Behaves as the others do, apart from SQL, which it has not.

    Args:
        clock: gives the time, with zone, for what is recorded.
        transaction_limit: seconds, by the loop's clock, after which an open transaction block is rolled back.
        waiting_limit: writers that may wait behind a block; beyond it they get `Overloaded`.
    """

    url = "memory:"

    def __init__(
        self, *, clock: Callable[[], datetime], transaction_limit: float = 30.0, waiting_limit: int = 10_000
    ) -> None:
        self._clock = clock
        self._turn = WriteTurn("memory", hold_limit=transaction_limit, waiting_limit=waiting_limit)
        self._journals: dict[str, MemoryJournal] = {}
        self._snapshots: dict[str, MemorySnapshots] = {}
        self._notes = MemoryNotes(self._turn, clock)
        self._offsets = MemoryOffsets(self._turn)
        self._dead_letters = MemoryDeadLetters(self._turn)
        self._tables = MemoryTables()

    async def journal(self, name: str, shard_count: int) -> MemoryJournal:
        """See `Database.journal`."""
        checked_journal(name, shard_count)
        await self._turn.passed()
        if name not in self._journals:
            self._journals[name] = MemoryJournal(name, shard_count, self._turn, self._clock)
            self._snapshots[name] = MemorySnapshots(self._journals[name], self._turn)
        stored = self._journals[name]
        if stored.shard_count != shard_count:
            raise WrongShardCount(name, stored.shard_count, shard_count)
        return stored

    def snapshots(self, journal: str) -> MemorySnapshots:
        """See `Database.snapshots`.

        Raises:
            LookupError: the journal was not opened.
        """
        if journal not in self._snapshots:
            raise LookupError(f"journal {journal!r} was not opened: await database.journal(name, shard_count) first")
        return self._snapshots[journal]

    @property
    def notes(self) -> MemoryNotes:
        """See `Database.notes`."""
        return self._notes

    @property
    def offsets(self) -> MemoryOffsets:
        """See `Database.offsets`."""
        return self._offsets

    @property
    def dead_letters(self) -> MemoryDeadLetters:
        """See `Database.dead_letters`."""
        return self._dead_letters

    async def now(self) -> datetime:
        """See `Database.now`."""
        self._turn.check_open()
        return self._clock().astimezone(UTC)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryTransaction]:
        """See `Database.transaction`. Other writers wait while the block runs, as they do on SQLite.

        Raises:
            Unavailable: the block took longer than the limit; nothing of it was written.
        """
        hold = await self._turn.held(_nothing_to_roll_back)
        try:
            transaction = MemoryTransaction(
                hold.check, self._tables, self._journals, self._offsets, self._dead_letters, self._notes, self._clock
            )
            yield transaction
            transaction.commit()
        finally:
            hold.release()

    async def create_table(self, table: TableSpec) -> None:
        """See `Database.create_table`."""
        checked_table(table)
        await self._turn.passed()
        if table.name not in self._tables:
            self._tables[table.name] = MemoryTable(table)
        self._tables.table(table)

    async def tables_exist(self, names: Iterable[str]) -> set[str]:
        """See `Database.tables_exist`."""
        self._turn.check_open()
        return {unreserved_name(name) for name in names} & self._tables.keys()

    async def scan(
        self,
        table: TableSpec,
        where: Mapping[str, Any] | None = None,
        *,
        up_to: tuple[str, Any] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[tuple[Any, ...]]:
        """See `Database.scan`."""
        self._turn.check_open()
        for row in self._tables.found(table, where, up_to, order_by, limit):
            yield row

    async def close(self) -> None:
        """See `Database.close`. What was in it is gone for its users, as with any closed database."""
        self._turn.close()


def _nothing_to_roll_back() -> None:
    """A transaction's changes lie apart until it commits."""
