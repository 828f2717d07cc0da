"""What an error of SQLite means for the caller: nothing happened, or nobody knows."""

from __future__ import annotations

import sqlite3

from journal.errors import JournalError, OutcomeUnknown, Unavailable

# By primary result code. What is not listed here is a mistake in SQL or in a program, and stays what it is.
NOT_NOW = {
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
NOT_COMMITTED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_INTERRUPT})


def primary_code(error: sqlite3.Error) -> int:
    """The primary result code, or -1 for an error of Python's module itself."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF


def before_commit(path: str, error: sqlite3.Error) -> JournalError | None:
    """What `error` means where nothing has been committed; None if it is a mistake in SQL or in a program."""
    meaning = NOT_NOW.get(primary_code(error))
    return None if meaning is None else Unavailable(f"SQLite file {path}: {meaning} ({error})")


def at_commit(path: str, error: sqlite3.Error) -> JournalError:
    """What `error` means when COMMIT gave it."""
    if primary_code(error) in NOT_COMMITTED:
        return Unavailable(f"SQLite file {path}: {NOT_NOW[primary_code(error)]} ({error}); nothing was committed")
    return OutcomeUnknown(
        f"SQLite file {path}: COMMIT failed ({error}): it may have happened; read back before repeating"
    )
