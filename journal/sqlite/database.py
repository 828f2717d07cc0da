"""One SQLite file: journals, snapshots, offsets and view tables that commit together."""

from __future__ import annotations

import asyncio
import os
import reprlib
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from journal.contract import Database
from journal.errors import InvalidUrl, SchemaMismatch, WrongShardCount
from journal.names import checked_journal, unreserved_name
from journal.records import TableSpec
from journal.scans import Scan
from journal.sqlite import views
from journal.sqlite.access import Access
from journal.sqlite.connection import SqliteFile
from journal.sqlite.events import SqliteJournal, SqliteSnapshots, time_of
from journal.sqlite.notes import SqliteNotes
from journal.sqlite.offsets import SqliteDeadLetters, SqliteOffsets
from journal.sqlite.schema import check_is_there, migrations, upgrade
from journal.sqlite.statements import SQL, script, statements
from journal.sqlite.tables import stored, table_of
from journal.sqlite.transaction import SqliteTransaction
from journal.tables import column_place


class SqliteDatabase(Database):
    """A database in one file of this machine. Opened by `SqliteDatabase.open`; used from one event loop.

    Every commit is on the disk before it is answered. Several processes may use the file at once; one of them writes at
    a time, and none of them waits to read.
    """

    def __init__(self, url: str, access: Access) -> None:
        self.url = url
        self._access = access
        self._journals: dict[str, SqliteJournal] = {}
        self._notes = SqliteNotes(access)
        self._offsets = SqliteOffsets(access)
        self._dead_letters = SqliteDeadLetters(access)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        create: bool = True,
        busy_timeout: float = 5.0,
        transaction_limit: float = 30.0,
        readers: int = 4,
        waiting_limit: int = 10_000,
    ) -> Self:
        """Open the file, creating it and its tables where they are missing.

        Args:
            url: `sqlite:///relative/path.db` or `sqlite:////absolute/path.db`.
            create: make and upgrade what is missing; otherwise opening it writes nothing.
            busy_timeout: seconds to wait for other processes that write; then a write is `Unavailable`.
            transaction_limit: seconds after which an open transaction block is rolled back, so that others can write.
            readers: the most threads that read.
            waiting_limit: the most reads, and the most writes, that may wait; beyond it they get `Overloaded`.

        Raises:
            InvalidUrl: the URL has no path, or more than a path.
            NoSuchDatabase: the file is not there, or is no journal, and `create` is false.
            Unavailable: the file cannot be opened.
            SchemaMismatch: the file belongs to a newer version of this package; without `create`, to an older one as
                well.
        """
        file = SqliteFile(file_path(url), busy_timeout)
        if not create:
            await asyncio.to_thread(check_is_there, file, migrations())
        access = Access(file, readers, transaction_limit, waiting_limit)
        try:
            await access.writer.submit(lambda connection: upgrade(connection, file, migrations()))
        except BaseException:
            await access.close()
            raise
        return cls(url, access)

    async def journal(self, name: str, shard_count: int) -> SqliteJournal:
        """See `Database.journal`."""
        checked_journal(name, shard_count)
        stored_count = await self._access.write(partial(_register, name=name, shard_count=shard_count))
        if stored_count != shard_count:
            raise WrongShardCount(name, stored_count, shard_count)
        return self._journals.setdefault(name, SqliteJournal(name, shard_count, self._access))

    def snapshots(self, journal: str) -> SqliteSnapshots:
        """See `Database.snapshots`.

        Raises:
            LookupError: the journal was not opened.
        """
        if journal not in self._journals:
            raise LookupError(f"journal {journal!r} was not opened: await database.journal(name, shard_count) first")
        return SqliteSnapshots(self._journals[journal], self._access)

    @property
    def notes(self) -> SqliteNotes:
        """See `Database.notes`."""
        return self._notes

    @property
    def offsets(self) -> SqliteOffsets:
        """See `Database.offsets`."""
        return self._offsets

    @property
    def dead_letters(self) -> SqliteDeadLetters:
        """See `Database.dead_letters`."""
        return self._dead_letters

    async def now(self) -> datetime:
        """See `Database.now`."""
        return time_of(await self._access.read(_now))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqliteTransaction]:
        """See `Database.transaction`. Nobody else writes to the file while the block runs: keep it short.

        Raises:
            Unavailable: the file was locked for too long, or the block took longer than the limit; nothing was written.
            OutcomeUnknown: the commit failed and may have happened.
        """
        transaction = SqliteTransaction(self._access)
        try:
            await transaction.begin()
            yield transaction
            await transaction.commit()
        finally:
            transaction.end()

    async def create_table(self, table: TableSpec) -> None:
        """See `Database.create_table`."""
        await self._access.write(partial(views.create, table=table_of(table)))

    async def tables_exist(self, names: Iterable[str]) -> set[str]:
        """See `Database.tables_exist`."""
        return await self._access.read(partial(views.existing, names=[unreserved_name(name) for name in names]))

    async def scan(
        self,
        table: TableSpec,
        where: Mapping[str, Any] | None = None,
        *,
        up_to: tuple[str, Any] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[tuple[Any, ...]]:
        """See `Database.scan`. Rows come in pages, each as committed when it is read."""
        sql = table_of(table)
        # Equal decimals may be kept as different texts ("1.5", "1.50"), so these are compared as what they mean.
        meant = {name: value for name, value in (where or {}).items() if sql.is_decimal(name) and value is not None}
        scan = Scan(table, where, up_to, order_by, limit, sifted=[*meant])
        while scan.more:
            values = [*map(stored, scan.arguments), scan.size]
            page = sql.read(await self._access.read(partial(_page, sql=sql.page(scan.shape), values=values)))
            kept = [row for row in page if all(row[column_place(table, name)] == meant[name] for name in meant)]
            for row in scan.passed(page, kept):
                yield row

    async def close(self) -> None:
        """See `Database.close`. Writes that have begun are finished first."""
        await self._access.close()


def file_path(url: str) -> str:
    """The absolute path of the file that a URL names.

    Raises:
        InvalidUrl: it names none, or more than a file.
    """
    # What is none of ours may be another store's URL, with a password in it.
    said = reprlib.repr(url) if url.startswith("sqlite:///") and "@" not in url else "this URL"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidUrl(
            f"{said} cannot be read: use sqlite:///relative/path.db or sqlite:////absolute/path.db"
        ) from None
    path = unquote(parts.path[1:])
    if parts.scheme != "sqlite" or parts.netloc or not path or path == ":memory:" or path.endswith("/"):
        raise InvalidUrl(
            f"{said} names no SQLite file: use sqlite:///relative/path.db or sqlite:////absolute/path.db, "
            "or memory: for a database without a file"
        )
    if parts.query or parts.fragment or "\0" in path:
        raise InvalidUrl(f"{said}: a SQLite URL is a path and nothing else; write ? and # in a path as %3F and %23")
    return os.path.abspath(path)


def _now(connection: sqlite3.Connection) -> int:
    (microseconds,) = connection.execute(statements("registry")["now"]).fetchone()
    return int(microseconds)


def _register(connection: sqlite3.Connection, name: str, shard_count: int) -> int:
    sql = statements("registry", name)
    row = connection.execute(sql["shard_count"], (name,)).fetchone()
    if row is not None:
        return int(row[0])
    for statement in script((SQL / "journal.sql").read_text(encoding="utf-8"), name):
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            raise SchemaMismatch(
                f"journal {name!r} cannot be created, something has its tables' names: {error}"
            ) from error
    connection.executemany(sql["add_shard"], [(shard,) for shard in range(shard_count)])
    connection.execute(sql["register"], (name, shard_count))
    return shard_count


def _page(connection: sqlite3.Connection, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
    return connection.execute(sql, values).fetchall()
