"""The engine of an eventsourced entity: recover, run, append, answer. One `EntityRuntime` serves a shard's entities.

An entity's phases:

    RECOVERING --recovered--> READY --command that awaits--> RUNNING --it ended--> READY
    RECOVERING --cannot be--> FAILED --next command--> RECOVERING
    READY, RUNNING --a commit failed--> BROKEN, RUNNING_BROKEN --nothing in flight--> RECOVERING

Commands that meet any other phase than READY wait, in order. A command runs on the state that earlier ones decided,
even while their events are being committed; its own answer waits behind theirs (`Pending`). So a hot entity is not
limited to one command per disk flush, nobody is told of a state that is not committed, and when a commit fails all
behind it fail.

A command with a cause, sent by a process manager, appends once: when it comes again it gets the answer that it got, as
soon as its events are committed. What appended nothing left no trace, and is run again.
"""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from thespian.actors import ActorExitRequest

from aecorpy.causes import caused_events
from aecorpy.errors import (
    AecorError,
    Conflict,
    Fenced,
    JournalError,
    OutcomeUnknown,
    Overloaded,
    ShardMoved,
    Unavailable,
)
from aecorpy.messages import Answer, Command, CommandEnded, Pending, Recovered, Refused
from aecorpy.recovery import Recovery
from aecorpy.repetitions import Repetitions
from aecorpy.snapshots import Snapshots
from journal.records import Append, Appended
from sharding.actors import Outcome
from sharding.messages import Passivate, Retire, ShardLost, StillBusy

if TYPE_CHECKING:
    from aecorpy.behaviour import Behaviour
    from aecorpy.entity import Entity
    from journal.contract import KeyValueStore
    from journal.events import EventJournal
    from sharding.actors import Address, Engine

RECOVERING, READY, RUNNING, BROKEN, RUNNING_BROKEN, FAILED = range(6)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class EntityLimits:
    """How much may wait at one entity before callers get `Overloaded`."""

    waiting_commands: int = 1_000
    uncommitted_commands: int = 1_000


class EntityRuntime:
    """Runs the entities of one shard under one epoch.

    Args:
        behaviour: what the entities do.
        shard, epoch: of which shard, and under which claim; every append carries them.
        journal, snapshots: where events and states lie.
        engine: delivers messages.
        clock: the time that commands see.
        limits: bounds per entity.
        shard_address: the shard actor, which is told when the shard is lost.
    """

    def __init__(
        self,
        behaviour: Behaviour[Any],
        shard: int,
        epoch: int,
        journal: EventJournal[Any],
        snapshots: KeyValueStore,
        engine: Engine,
        clock: Callable[[], datetime],
        limits: EntityLimits,
        shard_address: Address,
    ) -> None:
        self.behaviour = behaviour
        self.shard = shard
        self.epoch = epoch
        self.clock = clock
        self._journal = journal
        self._snapshots = Snapshots(behaviour, snapshots)
        self._recovery = Recovery(behaviour, journal, self._snapshots)
        self._engine = engine
        self._limits = limits
        self._shard_address = shard_address
        self._tell = engine.tell
        self._time = engine.loop.time
        self._retiring: set[Entity[Any, Any]] = set()
        self._repetitions = Repetitions(behaviour, self._recovery)
        self._handlers: dict[type, Callable[[Any, Any, Any], None]] = {
            Command: self._on_command,
            CommandEnded: self._on_command_ended,
            Recovered: self._on_recovered,
            Passivate: self._on_passivate,
            Retire: self._on_retire,
            ActorExitRequest: self._on_exit,
            Outcome: self._on_snapshot_kept,
        }

    def new_entity(self, key: str) -> Entity[Any, Any]:
        """An entity actor for `key`, which recovers when its first message comes."""
        entity: Entity[Any, Any] = self.behaviour.blank(key)
        entity._runtime = self
        entity._appended = None  # no command is running
        entity._phase = FAILED  # not read from the journal yet: the first command starts that
        return entity

    def receive(self, entity: Entity[Any, Any], message: Any, sender: Any) -> None:
        """One turn of `entity`."""
        handler = self._handlers.get(type(message))
        if handler is not None:
            handler(entity, message, sender)
        if self._retiring:
            self._leave_if_idle(entity)

    # --- commands

    def _on_command(self, entity: Entity[Any, Any], command: Command, sender: Any) -> None:
        if entity._phase == READY:
            self._run(entity, command, sender)
            return
        stash = entity._stash
        if stash is None:
            stash = entity._stash = deque()
        elif len(stash) >= self._limits.waiting_commands:
            what = f"{self.behaviour.name} {entity.key!r}"
            self._tell(sender, Refused(Overloaded(what, self._limits.waiting_commands)))
            return
        stash.append((command, sender))
        if entity._phase == FAILED:
            self._start_recovery(entity)

    def _run_waiting(self, entity: Entity[Any, Any]) -> None:
        stash = entity._stash
        while stash and entity._phase == READY:
            self._run(entity, *stash.popleft())
        if not stash:
            entity._stash = None

    def _run(self, entity: Entity[Any, Any], command: Command, sender: Any) -> None:
        if command.expires_at < self._time():
            self._tell(sender, Refused(Unavailable("the command's deadline passed before it was started")))
            return
        pending = entity._pending
        if pending is not None and len(pending) >= self._limits.uncommitted_commands:
            what = f"{self.behaviour.name} {entity.key!r}, commands being committed"
            self._tell(sender, Refused(Overloaded(what, self._limits.uncommitted_commands)))
            return
        spec = command.spec
        before = (entity._state, entity._seq_nr)
        if command.cause is not None and self._repetitions.may_be(entity, command.cause):
            self._repeat(entity, command, sender, before)
            return
        value: Any = None
        error: BaseException | None = None
        entity._appended = ()
        try:
            running = spec.method(entity, *command.args, **command.kwargs)
            if spec.suspends:
                self._start_task(entity, running, command, sender, before)
                return
            running.send(None)
            running.close()
            error = RuntimeError("the command suspended although its code holds no await")
        except StopIteration as end:
            value = end.value
        except (Exception, CancelledError) as raised:  # noqa: BLE001 - whatever a command raises is its caller's, typed by `_end`
            error = raised
        self._end(entity, command, sender, before, value, error)

    def _start_task(
        self,
        entity: Entity[Any, Any],
        running: Coroutine[Any, Any, Any],
        command: Command,
        sender: Any,
        before: tuple[Any, int],
    ) -> None:
        entity._phase = RUNNING
        entity.pipe_to_self(running, partial(CommandEnded, command, sender, before))

    def _repeat(self, entity: Entity[Any, Any], command: Command, sender: Any, before: tuple[Any, int]) -> None:
        """Answer a command that may have appended its events before, or run it if it has not."""
        pending = entity._pending
        answer = self._repetitions.uncommitted(entity, command)
        if answer is None or pending is None:
            entity._appended = ()
            self._start_task(entity, self._repetitions.once(entity, command), command, sender, before)
        else:
            pending.append(Pending(sender, answer, False, None))

    def _on_command_ended(self, entity: Entity[Any, Any], ended: CommandEnded, _: Any) -> None:
        if entity._phase == RUNNING_BROKEN:
            entity._appended = None
            self._tell(ended.sender, Refused(_not_committed_before(self.behaviour.name, entity.key)))
            entity._phase = BROKEN
            self._reload_when_settled(entity)
            return
        entity._phase = READY
        error = ended.outcome.error
        value = ended.outcome.value if error is None else None
        self._end(entity, ended.command, ended.sender, ended.before, value, error)
        self._run_waiting(entity)

    def _end(
        self,
        entity: Entity[Any, Any],
        command: Command,
        sender: Any,
        before: tuple[Any, int],
        value: Any,
        error: BaseException | None,
    ) -> None:
        appended = entity._appended
        entity._appended = None
        if appended and command.spec.read_only and error is None:
            error = TypeError("it is declared with @query, so it may not append events")
        if error is None and appended:
            error = self._submit(entity, command, sender, before, value, appended)
            if error is None:
                return
            if isinstance(error, Unavailable):  # a full queue says nothing of the state, so it need not wait behind it
                entity._state, entity._seq_nr = before
                self._tell(sender, Refused(error))
                return
        if error is None:
            answer: Any = Answer(value)
        else:
            entity._state, entity._seq_nr = before
            answer = Refused(self.behaviour.failure(entity.key, command.spec.name, error))
        if entity._pending is None:
            self._tell(sender, answer)
        else:
            entity._pending.append(Pending(sender, answer, False, None))

    # --- commits

    def _submit(
        self,
        entity: Entity[Any, Any],
        command: Command,
        sender: Any,
        before: tuple[Any, int],
        value: Any,
        appended: Sequence[Any],
    ) -> JournalError | None:
        seq_nr = before[1]
        caused = None if command.cause is None else command
        try:
            if caused is None:
                events = self._journal.encode(appended, command.metadata)
            else:
                codec = self.behaviour.replies[command.spec.name]
                events = caused_events(self._journal, command, appended, value, codec)
            self._journal.submit(
                Append(self.shard, self.epoch, entity.key, seq_nr + 1, events), partial(self._on_outcome, entity)
            )
        except JournalError as error:
            return error
        if command.cause is not None:
            self._repetitions.add(entity, command.cause, seq_nr + 1)
        snapshotting = self.behaviour.snapshotting
        due = snapshotting is not None and snapshotting.is_due(seq_nr, entity._seq_nr)
        snapshot = (entity._seq_nr, entity._state, self._repetitions.packed(entity)) if due else None
        pending = Pending(sender, Answer(value), True, snapshot, caused)
        if entity._pending is None:
            entity._pending = [pending]
        else:
            entity._pending.append(pending)
        return None

    def _on_outcome(self, entity: Entity[Any, Any], outcome: Appended | JournalError) -> None:
        """A commit ended. Called by the journal's writer on the loop, between turns: a message would cost one more."""
        pending = entity._pending
        if pending is None:  # the entity was stopped meanwhile, and its callers were told that the outcome is unknown
            return
        if isinstance(outcome, JournalError):
            self._refuse_pending(entity, pending, outcome)
        else:
            self._answer_pending(entity, pending)
        if not pending:
            entity._pending = None
            self._reload_when_settled(entity)
            if self._retiring:
                self._leave_if_idle(entity)

    def _answer_pending(self, entity: Entity[Any, Any], pending: list[Pending]) -> None:
        done = pending.pop(0)
        self._tell(done.sender, done.answer)
        if done.snapshot is not None:
            self._save_snapshot(entity, *done.snapshot)
        while pending and not pending[0].appends:
            behind = pending.pop(0)
            self._tell(behind.sender, behind.answer)

    def _refuse_pending(self, entity: Entity[Any, Any], pending: list[Pending], error: JournalError) -> None:
        told = error
        if isinstance(error, Conflict):
            told = _not_committed_before(self.behaviour.name, entity.key)
            told.__cause__ = error
        elif isinstance(error, Fenced):
            told = ShardMoved(f"{self.behaviour.name} {entity.key!r}: its shard was taken over: try again")
            told.__cause__ = error
            self._tell(self._shard_address, ShardLost(self.epoch, error.current or 0, error))
        self._tell(pending.pop(0).sender, Refused(told))
        while pending and not pending[0].appends:
            behind = pending.pop(0)
            self._tell(behind.sender, Refused(_not_committed_before(self.behaviour.name, entity.key)))
        if entity._phase == READY:
            entity._phase = BROKEN
        elif entity._phase == RUNNING:
            entity._phase = RUNNING_BROKEN

    def _reload_when_settled(self, entity: Entity[Any, Any]) -> None:
        if entity._phase == BROKEN and entity._pending is None:
            self._start_recovery(entity)

    def _save_snapshot(self, entity: Entity[Any, Any], seq_nr: int, state: Any, causes: bytes) -> None:
        if entity.running_tasks > (entity._phase in (RUNNING, RUNNING_BROKEN)):
            return  # the last snapshot is still on its way: at a slow store they must not pile up, the next one will do
        snapshot = self._snapshots.encode(entity.key, seq_nr, state, causes)
        if snapshot is not None:
            entity.pipe_to_self(self._snapshots.put(self.shard, self.epoch, snapshot))

    def _on_snapshot_kept(self, entity: Entity[Any, Any], outcome: Outcome[None], _: Any) -> None:
        if outcome.error is not None:
            text = "%s %r: a snapshot was not kept, recovery goes without: %s"
            _log.warning(text, self.behaviour.name, entity.key, outcome.error)

    # --- recovery

    def _start_recovery(self, entity: Entity[Any, Any]) -> None:
        entity._phase = RECOVERING
        entity.pipe_to_self(self._recovery.state_of(entity.key), Recovered)

    def _on_recovered(self, entity: Entity[Any, Any], recovered: Recovered, _: Any) -> None:
        error = recovered.outcome.error
        if error is None:
            entity._state, entity._seq_nr, causes = recovered.outcome.value
            self._repetitions.recovered(entity, causes)
            entity._phase = READY
            self._run_waiting(entity)
            return
        entity._phase = FAILED
        # A store that is away is no fault of the entity: the caller is told, and the log is not filled.
        level = logging.DEBUG if isinstance(error, Unavailable) else logging.ERROR
        _log.log(level, "%s %r cannot be recovered: %s", self.behaviour.name, entity.key, error)
        if isinstance(error, OutcomeUnknown) or not isinstance(error, JournalError | AecorError):
            error = Unavailable(f"{self.behaviour.name} {entity.key!r} cannot be read: {error!r}")
        stash, entity._stash = entity._stash or (), None
        for _command, sender in stash:
            self._tell(sender, Refused(error))

    # --- leaving

    def _is_idle(self, entity: Entity[Any, Any]) -> bool:
        settled = entity._phase in (READY, FAILED) and entity._pending is None and entity._stash is None
        return settled and not entity.running_tasks  # a task is a snapshot on its way

    def _on_retire(self, entity: Entity[Any, Any], _: Retire, __: Any) -> None:
        self._retiring.add(entity)

    def _leave_if_idle(self, entity: Entity[Any, Any]) -> None:
        if entity in self._retiring and self._is_idle(entity):
            self._retiring.discard(entity)
            entity.send(entity.myAddress, ActorExitRequest())

    def _on_passivate(self, entity: Entity[Any, Any], _: Passivate, sender: Any) -> None:
        if self._is_idle(entity):
            entity.send(entity.myAddress, ActorExitRequest())
        else:
            entity.send(sender, StillBusy(entity.key))

    def _on_exit(self, entity: Entity[Any, Any], _: Any, __: Any) -> None:
        self._retiring.discard(entity)
        self._repetitions.recovered(entity, None)
        for _command, sender in entity._stash or ():
            text = f"{self.behaviour.name} {entity.key!r} was stopped before the command was started: try again"
            self._tell(sender, Refused(ShardMoved(text)))
        for pending in entity._pending or ():
            text = f"{self.behaviour.name} {entity.key!r} was stopped while its events were being committed"
            self._tell(pending.sender, Refused(OutcomeUnknown(text)))
        entity._stash = entity._pending = None


def _not_committed_before(name: str, key: str) -> JournalError:
    return Unavailable(
        f"{name} {key!r}: a command before this one was not committed, so nothing of this one was either: try again"
    )
