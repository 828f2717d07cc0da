"""A view in the journal's own database, written with SQL."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self, TypeVar

from aecorpy.errors import InvalidDefinition
from aecorpy.projection.contract import Projection, Step
from journal.contract import Database, Transaction
from journal.events import EntityEvent
from journal.records import NewNote

E = TypeVar("E")


class SqlView(Projection[E]):
    """A view whose statements are yours; they commit in one transaction with the offsets, so each event counts once.

    Events of several tags may be handled at once by several runners: write sums as increments (`SET n = n + $1`), and
    touch rows in a fixed order so that two transactions do not wait for each other.

    Class attributes:
        table_names: the tables it writes. Statements then say `self.table("products")` for a table, so that another
            generation of the view can be built in tables of its own.
    """

    table_names: ClassVar[tuple[str, ...]] = ()
    _suffix = ""

    def check_beside(self) -> None:
        """See `Projection.check_beside`."""
        if not self.table_names:
            raise InvalidDefinition(
                f'{type(self).__name__}: declare its tables, `table_names = ("products",)`, and write '
                '`{self.table("products")}` in its statements, for indexes too: `{self.table("products")}_by_price`'
            )
        super().check_beside()

    def tables(self) -> tuple[str, ...]:
        """See `Projection.tables`."""
        return self.table_names

    def table(self, name: str) -> str:
        """The name under which a table of `table_names` is to be written and read in a statement.

        Raises:
            InvalidDefinition: `table_names` does not have it.
        """
        if name not in self.table_names:
            raise InvalidDefinition(f"{type(self).__name__}: {name!r} is not among its table_names")
        return name + self._suffix

    def at(self, generation: int, suffix: str) -> Self:
        """See `Projection.at`."""
        other = super().at(generation, suffix)
        other._suffix = suffix
        return other

    async def create(self, transaction: Transaction) -> None:
        """Create tables where they are missing (`CREATE TABLE IF NOT EXISTS …`)."""

    @abstractmethod
    async def apply(self, transaction: Transaction, events: Sequence[EntityEvent[E]]) -> None:
        """Handle `events`, in order within each tag, inside `transaction`."""

    async def prepare(self, database: Database) -> None:
        """Run `create` in a transaction, one at a time in the whole cluster.

        PostgreSQL's `CREATE TABLE IF NOT EXISTS` fails when another connection creates the same table at that moment.
        """
        names = [self.table(name) for name in self.table_names]
        if self.generation > 1 and names and await database.tables_exist(names) == set(names):
            return  # a table that took another's place has the indexes that it was made with, by their names then
        kind = type(self)
        async with database.transaction() as transaction:
            await transaction.put_note(NewNote("prepared", f"{kind.__module__}.{kind.__qualname__}", b""))
            await self.create(transaction)

    async def handle(self, database: Database, step: Step[E]) -> None:
        """Run `apply` and move the offsets in one transaction."""
        async with database.transaction() as transaction:
            if step.events:
                await self.apply(transaction, step.events)
            await step.commit_in(transaction)
