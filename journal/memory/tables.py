"""View tables in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from journal.errors import SchemaMismatch
from journal.records import TableSpec
from journal.scans import limit_value, ordered_column
from journal.tables import checked_table, checked_value, column_place

Rows = dict[str, tuple[Any, ...]]


class MemoryTables(dict[str, tuple[TableSpec, Rows]]):
    """All view tables by name, each with its rows by key."""

    def rows(self, table: TableSpec) -> Rows:
        """The rows of `table`.

        Raises:
            SchemaMismatch: the table was never created, or has other columns.
        """
        stored = self.get(checked_table(table).name)
        if stored is None:
            raise SchemaMismatch(f"table {table.name!r} does not exist: create it with create_table")
        if (stored[0].key, stored[0].columns) != (table.key, table.columns):
            raise SchemaMismatch(f"table {table.name!r} has other columns: {stored[0].columns}, not {table.columns}")
        return stored[1]

    def found(
        self,
        table: TableSpec,
        where: Mapping[str, Any] | None,
        up_to: tuple[str, Any] | None,
        order_by: str | None,
        limit: int | None,
    ) -> list[tuple[Any, ...]]:
        """The rows that a scan gives.

        Raises:
            BadPayload, SchemaMismatch: as `Database.scan`.
        """
        rows = [row for _, row in sorted(self.rows(table).items())]
        for name, value in (where or {}).items():
            place, wanted = column_place(table, name), checked_value(table, name, value)
            rows = [row for row in rows if row[place] == wanted]
        if up_to is not None:
            place, most = column_place(table, up_to[0]), limit_value(table, *up_to)
            rows = [row for row in rows if row[place] is not None and row[place] <= most]
        if order_by is not None:
            place = column_place(table, ordered_column(table, order_by))
            valued = sorted((row for row in rows if row[place] is not None), key=lambda row: row[place])
            rows = [*valued, *(row for row in rows if row[place] is None)]
        return rows if limit is None else rows[: max(limit, 0)]
