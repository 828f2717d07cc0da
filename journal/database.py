"""Opening a database by its URL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from journal.contract import Database
from journal.errors import InvalidUrl, NoSuchDatabase

FORMS = "memory:, sqlite:///relative/path.db, sqlite:////absolute/path.db or postgresql://user@host/database"


async def open_database(url: str, *, create: bool = True, **options: Any) -> Database:
    """Open the database that `url` names, creating a SQLite file and any missing tables.

    Args:
        url: `memory:` (gone with the process), `sqlite:///relative/path.db`, `sqlite:////absolute/path.db`, or
            `postgresql://…` (also spelt `postgres://…`).
        create: make and upgrade what is missing; otherwise a database that is not there is an error, and opening it
            writes nothing.
        options: what the store of that kind takes: see `MemoryDatabase`, `SqliteDatabase`, `PostgresDatabase`.

    Raises:
        InvalidUrl: no store goes by such a URL.
        NoSuchDatabase: it is not there, and `create` is false.
        Unavailable: the database cannot be reached or opened.
        SchemaMismatch: it belongs to a newer version of this package; without `create`, to an older one as well.
        TypeError: the store has no such option.
    """
    scheme, colon, rest = url.partition(":")
    if url == "memory:":
        from journal.memory import MemoryDatabase

        if not create:
            raise NoSuchDatabase("memory: is another one for each process")
        return MemoryDatabase(**{"clock": system_clock, **options})
    if scheme == "sqlite" and colon:
        from journal.sqlite import SqliteDatabase

        return await SqliteDatabase.open(url, create=create, **options)
    if scheme in ("postgresql", "postgres") and rest.startswith("//"):
        from journal.postgres import PostgresDatabase  # only here: asyncpg must not be needed by anyone else

        return await PostgresDatabase.open(url, create=create, **options)
    # What follows the scheme may hold a password, so the message must not repeat it.
    shown = scheme if colon and scheme.isalnum() else "without scheme"
    raise InvalidUrl(f"database URL ({shown}): use {FORMS}")


def system_clock() -> datetime:
    """The machine's time, UTC. The one place of this package that asks for it."""
    return datetime.now(UTC)
