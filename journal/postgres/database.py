"""One PostgreSQL database."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, Self

from journal.contract import Database
from journal.errors import NoSuchDatabase, SchemaMismatch
from journal.postgres.address import Address
from journal.postgres.blocks import lent_link, open_transaction
from journal.postgres.connections import Connections
from journal.postgres.journal_store import PostgresJournal
from journal.postgres.link import dial, warn_of_settings
from journal.postgres.notes import PostgresNotes
from journal.postgres.offsets import PostgresDeadLetters, PostgresOffsets
from journal.postgres.options import PostgresOptions
from journal.postgres.renames import existing
from journal.postgres.schema import Schema
from journal.postgres.snapshots import PostgresSnapshots
from journal.postgres.statements import statement
from journal.postgres.transaction import PostgresTransaction
from journal.postgres.view_tables import as_put
from journal.records import TableSpec
from journal.scans import Scan


class PostgresDatabase(Database):
    """See `Database`. Opened by `PostgresDatabase.open`; `url` shows no password."""

    def __init__(self, address: Address, options: PostgresOptions, schema: Schema, pools: Pools) -> None:
        self.url = address.shown
        self._options = options
        self._schema = schema
        self._pools = pools
        self._journals: dict[str, PostgresJournal] = {}
        self._notes = PostgresNotes(schema.name, pools.others)
        self._offsets = PostgresOffsets(schema.name, pools.others)
        self._dead_letters = PostgresDeadLetters(schema.name, pools.others)
        self._relaxed = False

    @classmethod
    async def open(cls, url: str, *, create: bool = True, **options: Any) -> Self:
        """Connect, and create or upgrade the tables of this package where they are missing or older.

        Args:
            url: `postgresql://user:password@host:port/database`.
            create: make and upgrade what is missing; otherwise nothing is written.
            options: see `PostgresOptions`.

        Raises:
            InvalidUrl: the URL cannot be read.
            Unavailable: the server cannot be reached, or lets this user not in. Names host and port, no password.
            NoSuchDatabase: the tables are not there, and `create` is false.
            SchemaMismatch: the tables belong to a newer program, or are older and may not be changed.
            TypeError, ValueError: an option that does not exist, or makes no sense.
        """
        address, chosen = Address(url), PostgresOptions(**options)
        pools = Pools(address, chosen)
        try:
            schema = await connected(pools, chosen, create=create)
        except BaseException:
            await pools.close(0)
            raise
        return cls(address, chosen, schema, pools)

    async def journal(self, name: str, shard_count: int) -> PostgresJournal:
        """See `Database.journal`."""
        await self._schema.open_journal(name, shard_count)
        store = PostgresJournal(name, shard_count, self._schema.name, self._pools.appending, self._pools.others)
        return self._journals.setdefault(name, store)

    def snapshots(self, journal: str) -> PostgresSnapshots:
        """See `Database.snapshots`.

        Raises:
            LookupError: the journal was not opened.
        """
        store = self._journals.get(journal)
        if store is None:
            raise LookupError(f"journal {journal!r} was not opened: await database.journal(name, shard_count) first")
        return PostgresSnapshots(journal, store.shard_count, self._schema.name, self._pools.others)

    @property
    def notes(self) -> PostgresNotes:
        """See `Database.notes`."""
        return self._notes

    @property
    def offsets(self) -> PostgresOffsets:
        """See `Database.offsets`."""
        return self._offsets

    @property
    def dead_letters(self) -> PostgresDeadLetters:
        """See `Database.dead_letters`."""
        return self._dead_letters

    async def now(self) -> datetime:
        """See `Database.now`."""
        async with lent_link(self._pools.others) as link:
            ((now,),) = await link.fetch(statement("now", self._schema.name))
        return now  # type: ignore[no-any-return]  # asyncpg's rows are untyped

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """See `Database.transaction`. READ COMMITTED. SQL in it must leave no session state (use `SET LOCAL`)."""
        pool = self._pools.others
        async with open_transaction(pool, relaxed=self._relaxed) as link:
            transaction = PostgresTransaction(link, pool.where, self._schema.name, self._schema.views)
            try:
                yield transaction
                transaction.check()
            finally:
                transaction.end()

    def relaxed(self) -> PostgresDatabase:
        """See `Database.relaxed`: commits that do not wait for the disk. The log is written in order all the same."""
        same = copy.copy(self)
        same._relaxed = True
        return same

    async def create_table(self, table: TableSpec) -> None:
        """See `Database.create_table`."""
        await self._schema.open_table(table)

    async def tables_exist(self, names: Iterable[str]) -> set[str]:
        """See `Database.tables_exist`."""
        async with lent_link(self._pools.others) as link:
            return await existing(link, self._schema.name, names)

    async def grant(self, role: str, tables: Sequence[TableSpec] = ()) -> None:
        """Give a role what an application needs on our tables, all journals and the given view tables; no DDL."""
        await self._schema.grant(role, tables)

    async def scan(
        self,
        table: TableSpec,
        where: Mapping[str, Any] | None = None,
        *,
        up_to: tuple[str, Any] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[tuple[Any, ...]]:
        """See `Database.scan`. Each page of 1,000 rows is a query of its own, so no transaction stays open."""
        scan = Scan(table, where, up_to, order_by, limit)
        while scan.more:
            sql = self._schema.views.page(table, scan.shape)
            async with lent_link(self._pools.others) as link:
                rows = as_put(table, await link.connection.fetch(sql, scan.size, *scan.arguments))
            for row in scan.passed(rows, rows):
                yield row

    async def close(self) -> None:
        """See `Database.close`. What is in flight gets `close_timeout` seconds to end."""
        await self._pools.close(self._options.close_timeout)


class Pools:
    """The connections of one database: those that append, and all others."""

    def __init__(self, address: Address, options: PostgresOptions) -> None:
        session = options.session_settings()
        append_session = {**session, **options.append_settings()}
        self.appending = Connections(
            address.where,
            partial(dial, address, options, append_session),
            size=options.append_connections,
            wait_limit=options.wait_limit,
        )
        self.others = Connections(
            address.where,
            partial(dial, address, options, session),
            size=options.pool_size,
            wait_limit=options.wait_limit,
        )

    async def close(self, within: float) -> None:
        """Close all connections; those in use after `within` seconds."""
        await asyncio.gather(self.appending.close(within), self.others.close(within))


async def connected(pools: Pools, options: PostgresOptions, *, create: bool) -> Schema:
    """Reach the server, look at its settings, and bring the tables to this program's version, or check that they are.

    Raises:
        NoSuchDatabase: there are no tables of ours, and `create` is false.
        Unavailable: it cannot be reached.
        SchemaMismatch: the tables, or the server, do not fit this program.
    """
    async with lent_link(pools.others) as link:
        warn_of_settings(pools.others.where, link.greeting)
        name = options.schema or link.greeting["schema"]
    if name is None:
        raise SchemaMismatch(f"PostgreSQL at {pools.others.where}: the role's search_path names no schema that exists")
    schema = Schema(pools.others, name, migrate=create and options.migrate)
    if not (create or await schema.is_there()):
        raise NoSuchDatabase(f"PostgreSQL at {pools.others.where}, schema {name!r}")
    await schema.ensure()
    return schema
