"""What an error of asyncpg means for the caller: nothing happened, or nobody knows."""

from __future__ import annotations

import asyncio

import asyncpg

from journal.errors import BadPayload, JournalError, OutcomeUnknown, SchemaMismatch, Unavailable

# What asyncpg raises about the database or the way to it. OSError includes TimeoutError.
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

# The session is over. If a statement was in flight, its end is not known: the server may have committed it and lost
# the session before the answer was out. (IdleInTransaction… cannot meet a statement in flight.)
_SESSION_OVER = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InternalClientError,
    OSError,
)

# What asyncpg says when it finds, before it writes a byte, that the connection has failed meanwhile.
_NEVER_SENT = ("cannot switch to state", "not connected")

# Classes of SQLSTATE that tell about the server's state, not about the statement: rolled back by the server (40), out
# of resources (53), locked (55), ended by an operator or a timeout (57), input and output failed (58).
_NOT_NOW = ("40", "53", "55", "57", "58")
_READ_ONLY = "25006"
_IDLE_IN_TRANSACTION = "25P03"
_LOCK_NOT_AVAILABLE = "55P03"

# Values that cannot be stored: data exceptions (22), limits of the server (54).
_BAD_VALUES = ("22", "54")


def session_over(error: BaseException) -> bool:
    """True if the connection on which `error` came up can be used no more."""
    return isinstance(error, _SESSION_OVER) or _sqlstate(error) in (_READ_ONLY, _IDLE_IN_TRANSACTION)


def held_up(error: BaseException) -> bool:
    """True if `error`, or what caused it, is that somebody kept a lock for too long, or may be: the caller gave up."""
    given_up = isinstance(error, asyncio.CancelledError)
    return given_up or _LOCK_NOT_AVAILABLE in (_sqlstate(error), _sqlstate(error.__cause__))


def before_commit(where: str, error: BaseException) -> JournalError:
    """What `error` means for a statement of ours where nothing has been committed."""
    if _sqlstate(error)[:2] in _BAD_VALUES:
        return BadPayload(f"PostgreSQL at {where}: a value cannot be stored: {_reason(error)}")
    return Unavailable(f"PostgreSQL at {where}: {_reason(error)}; nothing happened")


def of_user_statement(where: str, error: BaseException, *, closed: bool) -> JournalError | None:
    """What `error` means for somebody else's SQL; None if it is that SQL's own error.

    Args:
        where: the server.
        error: what asyncpg raised.
        closed: the connection is closed.
    """
    # A statement prepared before a table was renamed may mean another table now, with other columns. asyncpg has
    # forgotten it already, and prepares it anew the next time.
    renamed = isinstance(error, asyncpg.InvalidCachedStatementError)
    if closed or renamed or session_over(error) or _sqlstate(error)[:2] in _NOT_NOW:
        return Unavailable(f"PostgreSQL at {where}: {_reason(error)}; the transaction is rolled back")
    return None


def of_table_change(where: str, error: BaseException) -> JournalError | None:
    """What `error` means when it stopped a change of tables, or a deletion of ours; None if nothing special."""
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return SchemaMismatch(f"PostgreSQL at {where}: {_reason(error)}: it takes the role that owns the tables")
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.DuplicateTableError):
        return SchemaMismatch(f"PostgreSQL at {where}: {_reason(error)}")
    return None


def at_commit(where: str, error: BaseException) -> JournalError:
    """What `error` means when it came while a commit was in flight."""
    if isinstance(error, _SESSION_OVER) and not _never_sent(error):
        return OutcomeUnknown(
            f"PostgreSQL at {where}: {_reason(error)}, while a commit was in flight: it may have happened; "
            "read back before repeating"
        )
    return before_commit(where, error)


def _never_sent(error: BaseException) -> bool:
    return isinstance(error, asyncpg.InternalClientError) and str(error).startswith(_NEVER_SENT)


def _sqlstate(error: BaseException | None) -> str:
    return getattr(error, "sqlstate", None) or ""


def _reason(error: BaseException) -> str:
    if _never_sent(error):
        return "the server has just ended the connection"
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer within the time limit"
    return " ".join(str(error).split()) or type(error).__name__  # the server's DETAIL is a line of its own
