"""A view outside the journal's database, made idempotent by the entity's version, as in Aecor's example.

Its row and our offset cannot commit together, so events may come again after a failure. The sink keeps with each value
the version (sequence number) of the last event in it, and what it has seen is skipped.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar, cast

from aecorpy.errors import AecorError, InvalidDefinition
from aecorpy.fold import Folded, Impossible, Next
from aecorpy.projection.contract import Projection, Step
from journal.contract import Database
from journal.events import EntityEvent

V = TypeVar("V")
E = TypeVar("E")


@dataclass(frozen=True)
class Versioned(Generic[V]):
    """A value of the sink, and the version of the last event it includes."""

    value: V
    version: int


class SinkOutOfStep(AecorError):
    """The sink's version and the event do not follow each other: an event is missing in the sink."""

    def __init__(self, key: str, version: int, seq_nr: int) -> None:
        super().__init__(
            f"the sink's {key!r} is at version {version}, but the next event is {seq_nr}: rebuild the sink"
        )
        self.key, self.version, self.seq_nr = key, version, seq_nr


class ForeignSink(Projection[E], Generic[V, E]):
    """A view that `load` and `save` reach. `save` must store value and version together, or neither.

    Class attributes:
        by_generation: `load` and `save` keep the generations of the view apart, by `self.generation`; needed to build
            another beside the one that serves. Which one serves is told by `view_of` of `aecorpy.management.views`.
    """

    idempotent = True
    patient = True
    by_generation: ClassVar[bool] = False

    def check_beside(self) -> None:
        """See `Projection.check_beside`."""
        if not self.by_generation:
            raise InvalidDefinition(
                f"{type(self).__name__}: let `load` and `save` keep generations apart by `self.generation`, and say so "
                "by `by_generation = True`"
            )

    @abstractmethod
    async def load(self, key: str) -> Versioned[V] | None:
        """What the sink has of entity `key`."""

    @abstractmethod
    async def save(self, key: str, versioned: Versioned[V]) -> None:
        """Store a value with its version."""

    @abstractmethod
    def apply(self, value: V | None, event: EntityEvent[E]) -> Folded[V]:
        """The value after `event`."""

    async def handle(self, database: Database, step: Step[E]) -> None:
        """Bring the sink up to date entity by entity, then move the offsets."""
        by_key: dict[str, list[EntityEvent[E]]] = {}
        for event in step.events:
            by_key.setdefault(event.entity_key, []).append(event)
        for key, events in by_key.items():
            await self._catch_up(key, events)
        async with database.transaction() as transaction:
            await step.commit_in(transaction)

    async def _catch_up(self, key: str, events: list[EntityEvent[E]]) -> None:
        stored = await self.load(key)
        value, version = (None, 0) if stored is None else (stored.value, stored.version)
        unseen = [event for event in events if event.seq_nr > version]
        for event in unseen:
            if event.seq_nr != version + 1:
                raise SinkOutOfStep(key, version, event.seq_nr)
            folded = self.apply(value, event)
            if isinstance(folded, Impossible):
                raise AecorError(f"{key!r}: event {event.seq_nr} cannot follow version {version}: {folded.reason}")
            if not isinstance(folded, Next):
                raise AecorError(
                    f"{key!r}, event {event.seq_nr}: apply returned {folded!r}, neither Next nor Impossible"
                )
            value, version = folded.state, event.seq_nr
        if unseen:
            await self.save(key, Versioned(cast("V", value), version))
