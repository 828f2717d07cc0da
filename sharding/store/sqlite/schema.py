"""Creating and upgrading the tables in a SQLite file, under the file's write lock."""

from __future__ import annotations

import sqlite3

from sharding.store.scripts import check_current, migrations, missing_migrations, statements
from sharding.store.sqlite.rows import Rows

PACKAGE = "sharding.store.sqlite"


def upgrade(connection: sqlite3.Connection, where: str) -> None:
    """Bring the tables to this program's version, in the transaction that is open. Programs that do so take turns.

    Raises:
        ClusterSchemaMismatch: they are newer than this program.
    """
    sql = statements(PACKAGE)
    (exists,) = connection.execute(sql["version_exists"]).fetchone()
    version = connection.execute(sql["version"]).fetchone()[0] if exists else 0
    steps = missing_migrations(PACKAGE, where, version)
    if steps:
        connection.execute(sql["create_version"])
        for text in steps:
            for statement in _statements_of(text):
                connection.execute(statement)
        connection.execute(sql["set_version"], (len(migrations(PACKAGE)),))


def is_there(rows: Rows, where: str) -> bool:
    """Whether the cluster is.

    Raises:
        ClusterSchemaMismatch: the tables are not this program's.
    """
    version = rows.tables_version()
    if version == 0:
        return False
    check_current(PACKAGE, where, version)
    return rows.run("term").fetchone() is not None


def _statements_of(script: str) -> list[str]:
    # One by one: `executescript` would commit the transaction it runs in.
    found, statement = [], ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement.strip())
            statement = ""
    return found
