"""The thread that owns the connection, so that SQLite never blocks the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from sharding.store.errors import StoreOutcomeUnknown, StoreUnavailable
from sharding.store.sqlite.file import SqliteFile, Unusable

T = TypeVar("T")

MOST_WAITING = 1_000


class FileThread:
    """One thread with one connection to a file, opened by the first job. Jobs run in the order in which they come.

    A job whose waiter was cancelled is dropped if it has not begun, else it runs to its end: what it began in the file
    it also ends.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._waiting = 0
        self._connection: sqlite3.Connection | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"cluster store {file.path}")
        self._ending: asyncio.Future[None] | None = None

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, whose statements all see one snapshot.

        Raises:
            StoreUnavailable: the file cannot be read, too much waits for it, or the store is closed.
        """
        return await self._submit(work, self._file.read)

    async def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction under the file's write lock.

        Raises:
            StoreUnavailable: nothing happened.
            StoreOutcomeUnknown: the commit failed and may have happened.
        """
        return await self._submit(work, self._file.change)

    async def close(self) -> None:
        """Finish what has come, close the connection, end the thread. Idempotent."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().run_in_executor(self._executor, self._disconnect)
            self._executor.shutdown(wait=False)
        await asyncio.shield(self._ending)
        self._executor.shutdown()  # joins a thread that has nothing left to do

    async def _submit(self, work: Callable[[sqlite3.Connection], T], transaction: Callable[..., T]) -> T:
        if self._ending is not None:
            raise StoreUnavailable(f"{self._file}: the cluster store is closed")
        if self._waiting >= MOST_WAITING:
            raise StoreUnavailable(f"{self._file}: {MOST_WAITING} calls wait already")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, self._run, work, transaction)
        future.add_done_callback(self._ended)
        return await future

    def _ended(self, future: asyncio.Future[T]) -> None:
        self._waiting -= 1

    def _run(self, work: Callable[[sqlite3.Connection], T], transaction: Callable[..., T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._file.connect()
            return transaction(self._connection, partial(work, self._connection))
        except StoreOutcomeUnknown:
            self._disconnect()  # after a failed COMMIT the connection's idea of the file is not to be trusted
            raise
        except Unusable as error:
            self._disconnect()
            raise StoreUnavailable(f"{self._file}: the connection broke and was closed ({error})") from error
        except sqlite3.Error as error:
            meaning = self._file.before_commit(error)
            if meaning is None:
                raise
            raise meaning from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
