"""What a projection is to its runner: it takes steps, each of some events and the moves of their offsets."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from aecorpy.entity import Entity
from aecorpy.errors import AecorError, InvalidDefinition
from aecorpy.pauses import Retry
from journal.contract import Database, Transaction
from journal.events import EntityEvent
from journal.records import DeadLetter, OffsetMove
from journal.tagging import EventTag

E = TypeVar("E")

LONGEST_TABLE = 33


@dataclass(frozen=True, slots=True)
class Stop:
    """On an event that cannot be handled, stop the whole projection and say so."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """On an event that cannot be handled, try it `attempts` times in all, then record it as a dead letter and go on."""

    attempts: int = 3
    retry: Retry = field(default=Retry())

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"SetAside(attempts={self.attempts}): use 1 or more")


FailurePolicy: TypeAlias = Stop | Retry | SetAside


class LetterGone(AecorError):
    """A dead letter that was to be settled is there no more, so its event must not be handled once more."""

    def __init__(self, consumer: str, tag: str, offset: int) -> None:
        super().__init__(f"projection {consumer!r} has no dead letter of {tag} offset {offset} any more")
        self.consumer, self.tag, self.offset = consumer, tag, offset


@dataclass(frozen=True)
class Step(Generic[E]):
    """Events to handle, in order within each tag, and what is to be committed with them.

    Args:
        consumer: the projection's name.
        epoch: the claim under which its offsets may move.
        events: what to handle.
        moves: how far that brings each tag.
        letters: events among the moves that are set aside instead.
        settled: tag and offset of events that were set aside before and are handled now.
    """

    consumer: str
    epoch: int
    events: Sequence[EntityEvent[E]]
    moves: Sequence[OffsetMove]
    letters: Sequence[DeadLetter] = ()
    settled: Sequence[tuple[str, int]] = ()

    async def commit_in(self, transaction: Transaction) -> None:
        """Let offsets and dead letters commit with `transaction`.

        Raises:
            Fenced: another runner has taken over; give the transaction up.
            LetterGone: an event that was set aside has been seen to by somebody else; give it up, too.
        """
        await transaction.move_offsets(self.consumer, self.moves, self.epoch)
        for letter in self.letters:
            await transaction.set_aside(letter)
        for tag, offset in self.settled:
            if not await transaction.settle_letter(self.consumer, tag, offset):
                raise LetterGone(self.consumer, tag, offset)


class Projection(ABC, Generic[E]):
    """A consumer of one entity type's events; usually a `TableView`, `SqlView` or `ForeignSink`.

    Class attributes:
        entity: whose events.
        on_failure: what to do with an event that cannot be handled; never is one skipped in silence.
        batch: the most events in one step.
        idempotent: whether an event may be handled again without harm, so that the view may be replayed in place.
        patient: when a node is lost, wait for the end of its lease before its tags are handled elsewhere, even if it
            is known to be dead; for effects that no epoch fences. The same on all nodes.
        kind: what it is called where deployments are listed.
        version: of what it makes of events. A program that brings a higher one than serves builds its own generation
            of the view beside the serving one, and switches to it; see `docs/rebuilding.md`.

    Attributes:
        generation: the number of the generation that this instance writes.
    """

    entity: ClassVar[type[Entity[Any, Any]]]
    on_failure: ClassVar[FailurePolicy] = Retry()
    batch: ClassVar[int] = 2_000
    idempotent: ClassVar[bool] = False
    patient: ClassVar[bool] = False
    kind: ClassVar[str] = "projection"
    version: ClassVar[int] = 1
    generation: int = 1

    def check(self) -> None:
        """Do nothing if it can be run.

        Raises:
            InvalidDefinition: it cannot; says what to change.
        """
        entity = getattr(self, "entity", None)
        if not (isinstance(entity, type) and issubclass(entity, Entity)):
            raise InvalidDefinition(f"{type(self).__name__}: say whose events it handles, `entity = …`")
        if not isinstance(self.on_failure, FailurePolicy):
            raise InvalidDefinition(
                f"{type(self).__name__}.on_failure is {self.on_failure!r}: use Stop(), Retry() or SetAside()"
            )
        if self.batch < 1:
            raise InvalidDefinition(f"{type(self).__name__}.batch is {self.batch}: use 1 or more")
        if self.version < 1:
            raise InvalidDefinition(f"{type(self).__name__}.version is {self.version}: use 1 or more")
        if self.version > 1:
            self.check_beside()

    def check_beside(self) -> None:
        """Do nothing if another generation of it can be built beside the serving one.

        Raises:
            InvalidDefinition: it cannot; says what to declare.
        """
        if not self.tables():
            raise InvalidDefinition(f"{type(self).__name__} does not name its tables: override `tables` and `at`")
        for table in self.tables():
            if len(table) > LONGEST_TABLE:
                raise InvalidDefinition(
                    f"{type(self).__name__}: the table's name {table!r} has {len(table)} letters, and room is needed "
                    f"for a generation's number behind it: use at most {LONGEST_TABLE}"
                )

    def tables(self) -> tuple[str, ...]:
        """The plain names of the tables it writes, as far as it knows them."""
        return ()

    def at(self, generation: int, suffix: str) -> Self:
        """A copy that writes the tables of another generation, whose names have `suffix` behind the plain ones."""
        other = copy.copy(self)
        other.generation = generation
        return other

    def bind(self, refs: Callable[[type[Any]], Any]) -> None:
        """Take what it needs of the node that runs it; called before `prepare`, and does nothing by default.

        Args:
            refs: gives the way to the entities of a class that is deployed there, as `ClusterNode.refs`.
        """

    async def prepare(self, database: Database) -> None:
        """Create what the projection needs before its first step, such as tables. It may run more than once."""

    def beside(self, database: Database, tags: Sequence[EventTag]) -> Callable[[], Coroutine[Any, Any, None]] | None:
        """What runs beside each of its processes, from its start to its end; None by default.

        Args:
            database: the journal's.
            tags: those of the process.
        """
        return None

    async def effects(self, events: Sequence[EntityEvent[E]]) -> None:
        """Have effects outside the database, such as mails; called with the events of a step before it is handled.

        At least once for each event, in order within each tag, and only on behalf of the generation that serves: while
        another is built from old events, effects are held. What this raises counts as the step's failure.
        """

    @abstractmethod
    async def handle(self, database: Database, step: Step[E]) -> None:
        """Handle a step and commit its offsets: both or neither, or else in a way that may be repeated harmlessly."""
