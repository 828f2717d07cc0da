"""How callers reach entities: by key, wherever they live, with the entity's own methods.

`bookings("b-1")` is a stand-in whose commands are `Booking`'s, so a type checker sees `Booking.place`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from aecorpy.command import CommandSpec
from aecorpy.deadlines import Deadlines, checked_seconds
from aecorpy.entity import Entity
from aecorpy.errors import CommandFailed, DeadlinePassed, NodeStopping, OutcomeUnknown, Unavailable
from aecorpy.messages import Answer, Command, Refused
from journal.metadata import Metadata
from journal.tagging import Tagging
from sharding.actors import AskFailed, HandlerFailed, Undeliverable
from sharding.messages import Envelope

if TYPE_CHECKING:
    from aecorpy.behaviour import Behaviour
    from aecorpy.projection.progress import ViewsOfJournal
    from sharding.actors import Address, Engine

T = TypeVar("T", bound=Entity[Any, Any])


class Way(Protocol):
    """What stand-ins ask through: a node's `Door`, or one that adds something to each message."""

    tagging: Tagging
    time: Callable[[], float]

    async def ask(self, shard: int, key: str, message: Any, what: str, seconds: float, expires_at: float) -> Any:
        """See `Door.ask`."""


class Door:
    """The way into one deployed type on this node: its shards, and the deadlines of who waits there."""

    def __init__(
        self, name: str, tagging: Tagging, engine: Engine, shards: Sequence[Address], deadlines: Deadlines
    ) -> None:
        self.name = name
        self.tagging = tagging
        self.is_open = True
        self.time = engine.loop.time
        self._engine = engine
        self._shards = shards
        self._deadlines = deadlines

    async def ask(self, shard: int, key: str, message: Any, what: str, seconds: float, expires_at: float) -> Any:
        """The reply of entity `key` to `message`.

        Args:
            shard, key: of the entity.
            message: what it gets.
            what: what errors call the message.
            seconds: how long to wait, which is until `expires_at` by the loop's clock.

        Raises:
            NodeStopping: the node takes no more.
            DeadlinePassed: no reply within `seconds`.
            Unavailable: it never reached the entity, because no node owned its shard in time, or took it.
            CommandFailed: the entity's code failed on it twice.
            OutcomeUnknown: it reached the entity, which ended without a reply.
        """
        if not self.is_open:
            raise NodeStopping(f"{self.name} {key!r}: the node is stopping")
        envelope = Envelope(shard, key, message)
        future = self._engine.ask(self._shards[shard], envelope)
        self._deadlines.begin(future, seconds, expires_at, partial(self._too_late, envelope, what, seconds))
        try:
            return await future
        except Undeliverable as error:
            raise Unavailable(f"{self.name} {key!r} took no {what!r}: {error}") from error
        except HandlerFailed as error:
            raise CommandFailed(self.name, key, what, str(error)) from error
        except AskFailed as error:
            raise OutcomeUnknown(f"{self.name} {key!r} left {what!r} unanswered: {error}") from error
        finally:
            self._deadlines.end()

    def _too_late(self, envelope: Envelope, what: str, seconds: float) -> Exception:
        if envelope.waiting:
            waited = f"no node owned its shard {envelope.shard} within {seconds:g} s"
            return Unavailable(f"{self.name} {envelope.key!r} took no {what!r}: {waited}")
        return DeadlinePassed(self.name, envelope.key, what, seconds)

    def tell(self, shard: int, key: str, message: Any) -> None:
        """Send `message` to the actor `key`, without an answer."""
        if not self.is_open:
            raise NodeStopping(f"{self.name} {key!r}: the node is stopping")
        self._engine.tell(self._shards[shard], Envelope(shard, key, message))  # dead letters if it cannot be sent


class EntityRef:
    """A stand-in for one entity; subclasses made by `ref_class` have its commands."""

    __slots__ = ("_key", "_refs", "_shard")

    def __init__(self, refs: EntityRefs[Any], shard: int, key: str) -> None:
        self._refs = refs
        self._shard = shard
        self._key = key

    def __repr__(self) -> str:
        return f"<{self._refs.name} {self._key!r}>"


def ref_class(behaviour: Behaviour[Any]) -> type[EntityRef]:
    """The class of stand-ins for entities of `behaviour`, with a method per command."""

    def method(spec: CommandSpec) -> Any:
        name = spec.name

        async def call(self: EntityRef, *args: Any, **kwargs: Any) -> Any:
            refs = self._refs
            door, seconds = refs.door, refs.seconds
            expires_at = door.time() + seconds
            command = Command(spec, args, kwargs, refs.metadata, expires_at)
            reply = await door.ask(self._shard, self._key, command, name, seconds, expires_at)
            if type(reply) is Answer:
                return reply.value
            if type(reply) is Refused:
                raise reply.error.with_traceback(None)
            raise TypeError(f"{self!r} answered {name!r} with {reply!r}")

        call.__name__, call.__doc__ = spec.name, spec.method.__doc__
        return call

    methods: dict[str, Any] = {name: method(spec) for name, spec in behaviour.commands.items()}
    return type(f"{behaviour.entity.__name__}Ref", (EntityRef,), methods | {"__slots__": ()})


class EntityRefs(Generic[T]):
    """All entities of a deployed type: call it with a key to get the stand-in for one.

    A command on a stand-in raises the entity's `Rejection`, or one of `aecorpy.errors`.
    """

    def __init__(
        self, behaviour: Behaviour[T], door: Way, ref: type[EntityRef], seconds: float, views: ViewsOfJournal
    ) -> None:
        self.behaviour = behaviour
        self.door = door
        self.seconds = seconds
        self._views = views
        self.metadata = b""
        self._ref = ref

    @property
    def name(self) -> str:
        """The entity class's name."""
        return self.behaviour.entity.__name__

    def __call__(self, key: str) -> T:
        """The stand-in for the entity `key`, which need not exist yet.

        Raises:
            InvalidName: `key` is not a non-empty string of at most 512 bytes.
        """
        return cast(T, self._ref(self, self.door.tagging.shard_of(key), key))

    def within(self, seconds: float) -> EntityRefs[T]:
        """The same entities, asked with a deadline of `seconds`.

        Raises:
            ValueError: `seconds` is not a number.
        """
        return self._copy(checked_seconds(seconds), self.metadata)

    def because(
        self,
        *,
        command_id: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> EntityRefs[T]:
        """The same entities, with metadata that is kept beside the events of the commands sent through them.

        Raises:
            BadPayload: the metadata cannot be stored.
        """
        metadata = Metadata(command_id, correlation_id, causation_id, dict(extra or {}))
        return self._copy(self.seconds, metadata.encode())

    async def wait_for_view(
        self, view: str, key: str, *, version: int | None = None, within: float | None = None
    ) -> None:
        """Return when a view has seen an entity, so that who wrote can read it there.

        Args:
            view: the name under which the projection was distributed.
            key: the entity's.
            version: how many events of it the view must have seen; by default all that are in the journal now.
            within: seconds; by default as long as callers wait for answers.

        Raises:
            ViewBehind: it has not, in time.
            Unavailable: the entity has not come to `version` in time, or the store is away.
        """
        await self._views.wait(view, key, version, self.seconds if within is None else checked_seconds(within))

    def through(self, door: Way) -> EntityRefs[T]:
        """The same entities, asked through another door; how a process manager's commands get their cause."""
        return self._copy(self.seconds, self.metadata, door)

    def _copy(self, seconds: float, metadata: bytes, door: Way | None = None) -> EntityRefs[T]:
        copy = EntityRefs(self.behaviour, door or self.door, self._ref, seconds, self._views)
        copy.metadata = metadata
        return copy


class ActorRef:
    """A stand-in for one actor of a deployed plain Thespian class."""

    __slots__ = ("_key", "_refs", "_shard")

    def __init__(self, refs: ActorRefs, shard: int, key: str) -> None:
        self._refs = refs
        self._shard = shard
        self._key = key

    def tell(self, message: Any) -> None:
        """Send `message`; at most once, in order per caller."""
        self._refs.door.tell(self._shard, self._key, message)

    async def ask(self, message: Any) -> Any:
        """Send `message` and return the first thing the actor sends back.

        Raises:
            DeadlinePassed: nothing came back in time.
        """
        door, seconds = self._refs.door, self._refs.seconds
        what = type(message).__name__
        reply = await door.ask(self._shard, self._key, message, what, seconds, door.time() + seconds)
        if type(reply) is Refused:
            raise reply.error.with_traceback(None)
        return reply


class ActorRefs:
    """All actors of a deployed plain class, by key: Aecor's generic runtime. Their state lives in memory only."""

    def __init__(self, door: Door, seconds: float) -> None:
        self.door = door
        self.seconds = seconds

    def __call__(self, key: str) -> ActorRef:
        """The stand-in for the actor `key`, which is created when its first message comes.

        Raises:
            InvalidName: `key` is not a non-empty string of at most 512 bytes.
        """
        return ActorRef(self, self.door.tagging.shard_of(key), key)

    def within(self, seconds: float) -> ActorRefs:
        """The same actors, asked with a deadline of `seconds`.

        Raises:
            ValueError: `seconds` is not a number.
        """
        return ActorRefs(self.door, checked_seconds(seconds))
