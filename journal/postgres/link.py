"""One connection to the server."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

import asyncpg

from journal.errors import SchemaMismatch
from journal.postgres.address import Address
from journal.postgres.failures import DRIVER_ERRORS
from journal.postgres.options import PostgresOptions
from journal.postgres.statements import statement

_log = logging.getLogger(__name__)

Fetch: TypeAlias = Callable[..., Awaitable[list[Any]]]

OLDEST_SERVER = 14
STRONG_COMMITS = ("on", "remote_apply")
_GREETING = """
SELECT pg_postmaster_start_time() AS server_started, current_setting('server_version_num')::int / 10000 AS version,
       current_setting('server_encoding') AS encoding, current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
       current_schema() AS schema
"""


class Link:
    """A connection with the statements prepared on it. One user at a time.

    Args:
        connection: asyncpg's.
        greeting: what the server said of itself.
        options: which it was opened with.

    Attributes:
        server_started: when the server's main process began: another value is another server, or a restarted one.
    """

    __slots__ = ("_options", "_statements", "connection", "greeting", "server_started")

    def __init__(self, connection: Any, greeting: Any, options: PostgresOptions) -> None:
        self.connection = connection
        self.greeting = greeting
        self.server_started: datetime = greeting["server_started"]
        self._options = options
        self._statements: dict[str, Fetch] = {}

    @property
    def usable(self) -> bool:
        """True if the connection is open and in no transaction."""
        return not self.connection.is_closed() and not self.connection.is_in_transaction()

    async def prepared(self, sql: str) -> Fetch:
        """The statement `sql`, to be called with its arguments; prepared on the server the first time."""
        fetch = self._statements.get(sql)
        if fetch is None:
            if self._options.statement_cache_size:
                fetch = (await self.connection.prepare(sql)).fetch
            else:
                fetch = partial(self.connection.fetch, sql)
            self._statements[sql] = fetch
        return fetch

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """Run one of our statements and return its rows."""
        return await (await self.prepared(sql))(*arguments)

    async def end_silent_sessions(self) -> None:
        """End sessions whose clients stopped in the middle of an exchange longer ago than a transaction may be idle.

        A lock was not given in time, and they may be who keeps it: a program that was paused, on a server that waits
        for the rest of what it had begun to say. What they had open is rolled back.
        """
        try:
            sql = statement("end_silent_sessions", "")
            for _ in await self.fetch(sql, self._options.idle_transaction_timeout):
                _log.warning("a session that was silent in the middle of an exchange is ended: it may keep locks")
        except DRIVER_ERRORS as error:
            _log.warning("silent sessions cannot be looked for: %s", error)
            self.terminate()

    async def roll_back(self) -> None:
        """End the open transaction, if any, undone. Where that fails the connection is closed, which does the same."""
        try:
            if not self.connection.is_closed() and self.connection.is_in_transaction():
                await self.connection.execute("ROLLBACK")
        except DRIVER_ERRORS:
            self.terminate()

    def terminate(self) -> None:
        """Close at once; the server then rolls back what is open. Idempotent."""
        self.connection.terminate()


async def dial(address: Address, options: PostgresOptions, settings: dict[str, str]) -> Link:
    """Open a connection and look at what answers.

    Raises:
        SchemaMismatch: a server that cannot hold our tables.
        asyncpg's errors, OSError: it cannot be opened.
    """
    extras = {} if address.names("target_session_attrs") else {"target_session_attrs": "read-write"}
    connection = await asyncpg.connect(
        address.secret_url(),
        timeout=options.connect_timeout,
        command_timeout=options.command_timeout,
        statement_cache_size=options.statement_cache_size,
        server_settings=settings,
        **extras,
    )
    try:
        greeting = await connection.fetchrow(_GREETING)
        check_server(address.where, greeting)
        if greeting["synchronous_commit"] not in STRONG_COMMITS:
            await connection.execute("SET synchronous_commit = on")
        await _end_abandoned_statements(connection)
    except BaseException:
        connection.terminate()
        raise
    return Link(connection, greeting, options)


async def _end_abandoned_statements(connection: Any) -> None:
    """Have the server look every second whether we are still there, so that what we gave up does not commit much later.

    Not a matter of safety: a late append is fenced or refused as any other. But it ends waits for locks nobody wants.
    """
    with suppress(asyncpg.PostgresError):  # not every operating system lets a server see that
        await connection.execute("SET client_connection_check_interval = '1s'")


def check_server(where: str, greeting: Any) -> None:
    """Do nothing if a server that so greets can hold our tables.

    Raises:
        SchemaMismatch: it is too old, or keeps text in another encoding.
    """
    if greeting["version"] < OLDEST_SERVER:
        raise SchemaMismatch(
            f"PostgreSQL at {where} has version {greeting['version']}: {OLDEST_SERVER} or newer is needed"
        )
    if greeting["encoding"] != "UTF8":
        raise SchemaMismatch(
            f"PostgreSQL at {where}: the database's encoding is {greeting['encoding']}: UTF8 is needed"
        )


def warn_of_settings(where: str, greeting: Any) -> None:
    """Say loudly which of the server's settings break the promise *durable*."""
    for name in ("fsync", "full_page_writes"):
        if greeting[name] != "on":
            _log.warning("PostgreSQL at %s runs with %s=%s: a crash of its machine can lose events", where, name, "off")
    if greeting["synchronous_commit"] not in STRONG_COMMITS:
        _log.warning(
            "PostgreSQL at %s is set to synchronous_commit=%s, which loses answered commands: our sessions use 'on'",
            where,
            greeting["synchronous_commit"],
        )
