"""View tables as such in a SQLite file: creating, renaming and deleting them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from itertools import count

from journal.errors import SchemaMismatch
from journal.names import checked_view
from journal.sqlite.statements import statements
from journal.sqlite.tables import Table

_SQL = statements("views")


def create(connection: sqlite3.Connection, table: Table) -> None:
    """Create a table and its indexes, within the open transaction, where they are missing.

    Raises:
        SchemaMismatch: a table of that name has other columns.
    """
    name = table.spec.name
    connection.execute(table.creation())
    found = connection.execute(_SQL["columns"], (name,)).fetchall()
    columns = [(column, declared, bool(notnull), bool(key)) for column, declared, notnull, key in found]
    if columns != table.columns():
        raise SchemaMismatch(f"table {name!r} has other columns: {columns}, and {table.columns()} were asked for")
    indexed = {column for (column,) in connection.execute(_SQL["indexed"], (name,)).fetchall()}
    taken = {index for (index,) in connection.execute(_SQL["indexes"]).fetchall()}
    for column in table.spec.indexes:
        if column not in indexed:
            connection.execute(table.index(column, _free(f"{name}__{column}", taken)))


def existing(connection: sqlite3.Connection, names: Iterable[str]) -> set[str]:
    """Those of `names` under which there is a table."""
    return {name for (name,) in connection.execute(_SQL["existing"], (json.dumps([*names]),)).fetchall()}


def rename(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Give a table another name within the open transaction.

    Raises:
        InvalidName: a name cannot be a view table's.
        SchemaMismatch: there is no such table, or the new name is taken.
    """
    journals = _journals(connection)
    for name in (old, new):
        checked_view(name, journals)
    if not existing(connection, [old]):
        raise SchemaMismatch(f"table {old!r} does not exist and cannot be called {new!r}")
    (taken,) = connection.execute(_SQL["taken"], (new,)).fetchone()
    if taken:
        raise SchemaMismatch(f"table {old!r} cannot be called {new!r}: that name is taken")
    connection.execute(_SQL["rename"].format(old=old, new=new))


def drop(connection: sqlite3.Connection, name: str) -> None:
    """Delete a table, if there is one, within the open transaction.

    Raises:
        InvalidName: the name cannot be a view table's.
    """
    connection.execute(_SQL["drop"].format(table=checked_view(name, _journals(connection))))


def _journals(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute(statements("schema")["journals"]).fetchall()]


def _free(name: str, taken: set[str]) -> str:
    """`name`, or one like it: SQLite cannot rename an index, so one that went with a renamed table keeps its name."""
    if name not in taken:
        return name
    return next(other for other in (f"{name}__{number}" for number in count(2)) if other not in taken)
