"""One connection to a SQLite file: how it is opened, and how a transaction on it begins and ends."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from journal.errors import Unavailable
from journal.sqlite.failures import at_commit, primary_code

T = TypeVar("T")

RETRY_PAUSE, LONGEST_PAUSE = 0.0005, 0.005  # seconds
LARGEST_IDLE_LOG = 64 * 1024 * 1024  # bytes
OLDEST = (3, 38, 0)  # RETURNING and JSON built in


@dataclass(frozen=True)
class SqliteFile:
    """A SQLite file and how long, in seconds, to wait for another process that has it locked."""

    path: str
    busy_timeout: float

    def connect(self) -> sqlite3.Connection:
        """Open a connection that reads and writes.

        Raises:
            Unavailable: the folder is not there, or the file cannot be used the way a journal needs.
            sqlite3.Error: it cannot be opened.
        """
        if sqlite3.sqlite_version_info < OLDEST:
            raise Unavailable(
                f"this Python has SQLite {sqlite3.sqlite_version}: {'.'.join(map(str, OLDEST))} is needed"
            )
        folder = os.path.dirname(self.path)
        if not os.path.isdir(folder):
            raise Unavailable(f"SQLite file {self.path}: its folder {folder} does not exist, or may not be entered")
        connection = sqlite3.connect(self.path, timeout=self.busy_timeout, isolation_level=None, cached_statements=512)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def connect_to_read(self) -> sqlite3.Connection:
        """Open a connection that only reads. Raises as `connect` does."""
        connection = self.connect()
        connection.execute(f"PRAGMA busy_timeout = {round(self.busy_timeout * 1000)}")  # for a log that is recovered
        connection.execute("PRAGMA query_only = ON")
        return connection

    def connect_to_look(self) -> sqlite3.Connection:
        """Open a connection to a file that may be anybody's, and leave that as it is.

        Raises:
            sqlite3.Error: it cannot be opened.
        """
        return sqlite3.connect(f"file:{quote(self.path)}?mode=ro", uri=True, timeout=self.busy_timeout)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA trusted_schema = OFF")
        # SQLite does not wait here: of several processes that make the same new file, all but one are told "locked".
        (mode,) = self.patiently(lambda: connection.execute("PRAGMA journal_mode = WAL")).fetchone()
        if mode != "wal":
            raise Unavailable(f"SQLite file {self.path}: no write-ahead log here (mode {mode!r}): use a local disk")
        connection.execute("PRAGMA busy_timeout = 0")  # from here on `begin` does the waiting
        connection.execute(f"PRAGMA journal_size_limit = {LARGEST_IDLE_LOG}")
        connection.execute("PRAGMA synchronous = FULL")  # an answered command must survive a power cut

    def in_transaction(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` under the file's write lock and commit it; roll back if it raises.

        Raises:
            Unavailable, OutcomeUnknown: COMMIT failed.
        """
        self.begin(connection)
        try:
            result = work(connection)
        except BaseException:
            roll_back(connection)
            raise
        self.commit(connection)
        return result

    def begin(self, connection: sqlite3.Connection) -> None:
        """Take the file's write lock and begin a transaction under it.

        Raises:
            sqlite3.OperationalError: another process kept the lock for longer than the busy timeout.
        """
        self.patiently(lambda: connection.execute("BEGIN IMMEDIATE"))

    def patiently(self, work: Callable[[], T]) -> T:
        """Do `work`, which is a statement or a read, again for as long as another process has the file locked.

        Raises:
            sqlite3.OperationalError: that was longer than the busy timeout.
        """
        waited = 0.0
        while True:
            try:
                return work()
            except sqlite3.OperationalError as error:
                if primary_code(error) != sqlite3.SQLITE_BUSY or waited >= self.busy_timeout:
                    raise
            # SQLite's own waiting sleeps ten times as long, and under load its unluckiest process waits for a second.
            pause = min(RETRY_PAUSE + waited / 4, LONGEST_PAUSE)
            time.sleep(pause)
            waited += pause

    def commit(self, connection: sqlite3.Connection) -> None:
        """Commit.

        Raises:
            Unavailable: it did not happen, and the transaction is rolled back.
            OutcomeUnknown: it may have happened, and the connection is not to be used again.
        """
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            failure = at_commit(self.path, error)
            if isinstance(failure, Unavailable):
                roll_back(connection)
            raise failure from error


class Unusable(Exception):
    """A connection cannot even roll back: only closing it will."""


def roll_back(connection: sqlite3.Connection) -> None:
    """Roll back what is open, if anything is.

    Raises:
        Unusable: the connection has to be closed.
    """
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise Unusable(str(error)) from error
