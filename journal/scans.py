"""What a scan of a view's table asks for, and page by page how far it has come. The stores differ only in the SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from journal.errors import BadPayload
from journal.records import TableSpec
from journal.tables import checked_table, checked_value, column_place

PAGE = 1_000  # rows
UNORDERED_KINDS = frozenset({"decimal"})  # SQLite keeps them as text, which sorts otherwise


class PageShape(NamedTuple):
    """What the rows of one page have in common, without the values: the same shape is the same SQL.

    Arguments of that SQL are, in this order: a value for each of `equal`, one for `up_to`, one for `ordered` and the
    key of the row behind which the page begins, the last two if it is a `further` one.

    Attributes:
        equal: columns that equal a value.
        nulls: columns that have no value.
        up_to: the column that is at most a value.
        ordered: the column, of which all rows have a value, by which they come; and then, or without one, by key.
        further: the page lies behind a row.
    """

    equal: tuple[str, ...]
    nulls: tuple[str, ...]
    up_to: str | None
    ordered: str | None
    further: bool = False


class Scan:
    """A scan under way: `size`, `shape` and `arguments` of the next page, as long as there are `more`.

    Args:
        table: the table.
        where: columns and the values they equal; None for those without a value.
        up_to: a column, and the value that its values do not exceed.
        order_by: the column by which rows come, before the key; those without a value last.
        limit: most rows.
        sifted: columns in `where` that the store tests by itself, on the rows of a page.

    Raises:
        BadPayload: there is no such column, a value does not fit it, or it cannot be compared or ordered.
    """

    def __init__(
        self,
        table: TableSpec,
        where: Mapping[str, Any] | None,
        up_to: tuple[str, Any] | None,
        order_by: str | None,
        limit: int | None,
        *,
        sifted: Sequence[str] = (),
    ) -> None:
        self._table = checked_table(table)
        wanted = {name: checked_value(table, name, value) for name, value in (where or {}).items()}
        self._values = [value for name, value in wanted.items() if value is not None and name not in sifted]
        if up_to is not None:
            self._values.append(limit_value(table, *up_to))
        self._left = limit
        self._shapes = _shapes(table, wanted, None if up_to is None else up_to[0], order_by, sifted)
        self._behind: tuple[Any, ...] = ()
        self.size = PAGE if sifted or limit is None else max(0, min(limit, PAGE))
        self.more = limit is None or limit > 0

    @property
    def shape(self) -> PageShape:
        """What the rows of the next page have in common."""
        return self._shapes[0]

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The values for the next page's SQL, apart from its size."""
        return (*self._values, *self._behind)

    def passed(self, rows: Sequence[tuple[Any, ...]], kept: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """Go on behind a page.

        Args:
            rows: all rows of the page.
            kept: those of them that were asked for.

        Returns:
            those that do not exceed the scan's limit.
        """
        if self._left is not None:
            kept = kept[: self._left]
            self._left -= len(kept)
        if len(rows) == self.size:
            self._behind = self._place(rows[-1])
            self._shapes[0] = self.shape._replace(further=True)
        else:
            self._behind = ()
            del self._shapes[0]
        self.more = bool(self._shapes) and self._left != 0
        return kept

    def _place(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [self._table.key] if self.shape.ordered is None else [self.shape.ordered, self._table.key]
        return tuple([row[column_place(self._table, name)] for name in names])


def ordered_column(table: TableSpec, name: str) -> str:
    """Return `name` if rows can be ordered, or bounded, by that column on every store.

    Raises:
        BadPayload: there is no such column, or it is of a kind that not every store orders.
    """
    kind = table.columns[column_place(table, name)].kind
    if kind in UNORDERED_KINDS:
        raise BadPayload(f"table {table.name!r}, column {name!r}: not every store can order values of kind {kind}")
    return name


def limit_value(table: TableSpec, name: str, value: Any) -> Any:
    """Return `value` in the form in which column `name` gives it back.

    Raises:
        BadPayload: the column cannot be bounded by it.
    """
    checked = checked_value(table, ordered_column(table, name), value)
    if checked is None:
        raise BadPayload(f"table {table.name!r}, column {name!r}: up_to needs a value")
    return checked


def _shapes(
    table: TableSpec, wanted: Mapping[str, Any], up_to: str | None, order_by: str | None, sifted: Sequence[str]
) -> list[PageShape]:
    """One shape, or two in their order: rows with a value in the column that orders them, and rows without."""
    equal = tuple(name for name, value in wanted.items() if value is not None and name not in sifted)
    nulls = tuple(name for name, value in wanted.items() if value is None and name not in sifted)
    if order_by is None or ordered_column(table, order_by) in (table.key, *nulls):
        return [PageShape(equal, nulls, up_to, None)]
    valued = PageShape(equal, nulls, up_to, order_by)
    if order_by == up_to or wanted.get(order_by) is not None or not _nullable(table, order_by):
        return [valued]
    return [valued, PageShape(equal, (*nulls, order_by), up_to, None)]


def _nullable(table: TableSpec, name: str) -> bool:
    return table.columns[column_place(table, name)].nullable
