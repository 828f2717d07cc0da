"""Creating and upgrading tables apart from the application, by a role that may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from journal.postgres.database import PostgresDatabase
from journal.records import TableSpec


async def migrate(
    url: str,
    *,
    journals: Mapping[str, int] | None = None,
    tables: Sequence[TableSpec] = (),
    application_role: str | None = None,
    **options: Any,
) -> None:
    """Create or upgrade all tables, so that the application can run with `migrate=False` and without DDL.

    Args:
        url: the database, as a role that may create tables.
        journals: the journals that must exist, by name, with their number of shards.
        tables: the view tables that must exist.
        application_role: gets exactly the privileges that the application needs on them.
        options: see `PostgresOptions`.

    Raises:
        Unavailable, SchemaMismatch, InvalidUrl: as `PostgresDatabase.open`.
        InvalidName, WrongShardCount: as `Database.journal`.
    """
    database = await PostgresDatabase.open(url, **options)
    try:
        for name, shard_count in (journals or {}).items():
            await database.journal(name, shard_count)
        for table in tables:
            await database.create_table(table)
        if application_role is not None:
            await database.grant(application_role, tables)
    finally:
        await database.close()
