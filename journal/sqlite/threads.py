"""Threads that each own one connection, so that SQLite never blocks the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from journal.errors import OutcomeUnknown, Overloaded, Unavailable
from journal.sqlite.connection import Unusable
from journal.sqlite.failures import before_commit

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class ConnectionThread:
    """One thread with one connection, opened by the first job. Jobs run in the order of submission.

    A job whose waiter was cancelled is dropped if it has not begun, else it runs to its end: what it began in the
    database it also ends.

    Args:
        name: the thread's, and the file's in messages.
        connect: opens the connection, in the thread.
        limit: the most jobs that may wait.
    """

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection], limit: int) -> None:
        self._name = name
        self._connect = connect
        self._limit = limit
        self._waiting = 0
        self._connection: sqlite3.Connection | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite {name}")
        self._ending: asyncio.Future[None] | None = None

    def submit(self, work: Work[T]) -> asyncio.Future[T]:
        """Queue a job; its result, or error, comes in the future.

        Raises:
            Overloaded: too many jobs wait.
            Unavailable: the thread has ended.
        """
        if self._ending is not None:
            raise Unavailable(f"SQLite file {self._name}: the database is closed")
        if self._waiting >= self._limit:
            raise Overloaded(f"SQLite file {self._name}", self._limit)
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, partial(self._run, work))
        future.add_done_callback(self._ended)
        return future

    def finish(self, work: Work[None]) -> None:
        """Queue a job that ends what earlier ones began. No limit keeps it from that, and nobody waits for it."""
        if self._ending is None:
            self._executor.submit(self._run, work)

    def interrupt(self) -> None:
        """Make the statement that runs now, if any, end with an error."""
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    async def close(self) -> None:
        """Finish what is queued, close the connection, end the thread. Idempotent."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().run_in_executor(self._executor, self._disconnect)
            self._executor.shutdown(wait=False)
        await asyncio.shield(self._ending)
        self._executor.shutdown()  # joins a thread that has nothing left to do

    def _ended(self, future: asyncio.Future[T]) -> None:
        self._waiting -= 1

    def _run(self, work: Work[T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return work(self._connection)
        except OutcomeUnknown:
            self._disconnect()  # after a failed COMMIT the connection's idea of the file is not to be trusted
            raise
        except Unusable as error:
            self._disconnect()
            raise Unavailable(f"SQLite file {self._name}: the connection broke and was closed ({error})") from error
        except sqlite3.Error as error:
            meaning = before_commit(self._name, error)
            if meaning is None:
                raise
            raise meaning from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class Readers:
    """A few threads that read, each on a snapshot of its own; none of them waits for a writer.

    Args:
        name: the file's, for messages.
        connect: opens a connection.
        count: the most threads.
        limit: the most reads that may wait for a thread.
    """

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection], count: int, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._waiting = 0
        self._free = asyncio.Semaphore(count)
        self._threads = [ConnectionThread(name, connect, limit) for _ in range(count)]
        self._idle = list(self._threads)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on some connection.

        Raises:
            Overloaded: too many reads wait.
            Unavailable: the file cannot be read, or the database is closed.
        """
        if self._waiting >= self._limit:
            raise Overloaded(f"SQLite file {self._name}: readers", self._limit)
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        thread = self._idle.pop()  # the one used last: most programs never start the others
        try:
            return await thread.submit(work)
        except asyncio.CancelledError:
            thread.interrupt()
            raise
        finally:
            self._idle.append(thread)
            self._free.release()

    async def close(self) -> None:
        """Finish the reads in progress and end the threads. Idempotent."""
        for thread in self._threads:
            await thread.close()
