"""The tables in one PostgreSQL schema: ours, the journals', and those of views."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from journal.errors import SchemaMismatch, Unavailable, WrongShardCount
from journal.names import checked_journal
from journal.postgres.blocks import lent_link, open_transaction
from journal.postgres.connections import Connections
from journal.postgres.link import Link
from journal.postgres.migrations import journals, migrations, stored_version, upgrade
from journal.postgres.statements import quoted, statement
from journal.postgres.view_tables import ViewStatements, expected_columns
from journal.records import TableSpec
from journal.tables import checked_table

_HINT = "have journal.postgres.migrate(url, …) run by a role that may create tables"


class Schema:
    """The tables in one PostgreSQL schema.

    Args:
        connections: how to reach the server.
        name: the PostgreSQL schema.
        migrate: tables may be created and upgraded.
    """

    def __init__(self, connections: Connections, name: str, *, migrate: bool) -> None:
        self.name = name
        self.views = ViewStatements(name)
        self._connections = connections
        self._migrate = migrate

    async def is_there(self) -> bool:
        """Whether there is anything of ours, of whatever version.

        Raises:
            SchemaMismatch: it is newer than this program.
        """
        async with lent_link(self._connections) as link:
            return await stored_version(link, self.name) > 0

    async def ensure(self) -> None:
        """Bring the schema to this program's version, or check that it has it.

        Raises:
            SchemaMismatch: it is newer than this program; or older, or missing, and may not be changed.
        """
        newest = len(migrations())
        async with lent_link(self._connections) as link:
            version = await stored_version(link, self.name)
        if version < newest:
            self._check_may_change(f"its schema {self.name!r} has version {version}, this program needs {newest}")
            async with self._changing() as link:
                await upgrade(link, self.name)

    async def open_journal(self, name: str, shard_count: int) -> None:
        """Create a journal's tables where they are missing.

        Raises:
            InvalidName: the name cannot be a journal's.
            WrongShardCount: it was created with another count.
            SchemaMismatch: it is missing and may not be created.
        """
        checked_journal(name, shard_count)
        async with lent_link(self._connections) as link:
            stored = (await journals(link, self.name)).get(name)
        if stored is None:
            self._check_may_change(f"journal {name!r} does not exist")
            async with self._changing() as link:
                stored = (await journals(link, self.name)).get(name)
                if stored is None:
                    stored = shard_count
                    await self._create_journal(link, name, shard_count)
        if stored != shard_count:
            raise WrongShardCount(name, stored, shard_count)

    async def open_table(self, table: TableSpec) -> None:
        """Create a view's table and indexes where they are missing.

        Raises:
            InvalidName, ValueError: there can be no such table.
            SchemaMismatch: it has other columns; or is missing and may not be created.
        """
        checked_table(table)
        async with lent_link(self._connections) as link:
            missing = await self._missing(link, table)
        if missing:
            self._check_may_change(f"table {table.name!r} or an index of it does not exist")
            async with self._changing() as link:
                for sql in await self._missing(link, table):
                    await link.connection.execute(sql)

    async def grant(self, role: str, tables: Sequence[TableSpec]) -> None:
        """Give `role` what the application needs, and no more."""
        async with self._changing() as link:
            scripts = [statement("grant_database", self.name)]
            scripts += [statement("grant_journal", self.name, journal) for journal in await journals(link, self.name)]
            grant_table = statement("grant_table", self.name)
            scripts += [grant_table.replace("{table}", self.views.table(table)) for table in tables]
            for script in scripts:
                await link.connection.execute(script.replace("{role}", quoted(role)))

    async def _create_journal(self, link: Link, name: str, shard_count: int) -> None:
        script = statement("journal", self.name, name)
        await link.connection.execute(script.replace("{shard_count}", str(shard_count)))
        await link.fetch(statement("add_journal", self.name), name, shard_count)

    async def _missing(self, link: Link, table: TableSpec) -> list[str]:
        found = [tuple(row) for row in await link.fetch(statement("table_columns", self.name), self.name, table.name)]
        if not found:
            return self.views.creation(table)
        if found != expected_columns(table):
            raise SchemaMismatch(f"table {table.name!r} has other columns: {found}, not {expected_columns(table)}")
        indexes = await link.fetch(statement("table_indexes", self.name), self.name, table.name)
        return self.views.missing_indexes(table, [row[0] for row in indexes])

    def _check_may_change(self, what: str) -> None:
        if not self._migrate:
            where, why = f"PostgreSQL at {self._connections.where}", "(migrate=False or create=False)"
            raise SchemaMismatch(f"{where}: {what}, and may not be changed here {why}: {_HINT}")

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Link]:
        """A transaction that changes tables, while no other program does; long ones are allowed."""
        try:
            async with open_transaction(self._connections, ours=True) as link:
                await link.connection.execute("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0")
                await link.connection.fetch(statement("migration_lock", self.name), self.name)
                yield link
        except Unavailable as error:
            if isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
                raise SchemaMismatch(f"{error}; the role may not create tables: {_HINT}") from error
            raise
