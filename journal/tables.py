"""Which view tables and which values in them every store accepts.

The three stores take the same values and give the same back, so a view tested in memory behaves the same on a server:
times come back in UTC, whole numbers have 64 bits, and what one of the databases cannot hold is refused by all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from journal.errors import BadPayload, InvalidName
from journal.names import unreserved_name
from journal.records import TableSpec, checked_key, checked_name

SYSTEM_COLUMNS = frozenset({"ctid", "cmin", "cmax", "tableoid", "xmin", "xmax"})  # every PostgreSQL table has these
_INTEGER_LIMIT = 2**63

Normal: TypeAlias = Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a str")
    if "\0" in value:
        raise ValueError("it holds NUL")
    if not value.isascii():
        value.encode()
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not an int")
    if not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        raise ValueError("outside the 64 bits of an integer column")
    return int(value)


def _real(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("not a float")
    if value != value:
        raise ValueError("NaN")
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not a bool")
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("not bytes")
    return bytes(value)


def _time(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError("not a datetime")
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError("a datetime without zone")
    return value.astimezone(UTC)


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, Decimal):
        raise TypeError("not a Decimal")
    if not value.is_finite():
        raise ValueError("not a finite number")
    return value


KINDS: Mapping[str, Normal] = {
    "text": _text,
    "integer": _integer,
    "real": _real,
    "boolean": _boolean,
    "bytes": _bytes,
    "time": _time,
    "decimal": _decimal,
}


@lru_cache(maxsize=512)
def checked_table(table: TableSpec) -> TableSpec:
    """Return `table` if every store can create it.

    Raises:
        InvalidName: its name, a column's or an index's cannot be used, or is used twice.
        ValueError: a column's kind is unknown, or the key is not one of the columns, of kind text.
    """
    unreserved_name(table.name)
    names = [checked_name(column.name) for column in table.columns]
    if len(set(names)) != len(names):
        raise InvalidName(f"table {table.name!r}: a column's name appears twice")
    if not SYSTEM_COLUMNS.isdisjoint(names):
        raise InvalidName(f"table {table.name!r}: no column can be called {', '.join(sorted(SYSTEM_COLUMNS))}")
    for column in table.columns:
        if column.kind not in KINDS:
            place = f"table {table.name!r}, column {column.name!r}"
            raise ValueError(f"{place}: kind {column.kind!r} is none of {', '.join(KINDS)}")
    if [column.kind for column in table.columns if column.name == table.key] != ["text"]:
        raise ValueError(f"table {table.name!r}: its key {table.key!r} must be one of its columns, of kind text")
    if not set(table.indexes) <= set(names) or len(set(table.indexes)) != len(table.indexes):
        raise InvalidName(f"table {table.name!r}: its indexes {table.indexes!r} must name columns, each once")
    return table


def checked_rows(table: TableSpec, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Return `rows` in the form in which they will be read back.

    Raises:
        BadPayload: a row has too many or too few values, a value does not fit its column, or two rows have one key.
        InvalidName: a row's key cannot be a key.
    """
    normals = _normals(checked_table(table))
    checked = [_checked_row(table, normals, row) for row in rows]
    place = column_place(table, table.key)
    if len({row[place] for row in checked}) != len(checked):
        raise BadPayload(f"table {table.name!r}: two of the rows have the same key")
    return checked


def checked_keys(keys: Sequence[str]) -> list[str]:
    """Return `keys` if each can be a row's key.

    Raises:
        InvalidName: one cannot.
    """
    return [checked_key(key) for key in keys]


def checked_value(table: TableSpec, name: str, value: Any) -> Any:
    """Return `value` in the form in which column `name` gives it back; None stays None.

    Raises:
        BadPayload: the table has no such column, or the value does not fit it.
    """
    kind = table.columns[column_place(table, name)].kind
    return None if value is None else _checked(table, name, KINDS[kind], value)


@lru_cache(maxsize=512)
def column_place(table: TableSpec, name: str) -> int:
    """The place of a column in the table's rows, from 0.

    Raises:
        BadPayload: the table has no such column.
    """
    for place, column in enumerate(checked_table(table).columns):
        if column.name == name:
            return place
    raise BadPayload(f"table {table.name!r} has no column {name!r}")


@lru_cache(maxsize=512)
def _normals(table: TableSpec) -> tuple[tuple[str, Normal, bool], ...]:
    return tuple(
        (column.name, checked_key if column.name == table.key else KINDS[column.kind], _nullable(table, column.name))
        for column in table.columns
    )


def _nullable(table: TableSpec, name: str) -> bool:
    return name != table.key and all(column.nullable for column in table.columns if column.name == name)


def _checked_row(
    table: TableSpec, normals: tuple[tuple[str, Normal, bool], ...], row: Sequence[Any]
) -> tuple[Any, ...]:
    if len(row) != len(normals):
        raise BadPayload(f"table {table.name!r} has {len(normals)} columns, the row has {len(row)} values")
    return tuple(
        [
            None if value is None and nullable else _checked(table, name, normal, value)
            for (name, normal, nullable), value in zip(normals, row, strict=True)
        ]
    )


def _checked(table: TableSpec, name: str, normal: Normal, value: Any) -> Any:
    try:
        return normal(value)
    except InvalidName:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise BadPayload(
            f"table {table.name!r}, column {name!r}: cannot store a {type(value).__name__}: {error}"
        ) from None
