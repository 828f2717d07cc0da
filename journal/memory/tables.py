"""View tables in memory, and what a transaction does to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from journal.errors import SchemaMismatch
from journal.records import TableSpec
from journal.scans import limit_value, ordered_column
from journal.tables import checked_keys, checked_rows, checked_table, checked_value, column_place

Rows = dict[str, tuple[Any, ...]]


class MemoryTable:
    """A table: how it was created, and its rows by key. It keeps its rows when its name changes."""

    def __init__(self, spec: TableSpec) -> None:
        self.spec = spec
        self.rows: Rows = {}


class MemoryTables(dict[str, MemoryTable]):
    """All view tables by name."""

    def table(self, spec: TableSpec) -> MemoryTable:
        """The table that goes by the name of `spec`.

        Raises:
            SchemaMismatch: the table was never created, or has other columns.
        """
        return _fitting(spec, self.get(checked_table(spec).name))

    def found(
        self,
        spec: TableSpec,
        where: Mapping[str, Any] | None,
        up_to: tuple[str, Any] | None,
        order_by: str | None,
        limit: int | None,
    ) -> list[tuple[Any, ...]]:
        """The rows that a scan gives.

        Raises:
            BadPayload, SchemaMismatch: as `Database.scan`.
        """
        rows = [row for _, row in sorted(self.table(spec).rows.items())]
        for name, value in (where or {}).items():
            place, wanted = column_place(spec, name), checked_value(spec, name, value)
            rows = [row for row in rows if row[place] == wanted]
        if up_to is not None:
            place, most = column_place(spec, up_to[0]), limit_value(spec, *up_to)
            rows = [row for row in rows if row[place] is not None and row[place] <= most]
        if order_by is not None:
            place = column_place(spec, ordered_column(spec, order_by))
            valued = sorted((row for row in rows if row[place] is not None), key=lambda row: row[place])
            rows = [*valued, *(row for row in rows if row[place] is None)]
        return rows if limit is None else rows[: max(limit, 0)]


class TableChanges:
    """What a transaction has done to tables and their names, on top of the committed ones."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._named: dict[str, MemoryTable | None] = {}
        self._changed: dict[MemoryTable, dict[str, tuple[Any, ...] | None]] = {}

    def get(self, spec: TableSpec, keys: Sequence[str]) -> Rows:
        """The rows of `keys`."""
        table = self._table(spec)
        changed = self._changed.get(table, {})
        found = {key: changed[key] if key in changed else table.rows.get(key) for key in checked_keys(keys)}
        return {key: row for key, row in found.items() if row is not None}

    def put(self, spec: TableSpec, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert or replace rows."""
        table, place = self._table(spec), column_place(spec, spec.key)
        self._changed.setdefault(table, {}).update({row[place]: row for row in checked_rows(spec, rows)})

    def delete(self, spec: TableSpec, keys: Sequence[str]) -> None:
        """Delete rows."""
        self._changed.setdefault(self._table(spec), {}).update(dict.fromkeys(checked_keys(keys)))

    def rename(self, old: str, new: str) -> None:
        """Give a table another name.

        Raises:
            SchemaMismatch: there is none, or the name is taken.
        """
        table = self._at(old)
        if table is None:
            raise SchemaMismatch(f"table {old!r} does not exist and cannot be called {new!r}")
        if self._at(new) is not None:
            raise SchemaMismatch(f"table {old!r} cannot be called {new!r}: that name is taken")
        self._named.update({old: None, new: table})

    def drop(self, name: str) -> None:
        """Take a name away, and with it the table."""
        self._named[name] = None

    def apply(self) -> None:
        """Make it the committed state."""
        for table, changed in self._changed.items():
            for key, row in changed.items():
                if row is None:
                    table.rows.pop(key, None)
                else:
                    table.rows[key] = row
        for name, named in self._named.items():
            if named is None:
                self._tables.pop(name, None)
            else:
                self._tables[name] = named

    def _at(self, name: str) -> MemoryTable | None:
        return self._named[name] if name in self._named else self._tables.get(name)

    def _table(self, spec: TableSpec) -> MemoryTable:
        return _fitting(spec, self._at(checked_table(spec).name))


def _fitting(spec: TableSpec, stored: MemoryTable | None) -> MemoryTable:
    if stored is None:
        raise SchemaMismatch(f"table {spec.name!r} does not exist: create it with create_table")
    if (stored.spec.key, stored.spec.columns) != (spec.key, spec.columns):
        raise SchemaMismatch(f"table {spec.name!r} has other columns: {stored.spec.columns}, not {spec.columns}")
    return stored
