"""The rows of pending timers: a view of a schedule's events, which also says what becomes due soon."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from aecorpy.behaviour import snake_case
from aecorpy.errors import InvalidDefinition, OutcomeUnknown
from aecorpy.projection.contract import Step
from aecorpy.projection.table import Table, TableView
from aecorpy.refs import EntityRefs
from aecorpy.schedule.firing import Firing
from aecorpy.schedule.timers import Schedule, Scheduled
from journal.contract import Database
from journal.events import EntityEvent
from journal.tagging import EventTag

MOST_PARTS = 8


@dataclass(frozen=True, slots=True)
class Pending:
    """A pending timer: its id, when it is due, and in which part of the schedule it is."""

    id: str
    due: datetime
    part: int


def name_of(timers: type[Schedule[Any]]) -> str:
    """The name of the projection whose processes fire a schedule's timers; to look at, pause or resume it."""
    return f"{timers.__name__}Pending"


def pending(timers: type[Schedule[Any]]) -> Table[Pending]:
    """The table of a schedule's pending timers, which follows soon after they are set and fire."""
    name = timers.journal_name or snake_case(timers.__name__)
    return Table(Pending, f"{name}_pending", indexes=("due",))


class PendingTimers(TableView[Pending, Any]):
    """The rows of one schedule, in as many parts as there are processes, and what fires each part."""

    idempotent = True  # each event says by itself what is in its row

    def __init__(self) -> None:
        self.parts = min(MOST_PARTS, self.entity.tagging.shard_count)
        self._firing: dict[int, Firing] = {}
        self._refs: EntityRefs[Schedule[Any]] | None = None

    def bind(self, refs: Callable[[type[Any]], Any]) -> None:
        """See `Projection.bind`."""
        self._refs = refs(self.entity)

    def at(self, generation: int, suffix: str) -> Self:
        """See `Projection.at`. What is built from old events says nothing to what fires."""
        other = super().at(generation, suffix)
        if suffix:
            other._firing = {}
        return other

    def beside(self, database: Database, tags: Sequence[EventTag]) -> Callable[[], Coroutine[Any, Any, None]] | None:
        """What fires the timers of a process's tags; see `Projection.beside`."""
        part = self._part(tags[0].shard)
        firing = Firing(database, self.table.spec, part, self._fire, self.prepare)
        self._firing[part] = firing
        return firing.run

    async def _fire(self, key: str, now: datetime) -> bool:
        assert self._refs is not None, "it is bound before it runs"
        return await self._refs(key).fire(now)

    def apply(self, row: Pending | None, event: EntityEvent[Any]) -> Pending | None:
        """A row for what is set, none for anything else."""
        if isinstance(event.payload, Scheduled):
            return Pending(event.entity_key, event.payload.due, self._part(event.shard))
        return None

    async def handle(self, database: Database, step: Step[Any]) -> None:
        """See `Projection.handle`; what is committed is told to what fires."""
        try:
            await super().handle(database, step)
        except OutcomeUnknown:
            for firing in self._firing.values():
                firing.unsure()
            raise
        for event in step.events:
            near = self._firing.get(self._part(event.shard))
            if near is not None and isinstance(event.payload, Scheduled):
                near.noticed(event.entity_key, event.payload.due)
            elif near is not None:
                near.over(event.entity_key)

    def _part(self, shard: int) -> int:
        """As `aecorpy.projection.distributed.ranges` divides the shards."""
        count = self.entity.tagging.shard_count
        return ((shard + 1) * self.parts - 1) // count


def firing_view(timers: type[Any]) -> tuple[PendingTimers, int]:
    """The view that keeps and fires a schedule's timers, and in how many processes it has to run.

    Raises:
        InvalidDefinition: the class is no `Schedule`.
    """
    if not (isinstance(timers, type) and issubclass(timers, Schedule)):
        raise InvalidDefinition(f"{timers!r} is not a Schedule: subclass Schedule[Payload]")

    class Timers(PendingTimers):
        entity = timers
        table = pending(timers)

    view = Timers()
    return view, view.parts
