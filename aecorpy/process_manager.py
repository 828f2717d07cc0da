"""Process managers: events of one entity type lead to commands on others, each with its effect once.

Events come at least once. Each command carries its event's identity, which the entity keeps with the events that it
appends, so that the same command does not append again (`aecorpy.causes`). What that does not cover are commands that
append nothing; of these, rejections are kept here before `on_event` hears of them (`aecorpy.rejections_kept`).
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from aecorpy.entity import Entity
from aecorpy.errors import AecorError, Fenced, InvalidDefinition, OutcomeUnknown, Rejection, Unavailable
from aecorpy.messages import Command, Refused
from aecorpy.projection.contract import Projection, Step
from aecorpy.refs import EntityRefs, Way
from aecorpy.rejections_kept import TABLE, RejectionsKept
from journal.contract import Database
from journal.events import EntityEvent
from journal.metadata import Cause
from journal.records import OffsetMove
from journal.tagging import EventTag

E = TypeVar("E")
T = TypeVar("T", bound=Entity[Any, Any])


class ProcessManager(Projection[E]):
    """Reacts to one entity type's events with commands; run it with `ClusterNode.distribute`, as any projection.

    Events of one tag come in order, one after another; those of different tags at the same time. Its name in
    `distribute` is part of each command's identity: under another name it does everything once more.

    Class attributes:
        entity: whose events.
        on_failure: what to do with an event on which `on_event` raises.
        batch: the most events in one step; after a crash at most these come again.
    """

    batch: ClassVar[int] = 256
    kind: ClassVar[str] = "process manager"

    _refs: Callable[[type[Any]], Any] | None = None

    @abstractmethod
    async def on_event(self, event: EntityEvent[E], commands: Commands) -> None:
        """React to `event`.

        It may run several times for one event, and must then send each entity the same commands in the same order:
        decide by the event and by the rejections that commands raise, which are the same each time, and not by
        queries, clocks or chance. A command raises what it raises to any caller. When one raises `Unavailable` or
        `OutcomeUnknown`, `on_event` is run again after a pause, until it goes through, even if it catches the error;
        whatever else it raises is the matter of `on_failure`.
        """

    def check_beside(self) -> None:
        """Refuse: see `Projection.check_beside`.

        Raises:
            InvalidDefinition: always; a second generation would be another manager, which does everything once more.
        """
        raise InvalidDefinition(
            f"{type(self).__name__} is a process manager, which makes no view: there is only one version of it, and to "
            "have events handled again there is `aecorpy projections replay … --force`"
        )

    def bind(self, refs: Callable[[type[Any]], Any]) -> None:
        """See `Projection.bind`."""
        self._refs = refs

    async def prepare(self, database: Database) -> None:
        """Create the table of the rejections that are kept."""
        await database.create_table(TABLE)

    async def handle(self, database: Database, step: Step[E]) -> None:
        """React to the events of each tag in order, and move the offsets as far as that went.

        Raises:
            Fenced: another runner has taken over.
            Exception: what stopped a tag; one to which the failure policy applies, if there is any.
        """
        if self._refs is None:
            raise AecorError(f"{type(self).__name__} is bound to no node: run it with ClusterNode.distribute")
        streams = [_Stream(self, self._refs, database, step, move) for move in step.moves]
        async with database.transaction() as transaction:
            keys = [key for stream in streams for key in stream.events]
            rows = await transaction.get_rows(TABLE, keys) if keys else {}
        async with asyncio.TaskGroup() as group:
            for stream in streams:
                group.create_task(stream.run(rows))
        failed = [stream.error for stream in streams if stream.error is not None]
        step = replace(step, letters=(), settled=()) if failed else step
        moves = [stream.move() for stream in streams if stream.done > stream.committed or step.settled]
        if moves:
            async with database.transaction() as transaction:
                await replace(step, moves=moves).commit_in(transaction)
        if failed:
            raise min(failed, key=_urgency)


class Commands:
    """The way from one event to the commands that it leads to."""

    def __init__(self, refs: Callable[[type[Any]], Any], reaction: _Reaction) -> None:
        self._refs = refs
        self._reaction = reaction

    def to(self, entity: type[T]) -> EntityRefs[T]:
        """All entities of a deployed class, as `ClusterNode.refs` gives them; commands sent this way carry the event.

        Its correlation id is the commands', too.

        Raises:
            InvalidDefinition: the class is not deployed on this node.
        """
        refs: EntityRefs[T] = self._refs(entity)
        event, tag = self._reaction.event, self._reaction.tag
        told = refs.because(correlation_id=event.metadata.correlation_id, causation_id=f"{tag}/{event.offset}")
        return told.through(_CausedDoor(refs, self._reaction))


class _Reaction:
    """One run of `on_event`.

    Args:
        consumer, tag, event: to what it reacts.
        kept: the rejections that its commands raised, now and in earlier runs.
        keep: stores them.
    """

    def __init__(
        self, consumer: str, tag: str, event: EntityEvent[Any], kept: RejectionsKept, keep: Callable[[], Any]
    ) -> None:
        self.consumer, self.tag, self.event = consumer, tag, event
        self.kept = kept
        self.void: Exception | None = None  # why this run does not count
        self._keep = keep
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._keeping = asyncio.Lock()

    def next_cause(self, entity: str, key: str) -> Cause:
        """The cause of the next command to an entity. Counted for each by itself, so the order among them is free."""
        self._numbers[entity, key] += 1
        return Cause(self.consumer, self.tag, self.event.offset, self._numbers[entity, key])

    async def keep_rejection(self) -> None:
        """Store `kept`, which has one more, so that the next run of `on_event` takes the same way.

        Raises:
            Exception: this run does not count, so the next one may be told otherwise.
        """
        async with self._keeping:
            if self.void is not None:
                raise self.void
            await self._keep()

    async def end(self, error: Exception) -> None:
        """Let this run do nothing more; what is just being stored is stored before the next run reads it."""
        self.void = error
        async with self._keeping:
            pass


class _CausedDoor:
    """A door that gives each command the event as its cause."""

    def __init__(self, refs: EntityRefs[Any], reaction: _Reaction) -> None:
        self.tagging = refs.door.tagging
        self.time = refs.door.time
        self._door: Way = refs.door
        self._behaviour = refs.behaviour
        self._reaction = reaction

    async def ask(self, shard: int, key: str, message: Command, what: str, seconds: float, expires_at: float) -> Any:
        """See `Door.ask`. After a first "not now" or "unknown" nothing more is sent: it all has to come again."""
        reaction = self._reaction
        if reaction.void is not None:
            raise reaction.void
        if message.spec.read_only:
            return await self._noticed(shard, key, message, what, seconds, expires_at)
        name = self._behaviour.name
        message.cause = cause = reaction.next_cause(name, key)
        before = reaction.kept.rejection(self._behaviour, key, cause.number, what)
        if before is not None:
            return Refused(before)
        reply = await self._noticed(shard, key, message, what, seconds, expires_at)
        if type(reply) is Refused and isinstance(reply.error, Rejection):
            try:
                reaction.kept.add(self._behaviour, key, cause.number, what, reply.error)
                await reaction.keep_rejection()
            except Exception as error:
                reaction.void = error
                raise
        return reply

    async def _noticed(
        self, shard: int, key: str, message: Command, what: str, seconds: float, expires_at: float
    ) -> Any:
        try:
            reply = await self._door.ask(shard, key, message, what, seconds, expires_at)
        except (Unavailable, OutcomeUnknown) as error:
            self._reaction.void = error
            raise
        if type(reply) is Refused and isinstance(reply.error, Unavailable | OutcomeUnknown):
            self._reaction.void = reply.error
        return reply


class _Stream:
    """One tag's events in a step, by names that are theirs for ever.

    `done` is the offset of the last one that was reacted to, `committed` how far the stored one has moved.
    """

    def __init__(
        self,
        manager: ProcessManager[Any],
        refs: Callable[[type[Any]], Any],
        database: Database,
        step: Step[Any],
        move: OffsetMove,
    ) -> None:
        self.done = self.committed = move.before
        self.error: Exception | None = AecorError(f"{move.tag}: on_event was cancelled by what it awaits")
        self._manager, self._refs, self._database = manager, refs, database
        self._step, self._tag, self._after = step, move.tag, move.after
        shard = EventTag.parse(move.tag).shard
        self.events: dict[str, EntityEvent[Any]] = {
            f"{step.consumer}/{move.tag}/{event.offset}": event for event in step.events if event.shard == shard
        }

    def move(self) -> OffsetMove:
        """The step that the offset still has to make."""
        return OffsetMove(self._tag, self.committed, self.done)

    async def run(self, rows: dict[str, tuple[Any, ...]]) -> None:
        """React to the events, up to the first that cannot be: its error is kept.

        Args:
            rows: the rejections kept of events that came before, by the names of the events.
        """
        for name, event in self.events.items():
            try:
                await self._react(event, RejectionsKept.of_row(name, rows.get(name)))
            except Exception as error:  # noqa: BLE001 - it stops this tag and no other; `handle` raises it
                self.error = error
                return
            self.done = event.offset
        self.done, self.error = self._after, None

    async def _react(self, event: EntityEvent[Any], kept: RejectionsKept) -> None:
        reaction = _Reaction(self._step.consumer, self._tag, event, kept, lambda: self._keep(kept))
        raised: Exception | None = None
        try:
            await self._manager.on_event(event, Commands(self._refs, reaction))
        except Exception as error:  # noqa: BLE001 - it is raised below, unless something before it matters more
            raised = error
        finally:
            failure = reaction.void or raised  # the first also when it was caught: commands are missing
            text = f"{self._tag} {event.offset}: on_event has ended, so it can send nothing more"
            await reaction.end(AecorError(text))
        if failure is not None:
            raise failure

    async def _keep(self, kept: RejectionsKept) -> None:
        async with self._database.transaction() as transaction:
            await transaction.put_rows(TABLE, [kept.row()])
            # Even by nothing: that is what keeps a manager that was superseded from going on.
            await transaction.move_offsets(self._step.consumer, [self.move()], self._step.epoch)
        self.committed = self.done


def _urgency(error: Exception) -> int:
    """Who is superseded must stop; an event that fails must not hide behind one that has to wait."""
    if isinstance(error, Fenced):
        return 0
    return 2 if isinstance(error, Unavailable | OutcomeUnknown) else 1
