"""View tables in a SQLite file: the SQL of each, and its values on the way in and out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from journal.records import Column, TableSpec
from journal.scans import PageShape
from journal.tables import checked_table

# The declared type tells the kinds apart when a table is opened again. SQLite looks at parts of the word only: TEXT in
# it keeps a decimal from becoming a float.
DECLARED = {
    "text": "TEXT",
    "integer": "INTEGER",
    "real": "REAL",
    "boolean": "BOOLEAN_INTEGER",
    "bytes": "BLOB",
    "time": "TIME_TEXT",
    "decimal": "DECIMAL_TEXT",
}

Convert: TypeAlias = Callable[[Any], Any]

READ: dict[str, Convert] = {"boolean": bool, "time": datetime.fromisoformat, "decimal": Decimal}


def stored(value: Any) -> Any:
    """A value as SQLite keeps it: a time as text in UTC that sorts, a decimal as text, the rest as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, Decimal) else value


def stored_row(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row as SQLite keeps it."""
    return tuple([stored(value) for value in row])


class Table:
    """The SQL of one view table. Its names are validated, its values are always parameters."""

    def __init__(self, table: TableSpec) -> None:
        self.spec = checked_table(table)
        names = [f'"{column.name}"' for column in table.columns]
        every, name, key = ", ".join(names), f'"{table.name}"', f'"{table.key}"'
        self.select = f"SELECT {every} FROM {name} WHERE {key} IN (SELECT value FROM json_each(?))"
        self.delete = f"DELETE FROM {name} WHERE {key} IN (SELECT value FROM json_each(?))"
        updates = ", ".join(f"{column} = excluded.{column}" for column in names if column != key)
        action = f"UPDATE SET {updates}" if updates else "NOTHING"
        marks = ", ".join("?" * len(names))
        self.put = f"INSERT INTO {name} ({every}) VALUES ({marks}) ON CONFLICT ({key}) DO {action}"
        self._page = f"SELECT {every} FROM {name}"
        self._readers = [READ.get(column.kind) for column in table.columns]
        self._plain = not any(self._readers)

    def creation(self) -> str:
        """The statement that creates the table where it is missing."""
        columns = ", ".join(_declaration(self.spec, column) for column in self.spec.columns)
        return f'CREATE TABLE IF NOT EXISTS "{self.spec.name}" ({columns})'

    def index(self, column: str, name: str) -> str:
        """The statement that creates the index on a column, under a name that is free."""
        return f'CREATE INDEX "{name}" ON "{self.spec.name}" ("{column}")'

    def columns(self) -> list[tuple[str, str, bool, bool]]:
        """Name, declared type, whether it takes no NULL, and whether it is the key, of each column."""
        key = self.spec.key
        return [
            (column.name, DECLARED[column.kind], not column.nullable or column.name == key, column.name == key)
            for column in self.spec.columns
        ]

    def is_decimal(self, name: str) -> bool:
        """Whether a column keeps decimals."""
        return any(column.kind == "decimal" for column in self.spec.columns if column.name == name)

    def page(self, shape: PageShape) -> str:
        """The query for a page of rows; the arguments of its shape, and then the most rows."""
        tests = [f'"{name}" = ?' for name in shape.equal]
        tests += [f'"{name}" IS NULL' for name in shape.nulls]
        tests += [] if shape.up_to is None else [f'"{shape.up_to}" <= ?']
        order = f'"{self.spec.key}"' if shape.ordered is None else f'"{shape.ordered}", "{self.spec.key}"'
        if shape.further:
            tests.append(f"{order} > ?" if shape.ordered is None else f"({order}) > (?, ?)")
        elif shape.ordered is not None and shape.ordered != shape.up_to:
            tests.append(f'"{shape.ordered}" IS NOT NULL')
        condition = f"WHERE {' AND '.join(tests)} " if tests else ""
        return f"{self._page} {condition}ORDER BY {order} LIMIT ?"

    def read(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Rows as they were put, from rows as SQLite keeps them."""
        if self._plain:
            return list(rows)
        return [
            tuple(
                [
                    value if read is None or value is None else read(value)
                    for read, value in zip(self._readers, row, strict=True)
                ]
            )
            for row in rows
        ]


@lru_cache(maxsize=512)
def table_of(spec: TableSpec) -> Table:
    """The SQL for `spec`.

    Raises:
        ValueError: as `journal.tables.checked_table` says.
    """
    return Table(spec)


def _declaration(table: TableSpec, column: Column) -> str:
    if column.name == table.key:
        return f'"{column.name}" TEXT NOT NULL PRIMARY KEY'
    return f'"{column.name}" {DECLARED[column.kind]}{"" if column.nullable else " NOT NULL"}'
