"""A view as a table of rows, one per key, each the fold of the events with that key. Exactly once, and fast."""

from __future__ import annotations

import dataclasses
import types
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Generic, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from aecorpy.errors import AecorError, InvalidDefinition, SchemaMismatch
from aecorpy.projection.contract import Projection, Step
from journal.contract import Database
from journal.events import EntityEvent
from journal.records import Column, TableSpec, checked_name

R = TypeVar("R")
E = TypeVar("E")

_KINDS = {
    str: "text",
    int: "integer",
    float: "real",
    bool: "boolean",
    bytes: "bytes",
    datetime: "time",
    Decimal: "decimal",
}


class Table(Generic[R]):
    """A view's table whose columns are the fields of a dataclass.

    Args:
        row: the dataclass; its fields are str, int, float, bool, bytes, datetime (with zone) or Decimal, or one of
            these or None.
        name: the table's name.
        key: the field that is the key, a str; by default the first.
        indexes: fields that get an index.

    Raises:
        InvalidDefinition: a field is of another type, or `key` is none.
        InvalidName: a name cannot be a table's or column's.
    """

    def __init__(self, row: type[R], name: str, *, key: str | None = None, indexes: tuple[str, ...] = ()) -> None:
        if not dataclasses.is_dataclass(row):
            raise InvalidDefinition(f"Table {name!r}: {row.__name__} is not a dataclass")
        columns = tuple(_columns(row))
        if not columns:
            raise InvalidDefinition(f"Table {name!r}: {row.__name__} has no field")
        key = columns[0].name if key is None else key
        if Column(key, "text", False) not in columns:
            raise InvalidDefinition(f"Table {name!r}: its key {key!r} must be a field of {row.__name__} of type str")
        unknown = set(indexes) - {column.name for column in columns}
        if unknown:
            raise InvalidDefinition(f"Table {name!r}: cannot index {sorted(unknown)}, {row.__name__} has no such field")
        self.row = row
        self.spec = TableSpec(checked_name(name), key, columns, indexes)
        self._names = tuple(column.name for column in columns)

    def named(self, name: str) -> Table[R]:
        """A table of the same rows under another name.

        Raises:
            InvalidName: it cannot be a table's.
        """
        return Table(self.row, name, key=self.spec.key, indexes=self.spec.indexes)

    def values(self, row: R) -> tuple[Any, ...]:
        """The row's values in the order of the columns."""
        return tuple([getattr(row, name) for name in self._names])

    async def rows(self, database: Database, **where: Any) -> AsyncIterator[R]:
        """Committed rows whose fields equal `where` (all rows without it), by key."""
        async for values in database.scan(self.spec, where):
            yield self.row(*values)


class TableView(Projection[E], Generic[R, E]):
    """A view in the journal's own database: rows and offsets commit in one transaction.

    All events of one key must come from one entity (the default key is the entity's), because rows are read, folded
    and written back by the one runner of a tag. For sums over many entities use `SqlView` with increments.

    Class attributes:
        table: where the rows lie.
    """

    table: ClassVar[Table[Any]]

    @abstractmethod
    def apply(self, row: R | None, event: EntityEvent[E]) -> R | None:
        """The row after `event`; None for no row."""

    def key(self, event: EntityEvent[E]) -> str:
        """The key of the row that `event` belongs to: the entity's."""
        return event.entity_key

    def check(self) -> None:
        """See `Projection.check`."""
        super().check()
        if not isinstance(getattr(self, "table", None), Table):
            raise InvalidDefinition(f"{type(self).__name__}: say where its rows lie, `table = Table(…)`")

    def tables(self) -> tuple[str, ...]:
        """See `Projection.tables`."""
        return (self.table.spec.name,)

    def at(self, generation: int, suffix: str) -> Self:
        """See `Projection.at`."""
        other = super().at(generation, suffix)
        vars(other)["table"] = self.table.named(self.table.spec.name + suffix)
        return other

    async def prepare(self, database: Database) -> None:
        """Create the table."""
        try:
            await database.create_table(self.table.spec)
        except SchemaMismatch as error:
            todo = f"if its columns have changed, raise {type(self).__name__}.version, and the view is built anew"
            raise SchemaMismatch(f"{error}; {todo}") from error

    async def handle(self, database: Database, step: Step[E]) -> None:
        """Fold the step's events into their rows, and commit rows and offsets."""
        keys = list(dict.fromkeys([self.key(event) for event in step.events]))
        async with database.transaction() as transaction:
            spec = self.table.spec
            stored = await transaction.get_rows(spec, keys) if keys else {}
            rows: dict[str, R | None] = {key: self.table.row(*values) for key, values in stored.items()}
            for event in step.events:
                key = self.key(event)
                rows[key] = self.apply(rows.get(key), event)
            if put := [self._values(key, row) for key, row in rows.items() if row is not None]:
                await transaction.put_rows(spec, put)
            if gone := [key for key, row in rows.items() if row is None and key in stored]:
                await transaction.delete_rows(spec, gone)
            await step.commit_in(transaction)

    def _values(self, key: str, row: R) -> tuple[Any, ...]:
        own = getattr(row, self.table.spec.key)
        if own != key:  # it would be written there and never be found again
            raise AecorError(f"table {self.table.spec.name!r}: apply made the row of {own!r} from an event of {key!r}")
        return self.table.values(row)


def _columns(row: type[Any]) -> Iterator[Column]:
    try:
        hints = get_type_hints(row)
    except Exception as error:  # annotations are the user's code
        raise InvalidDefinition(f"{row.__name__}: its annotations cannot be read: {error}") from error
    for field in dataclasses.fields(row):
        if field.kw_only or not field.init:
            raise InvalidDefinition(f"{row.__name__}.{field.name}: rows are made from their fields in order")
        yield _column(row, field.name, hints[field.name])


def _column(row: type, name: str, annotation: Any) -> Column:
    nullable = False
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not types.NoneType]
        nullable = len(members) < len(get_args(annotation))
        annotation = members[0] if len(members) == 1 else annotation
    kind = _KINDS.get(annotation)
    if kind is None:
        raise InvalidDefinition(f"{row.__name__}.{name}: a column cannot hold {annotation!r}")
    return Column(checked_name(name), kind, nullable)
