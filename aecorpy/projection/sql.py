"""A view in the journal's own database, written with SQL."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from aecorpy.projection.contract import Projection, Step
from journal.contract import Database, Transaction
from journal.events import EntityEvent
from journal.records import NewNote

E = TypeVar("E")


class SqlView(Projection[E]):
    """A view whose statements are yours; they commit in one transaction with the offsets, so each event counts once.

    Events of several tags may be handled at once by several runners: write sums as increments (`SET n = n + $1`), and
    touch rows in a fixed order so that two transactions do not wait for each other.
    """

    async def create(self, transaction: Transaction) -> None:
        """Create tables where they are missing (`CREATE TABLE IF NOT EXISTS …`)."""

    @abstractmethod
    async def apply(self, transaction: Transaction, events: Sequence[EntityEvent[E]]) -> None:
        """Handle `events`, in order within each tag, inside `transaction`."""

    async def prepare(self, database: Database) -> None:
        """Run `create` in a transaction, one at a time in the whole cluster.

        PostgreSQL's `CREATE TABLE IF NOT EXISTS` fails when another connection creates the same table at that moment.
        """
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
