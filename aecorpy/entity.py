"""What users write: an entity is an actor class whose commands are methods and whose state is a fold of its events."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from aecorpy.errors import AecorError, CommandFailed, JournalError, Rejection, text_of
from aecorpy.fold import Fold
from aecorpy.snapshotting import Snapshotting
from journal.codec import Upcaster
from journal.tagging import Tagging
from sharding.actors import AsyncActor

if TYPE_CHECKING:
    from aecorpy.eventsourced import EntityRuntime
    from aecorpy.messages import Pending

S = TypeVar("S")
E = TypeVar("E")


class Entity(AsyncActor, Generic[S, E]):
    """An eventsourced entity: one actor per key, which lives on one node at a time.

    Subclass it as `class Booking(Entity[BookingState | None, BookingEvent])`, where the second argument is the union of
    the event types, give it a `fold`, and write commands as `async def` methods under `@command` or `@query`.

    A command sees `self.state` with what it has appended so far, may await, and answers with what it returns, or with
    the `Rejection` it raises. Commands of one entity run one at a time. Its events commit together or not at all, and
    its caller is answered after the commit. Whatever else it raises fails it as `CommandFailed`, and none of it is
    kept.

    Class attributes:
        fold: how the state follows from the events.
        tagging: into how many shards entities are spread; fixed once the journal exists.
        snapshotting: when to keep snapshots; None for never.
        upcasters: how older stored events and snapshots become current ones.
        rejections: the rejections its commands may raise.
        idle_seconds: how long an instance without a message stays in memory, up to twice that; None for what the node
            says.
        journal_name: the name of its tables; by default the class's name in snake_case.
    """

    __slots__ = ("_appended", "_pending", "_phase", "_runtime", "_seq_nr", "_stash", "_state", "key")

    fold: ClassVar[Fold[Any, Any]]
    tagging: ClassVar[Tagging] = Tagging.partitioned(64)
    snapshotting: ClassVar[Snapshotting | None] = None
    upcasters: ClassVar[tuple[Upcaster, ...]] = ()
    rejections: ClassVar[tuple[type[Rejection], ...]] = ()
    idle_seconds: ClassVar[float | None] = None
    journal_name: ClassVar[str | None] = None

    key: str
    _state: S
    _seq_nr: int
    _appended: list[E] | tuple[()] | None
    _runtime: EntityRuntime
    _phase: int
    _pending: list[Pending] | None
    _stash: deque[tuple[Any, Any]] | None

    @property
    def state(self) -> S:
        """The state after all events so far, those appended by the running command included."""
        return self._state

    @property
    def version(self) -> int:
        """The sequence number of the last event that `state` includes; 0 when there is none."""
        return self._seq_nr

    def append(self, *events: E) -> None:
        """Decide `events`: `state` follows at once, the journal when the command ends.

        Raises:
            ImpossibleEvent: the fold says that one of them cannot follow.
            AecorError: no command is running, so nothing would commit them, as in a task that outlived its command.
        """
        for event in events:
            appended = self._appended
            if appended is None:
                raise AecorError(f"{type(self).__name__} {self.key!r}: only a command may append, while it runs")
            self._state = self.fold.after(self._state, event)
            self._seq_nr += 1
            if isinstance(appended, tuple):
                self._appended = [event]
            else:
                appended.append(event)

    def now(self) -> datetime:
        """The time, in UTC, of the node's clock, which tests and simulations set."""
        return self._runtime.clock()

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """A turn of the actor; see `aecorpy.eventsourced`."""
        self._runtime.receive(self, message, sender)


def failure(entity: str, key: str, command: str, error: BaseException) -> BaseException:
    """What the caller is told of `error`, raised by a command: itself if it is one of ours, else a `CommandFailed`."""
    if isinstance(error, Rejection | AecorError | JournalError):
        return error
    told = CommandFailed(entity, key, command, text_of(error))
    told.__cause__ = error
    return told
