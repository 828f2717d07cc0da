"""Views over counters, for the tests of projections."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aecorpy import (
    ClusterNode,
    EntityEvent,
    Folded,
    ForeignSink,
    Impossible,
    Next,
    SqlView,
    Table,
    TableView,
    Versioned,
)
from journal.contract import Database, JournalStore, Transaction
from tests.aecorpy.running import ProjectionHandle
from tests.aecorpy.samples import Added, Counter
from tests.faulty_store import FaultyJournal
from tests.waiting import eventually


class Trouble:
    """What goes wrong in a view's own code, and what it was shown."""

    def __init__(self) -> None:
        self.poison: set[str] = set()
        self.seen: Tally[tuple[str, int]] = Tally()
        self.gates: dict[str, asyncio.Event] = {}

    def look(self, event: EntityEvent[Added]) -> None:
        """See an event; raise if it is poison."""
        self.seen[event.entity_key, event.seq_nr] += 1
        if event.payload.note in self.poison:
            raise ValueError(f"cannot handle {event.payload.note!r}")


@dataclass(frozen=True, slots=True)
class Total:
    key: str
    total: int
    events: int
    last_note: str | None


class Totals(TableView[Total, Added]):
    """A row per counter; none at a total of zero."""

    entity = Counter
    table = Table(Total, "totals", indexes=("total",))

    def __init__(self) -> None:
        self.trouble = Trouble()

    def apply(self, row: Total | None, event: EntityEvent[Added]) -> Total | None:
        self.trouble.look(event)
        before = row or Total(event.entity_key, 0, 0, None)
        assert before.events == event.seq_nr - 1, f"{before} is shown {event}"
        return Total(before.key, before.total + event.payload.n, before.events + 1, event.payload.note or None)


async def totals(database: Database) -> dict[str, int]:
    """The view's totals."""
    return {row.key: row.total async for row in Totals.table.rows(database)}


class ByShard(SqlView[Added]):
    """Sums by shard, in SQL."""

    entity = Counter

    def __init__(self) -> None:
        self.trouble = Trouble()

    async def create(self, transaction: Transaction) -> None:
        await transaction.execute("CREATE TABLE IF NOT EXISTS by_shard (shard integer PRIMARY KEY, total integer)")

    async def apply(self, transaction: Transaction, events: Sequence[EntityEvent[Added]]) -> None:
        sums: Tally[int] = Tally()
        for event in events:
            self.trouble.look(event)
            sums[event.shard] += event.payload.n
        sql = (
            "INSERT INTO by_shard (shard, total) VALUES ($1, $2) "
            "ON CONFLICT (shard) DO UPDATE SET total = by_shard.total + excluded.total"
        )
        await transaction.execute_many(sql, sorted(sums.items()))


async def total_by_shard(database: Database) -> dict[int, int]:
    """The view's sums."""
    async with database.transaction() as transaction:
        return {int(row[0]): int(row[1]) for row in await transaction.fetch("SELECT shard, total FROM by_shard")}


class Notes(ForeignSink[tuple[str, ...], Added]):
    """All notes of a counter, kept elsewhere."""

    entity = Counter

    def __init__(self) -> None:
        self.trouble = Trouble()
        self.kept: dict[str, Versioned[tuple[str, ...]]] = {}
        self.fail_load: Callable[[str], bool] = lambda key: False
        self.fail_save: Callable[[str], bool] = lambda key: False
        self.saves = 0

    async def load(self, key: str) -> Versioned[tuple[str, ...]] | None:
        if self.fail_load(key):
            raise ConnectionError("the sink is away")
        return self.kept.get(key)

    async def save(self, key: str, versioned: Versioned[tuple[str, ...]]) -> None:
        if self.fail_save(key):
            raise ConnectionError("the sink is away")
        self.saves += 1
        self.kept[key] = versioned

    def apply(self, value: tuple[str, ...] | None, event: EntityEvent[Added]) -> Folded[tuple[str, ...]]:
        self.trouble.look(event)
        if event.payload.note == "cannot follow":
            return Impossible("it says so itself")
        return Next((*(value or ()), event.payload.note))


async def caught_up(node: ClusterNode, handle: ProjectionHandle, within: float = 10.0) -> None:
    """Return when a projection has handled what is in the journal now."""
    store: JournalStore = node.journal(Counter).store
    store = store.inner if isinstance(store, FaultyJournal) else store
    heads = {f"counter-{row.shard}": row.head for row in await store.heads()}

    def done() -> bool:
        return all(tag.offset >= heads[tag.tag] for tag in handle.status().tags)

    await eventually(done, within=within, what=f"{handle.status()} has caught up with {heads}")
