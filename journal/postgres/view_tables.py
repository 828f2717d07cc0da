"""SQL for a view's table, made from its specification. Names are validated and quoted; values are arguments."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import lru_cache
from itertools import count
from typing import Any

from journal.postgres.statements import quoted
from journal.records import TableSpec
from journal.scans import PageShape
from journal.tables import checked_table, column_place

TYPES: Mapping[str, str] = {
    "text": "text",
    "integer": "bigint",
    "real": "double precision",
    "boolean": "boolean",
    "bytes": "bytea",
    "time": "timestamp with time zone",
    "decimal": "numeric",
}


class ViewStatements:
    """The statements for the view tables of one schema.

    All of them are single statements under READ COMMITTED. Reading takes no lock; putting and deleting lock the rows,
    in the order of their keys, until the transaction ends. The offset keeps two instances of a projection apart.
    """

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self.get = lru_cache(maxsize=512)(self._get)
        self.put = lru_cache(maxsize=512)(self._put)
        self.delete = lru_cache(maxsize=512)(self._delete)
        self.page = lru_cache(maxsize=512)(self._page)

    def table(self, table: TableSpec) -> str:
        """The table's name as it stands in SQL.

        Raises:
            InvalidName, ValueError: there can be no such table.
        """
        return f"{quoted(self._schema)}.{quoted(checked_table(table).name)}"

    def _get(self, table: TableSpec) -> tuple[str, int]:
        """The statement that reads rows by `$1`, an array of keys, and the key's place in them."""
        name, key = self.table(table), quoted(table.key)
        sql = f"SELECT {_columns(table)} FROM {name} WHERE {key} = ANY ($1::text[])"
        return sql, column_place(table, table.key)

    def _put(self, table: TableSpec) -> str:
        """The statement that inserts or replaces rows, given as one array per column."""
        name, key = self.table(table), quoted(table.key)
        arrays = ", ".join(f"${place}::{TYPES[column.kind]}[]" for place, column in enumerate(table.columns, 1))
        changes = ", ".join(
            f"{quoted(column.name)} = excluded.{quoted(column.name)}"
            for column in table.columns
            if column.name != table.key
        )
        return (
            f"INSERT INTO {name} ({_columns(table)}) "
            f'SELECT * FROM unnest({arrays}) AS v ({_columns(table)}) ORDER BY v.{key} COLLATE "C" '
            f"ON CONFLICT ({key}) DO {f'UPDATE SET {changes}' if changes else 'NOTHING'}"
        )

    def _delete(self, table: TableSpec) -> str:
        """The statement that deletes rows by `$1`, an array of keys."""
        name, key = self.table(table), quoted(table.key)
        return (
            "WITH held AS MATERIALIZED ("
            f"SELECT {key} FROM {name} WHERE {key} = ANY ($1::text[]) ORDER BY {key} FOR UPDATE) "
            f"DELETE FROM {name} WHERE {key} IN (SELECT {key} FROM held)"
        )

    def _page(self, table: TableSpec, shape: PageShape) -> str:
        """The statement that reads `$1` rows; `$2`, … are the arguments of their shape."""
        place = count(2)
        tests = [f"{quoted(name)} = ${next(place)}" for name in shape.equal]
        tests += [f"{quoted(name)} IS NULL" for name in shape.nulls]
        tests += [] if shape.up_to is None else [f"{_sorting(table, shape.up_to)} <= ${next(place)}"]
        order = [_sorting(table, name) for name in (shape.ordered, table.key) if name is not None]
        if shape.further:
            tests.append(f"({', '.join(order)}) > ({', '.join(f'${next(place)}' for _ in order)})")
        elif shape.ordered not in (None, shape.up_to):
            tests.append(f"{order[0]} IS NOT NULL")
        condition = f"WHERE {' AND '.join(tests)} " if tests else ""
        return f"SELECT {_columns(table)} FROM {self.table(table)} {condition}ORDER BY {', '.join(order)} LIMIT $1"

    def creation(self, table: TableSpec) -> list[str]:
        """The statements that create the table and its indexes."""
        columns = [_definition(table, name, kind, nullable) for name, kind, nullable in table.columns]
        return [
            f"CREATE TABLE {self.table(table)} ({', '.join(columns)})",
            *(
                f"CREATE INDEX {quoted(index_name(table.name, column))} ON {self.table(table)} ({quoted(column)})"
                for column in table.indexes
            ),
        ]

    def missing_indexes(self, table: TableSpec, present: Sequence[str]) -> list[str]:
        """The statements that create the indexes that are not among those of the names in `present`."""
        return [
            f"CREATE INDEX {quoted(index_name(table.name, column))} ON {self.table(table)} ({quoted(column)})"
            for column in table.indexes
            if index_name(table.name, column) not in present
        ]


def expected_columns(table: TableSpec) -> list[tuple[Any, ...]]:
    """Name, type, whether it must have a value, and whether it is the key, of each column."""
    return [
        (name, TYPES[kind], name == table.key or not nullable, name == table.key)
        for name, kind, nullable in table.columns
    ]


def as_put(table: TableSpec, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows that asyncpg returned, with their values as they were put."""
    times = _time_places(table)
    return [_with_zones(row, times) for row in rows] if times else [tuple(row) for row in rows]


@lru_cache(maxsize=512)
def _time_places(table: TableSpec) -> tuple[int, ...]:
    return tuple(place for place, column in enumerate(table.columns) if column.kind == "time")


def _with_zones(row: Any, places: Sequence[int]) -> tuple[Any, ...]:
    values = list(row)
    for place in places:
        # asyncpg keeps the first and last of Python's times as infinities, and returns those without a zone.
        if values[place] is not None and values[place].tzinfo is None:
            values[place] = values[place].replace(tzinfo=UTC)
    return tuple(values)


def _columns(table: TableSpec) -> str:
    return ", ".join(quoted(column.name) for column in table.columns)


def _sorting(table: TableSpec, name: str) -> str:
    """A column as it is compared: texts by code points, as elsewhere, whatever the database's locale."""
    text = table.columns[column_place(table, name)].kind == "text" and name != table.key
    return quoted(name) + (' COLLATE "C"' if text else "")


def _definition(table: TableSpec, name: str, kind: str, nullable: bool) -> str:
    if name == table.key:
        return f'{quoted(name)} text COLLATE "C" PRIMARY KEY'
    return f"{quoted(name)} {TYPES[kind]}{'' if nullable else ' NOT NULL'}"


def index_name(table: str, column: str) -> str:
    """The name of the index that we make on a table's column."""
    # At most 63 letters, and different for every table and column: indexes share one space of names.
    return f"{table[:24]}_{column[:24]}_{zlib.crc32(f'{table}.{column}'.encode()):08x}"
