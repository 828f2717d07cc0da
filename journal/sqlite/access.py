"""The way to one SQLite file: one writer at a time, in turn, and readers beside it."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

from journal.sqlite.connection import SqliteFile
from journal.sqlite.threads import ConnectionThread, Readers, Work
from journal.turn import WriteTurn

T = TypeVar("T")


class Access:
    """What the stores of one file share.

    Args:
        file: the file.
        readers: the most threads that read.
        transaction_limit: seconds for which a transaction block may keep other writers waiting.
        waiting_limit: the most reads, and the most writes, that may wait.
    """

    def __init__(self, file: SqliteFile, readers: int, transaction_limit: float, waiting_limit: int) -> None:
        self.file = file
        self.turn = WriteTurn(f"SQLite file {file.path}", hold_limit=transaction_limit, waiting_limit=waiting_limit)
        self.writer = ConnectionThread(file.path, file.connect, waiting_limit)
        self._readers = Readers(file.path, file.connect_to_read, readers, waiting_limit)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction of its own and commit it.

        Raises:
            Unavailable: nothing happened.
            OutcomeUnknown: the commit failed and may have happened.
        """
        await self.turn.passed()
        return await self.writer.submit(partial(self.file.in_transaction, work=work))

    async def read(self, work: Work[T]) -> T:
        """Run `work`, which only reads what is committed.

        Raises:
            Unavailable: the file cannot be read, or the database is closed.
        """
        self.turn.check_open()
        return await self._readers.read(work)

    async def close(self) -> None:
        """Finish what has begun, roll back an open block, end all threads. Idempotent."""
        self.turn.close()
        await self.writer.close()
        await self._readers.close()
