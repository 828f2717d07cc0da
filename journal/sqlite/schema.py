"""Creating and upgrading what a SQLite file holds, by numbered migrations under the file's write lock.

Files are called `0002_what_it_does.sql`, or `0002_what_it_does.each_journal.sql` when they run once for every journal
that is there, with its name for `{journal}`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from importlib.resources.abc import Traversable
from typing import NamedTuple

from journal.errors import NoSuchDatabase, SchemaMismatch, Unavailable
from journal.sqlite.connection import SqliteFile
from journal.sqlite.failures import primary_code
from journal.sqlite.statements import SQL, script, statements


class Migration(NamedTuple):
    """One step from a version of the schema to the next."""

    version: int
    name: str
    sql: str
    each_journal: bool


@cache
def migrations(folder: Traversable = SQL / "migrations") -> list[Migration]:
    """The migrations in a folder, by version.

    Raises:
        ValueError: their numbers are not 1, 2, 3, …
    """
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    steps = [_migration(file) for file in found]
    if [step.version for step in steps] != list(range(1, len(steps) + 1)):
        raise ValueError(f"migrations are numbered 1, 2, 3, …; found {[file.name for file in found]}")
    return steps


def _migration(file: Traversable) -> Migration:
    number, _, rest = file.name.partition("_")
    name = rest.removesuffix(".sql")
    each_journal = name.endswith(".each_journal")
    return Migration(int(number), name.removesuffix(".each_journal"), file.read_text(encoding="utf-8"), each_journal)


def upgrade(connection: sqlite3.Connection, file: SqliteFile, steps: Sequence[Migration]) -> None:
    """Bring the file's schema to the version of the last of `steps`. Programs that do so at once take turns.

    Raises:
        SchemaMismatch: the schema is newer than this program.
        Unavailable, OutcomeUnknown: as any write.
    """
    # The last program that closes the file locks it for a moment, and the first that opens it, too: also for readers.
    if file.patiently(lambda: _outdated(connection, file, len(steps))):
        file.in_transaction(connection, lambda inside: _apply(inside, file, steps))


def check_is_there(file: SqliteFile, steps: Sequence[Migration]) -> None:
    """Do nothing if the file has the version of the last of `steps`. Writes nothing, not even to another's file.

    Raises:
        NoSuchDatabase: there is no such file, or nothing of ours in it.
        SchemaMismatch: it has another version.
        Unavailable: it cannot be read.
    """
    where = f"SQLite file {file.path}"
    if not os.path.isfile(file.path):
        raise NoSuchDatabase(where)
    try:
        with closing(file.connect_to_look()) as connection:
            (exists,) = connection.execute(statements("schema")["exists"]).fetchone()
            outdated = bool(exists) and _outdated(connection, file, len(steps))
    except sqlite3.Error as error:
        if primary_code(error) == sqlite3.SQLITE_NOTADB:
            raise NoSuchDatabase(where) from error
        raise Unavailable(f"{where} cannot be read: {error}") from error
    if not exists:
        raise NoSuchDatabase(where)
    if outdated:
        raise SchemaMismatch(f"{where} is older than this program: the first node that opens it upgrades it")


def _outdated(connection: sqlite3.Connection, file: SqliteFile, newest: int) -> bool:
    sql = statements("schema")
    (exists,) = connection.execute(sql["exists"]).fetchone()
    version = connection.execute(sql["version"]).fetchone()[0] if exists else 0
    if version > newest:
        raise SchemaMismatch(
            f"SQLite file {file.path} has schema version {version}, and this program knows versions up to {newest}: "
            "the program is older than the file; run a newer one"
        )
    return bool(version < newest)


def _apply(connection: sqlite3.Connection, file: SqliteFile, steps: Sequence[Migration]) -> None:
    sql = statements("schema")
    connection.execute(sql["create"])
    if not _outdated(connection, file, len(steps)):
        return  # another program did it while this one waited for the lock
    (version,) = connection.execute(sql["version"]).fetchone()
    for step in steps[version:]:
        names = [row[0] for row in connection.execute(sql["journals"])] if step.each_journal else [""]
        for name in names:
            for statement in script(step.sql, name):
                connection.execute(statement)
        (now,) = connection.execute(statements("registry")["now"]).fetchone()
        connection.execute(sql["applied"], (step.version, step.name, now))
