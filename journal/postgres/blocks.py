"""`async with` blocks on a connection: statements that are each a transaction, or one transaction of several."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from journal.errors import JournalError, Unavailable
from journal.postgres.connections import Connections
from journal.postgres.failures import DRIVER_ERRORS, at_commit, before_commit, session_over
from journal.postgres.link import Link

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
BEGIN_RELAXED = BEGIN + "; SET LOCAL synchronous_commit = off"


@asynccontextmanager
async def lent_link(connections: Connections, *, committing: bool = False) -> AsyncIterator[Link]:
    """A link for statements of ours, each a transaction of its own; their errors become the contract's.

    Args:
        committing: the statements write, so a lost answer is an unknown outcome.

    Raises:
        Unavailable: nothing happened.
        OutcomeUnknown: `committing`, and the answer was lost.
    """
    link = await connections.take()
    try:
        yield link
    except JournalError:
        raise
    except DRIVER_ERRORS as error:
        connections.failed(error)
        if session_over(error):
            link.terminate()
        raise (at_commit if committing else before_commit)(connections.where, error) from error
    except BaseException as error:
        connections.failed(error)
        link.terminate()  # cancelled in the middle of a statement: the next user must not meet its end
        raise
    finally:
        connections.give_back(link)


@asynccontextmanager
async def open_transaction(
    connections: Connections, *, ours: bool = False, relaxed: bool = False
) -> AsyncIterator[Link]:
    """A link with a transaction open: committed when the block ends, rolled back when it raises or is cancelled.

    Args:
        ours: the block holds statements of ours alone, so what asyncpg raises in it becomes the contract's.
        relaxed: its commit does not wait for the disk.

    Raises:
        Unavailable: nothing was committed.
        OutcomeUnknown: the answer to COMMIT was lost.
    """
    link = await connections.take()
    try:
        await begin(connections.where, link, BEGIN_RELAXED if relaxed else BEGIN)
        try:
            yield link
        except Exception as error:
            await link.roll_back()
            if ours and isinstance(error, DRIVER_ERRORS):
                raise before_commit(connections.where, error) from error
            raise
        await commit(connections.where, link)
    except BaseException as error:
        connections.failed(error)
        if not isinstance(error, Exception):
            link.terminate()  # cancelled, maybe in the middle of a statement; the server rolls back
        raise
    finally:
        connections.give_back(link)


async def begin(where: str, link: Link, sql: str = BEGIN) -> None:
    """Open a transaction.

    Raises:
        Unavailable: it could not be.
    """
    try:
        await link.connection.execute(sql)
    except DRIVER_ERRORS as error:
        link.terminate()
        raise before_commit(where, error) from error


async def commit(where: str, link: Link) -> None:
    """Commit the open transaction.

    Raises:
        Unavailable: it is rolled back.
        OutcomeUnknown: the answer was lost.
        RuntimeError: there is none.
    """
    if link.connection.is_closed():
        raise Unavailable(f"PostgreSQL at {where}: the connection was lost; the transaction is rolled back")
    if not link.connection.is_in_transaction():
        raise RuntimeError("the block ended its transaction by itself: leave COMMIT and ROLLBACK to its end")
    try:
        tag = await link.connection.execute("COMMIT")
    except DRIVER_ERRORS as error:
        link.terminate()
        raise at_commit(where, error) from error
    if tag != "COMMIT":  # PostgreSQL does not call it an error to commit a transaction in which one occurred
        raise Unavailable(
            f"PostgreSQL at {where}: a statement of the block failed and the block went on; "
            "the transaction is rolled back"
        )
