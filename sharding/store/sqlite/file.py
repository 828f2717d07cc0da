"""One connection to a SQLite file: how it is opened, how transactions on it begin and end, what its errors mean."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from sharding.store.errors import ClusterStoreError, StoreOutcomeUnknown, StoreUnavailable

T = TypeVar("T")

OLDEST: Final = (3, 38, 0)
FIRST_PAUSE, LONGEST_PAUSE = 0.0005, 0.005  # seconds

# By primary result code. What is not listed is a mistake of ours and stays what it is.
NOT_NOW: Final = {
    sqlite3.SQLITE_BUSY: "another process kept the file locked for too long",
    sqlite3.SQLITE_LOCKED: "the file is locked",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "reading or writing the file failed",
    sqlite3.SQLITE_READONLY: "the file, or its folder, may not be written",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_PERM: "the file may not be used",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_INTERRUPT: "the statement was interrupted",
    sqlite3.SQLITE_PROTOCOL: "the locks of the file are contended",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
}

# A commit that ends with one of these has not happened: with the lock denied nothing was written, and a full disk
# leaves the last page of the log, which carries the commit mark, incomplete.
_NOT_COMMITTED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_INTERRUPT})


@dataclass(frozen=True)
class SqliteFile:
    """A SQLite file.

    Attributes:
        path: where.
        busy_timeout: how long, in seconds, to wait for other processes that have it locked.
        is_read_only: it is only looked at, whatever it is.
    """

    path: str
    busy_timeout: float
    is_read_only: bool = False

    @classmethod
    def at(cls, path: str | os.PathLike[str], busy_timeout: float, *, is_read_only: bool = False) -> Self:
        """The file at `path`, which stays the same when the program changes its folder."""
        return cls(os.path.abspath(path), busy_timeout, is_read_only)

    def connect(self) -> sqlite3.Connection:
        """Open the file, creating it where it is missing.

        Raises:
            StoreUnavailable: the folder is not there, or the file cannot be used the way a store needs.
            sqlite3.Error: it cannot be opened.
        """
        if sqlite3.sqlite_version_info < OLDEST:
            needed = ".".join(map(str, OLDEST))
            raise StoreUnavailable(f"this Python has SQLite {sqlite3.sqlite_version}: {needed} is needed")
        folder = os.path.dirname(self.path)
        if not os.path.isdir(folder):
            raise StoreUnavailable(f"{self}: its folder {folder} does not exist, or may not be entered")
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA trusted_schema = OFF")
        if self.is_read_only:
            connection.execute("PRAGMA query_only = ON")
            return
        (mode,) = self._patiently(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone())
        if mode != "wal":
            raise StoreUnavailable(f"{self}: no write-ahead log here (mode {mode!r}): use a local disk")
        connection.execute("PRAGMA synchronous = FULL")  # a term or an epoch that was told must survive a power cut

    def read(self, connection: sqlite3.Connection, work: Callable[[], T]) -> T:
        """Run `work`, whose statements all see one snapshot."""

        def attempt() -> T:
            connection.execute("BEGIN")  # locks nothing yet: it is the first SELECT that can meet another's lock
            return self._committed(connection, work)

        return self._patiently(attempt)

    def change(self, connection: sqlite3.Connection, work: Callable[[], T]) -> T:
        """Run `work` under the file's write lock and commit it; roll back if it raises.

        Raises:
            StoreUnavailable, StoreOutcomeUnknown: COMMIT failed.
        """
        self._patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
        return self._committed(connection, work)

    def _committed(self, connection: sqlite3.Connection, work: Callable[[], T]) -> T:
        try:
            result = work()
        except BaseException:
            _roll_back(connection)
            raise
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            failure = self._at_commit(error)
            if isinstance(failure, StoreUnavailable):
                _roll_back(connection)
            raise failure from error
        return result

    def _patiently(self, step: Callable[[], T]) -> T:
        # SQLite's own waiting sleeps ten times as long, and under load its unluckiest process waits for a second.
        end = time.monotonic() + self.busy_timeout
        pause = FIRST_PAUSE
        while True:
            try:
                return step()
            except sqlite3.OperationalError as error:
                if _primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                    raise
            time.sleep(pause)
            pause = min(pause * 1.25, LONGEST_PAUSE)

    def before_commit(self, error: sqlite3.Error) -> ClusterStoreError | None:
        """What `error` means where nothing has been committed; None if it is a mistake in a program."""
        meaning = NOT_NOW.get(_primary_code(error))
        return None if meaning is None else StoreUnavailable(f"{self}: {meaning} ({error})")

    def _at_commit(self, error: sqlite3.Error) -> ClusterStoreError:
        if _primary_code(error) in _NOT_COMMITTED:
            return StoreUnavailable(f"{self}: {NOT_NOW[_primary_code(error)]} ({error}); nothing was committed")
        return StoreOutcomeUnknown(f"{self}: COMMIT failed ({error}): it may have happened; look before repeating")

    def __str__(self) -> str:
        return f"SQLite file {self.path}"


class Unusable(Exception):
    """A connection cannot even roll back: only closing it will."""


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise Unusable(str(error)) from error


def _primary_code(error: sqlite3.Error) -> int:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF
