"""What each kind of entity type brings to its shards: the eventsourced, and the plain Thespian actor."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from thespian.actors import Actor, ActorExitRequest

from aecorpy.behaviour import Behaviour
from aecorpy.errors import Fenced, InvalidDefinition, InvalidName, Overloaded, Unavailable
from aecorpy.eventsourced import EntityLimits, EntityRuntime
from aecorpy.messages import Refused
from aecorpy.wire import CommandWire, MessageWire
from journal.contract import Database
from journal.errors import BadPayload
from journal.events import EventJournal
from sharding.host import EpochRefused, Population, ShardHost
from sharding.shard import MAX_WAITING

if TYPE_CHECKING:
    from sharding.actors import Address, Engine


class EventsourcedHost(ShardHost):
    """Shards whose entities are eventsourced. Opening one claims it in the journal under its epoch.

    Args:
        behaviour: what the entities do.
        journal, database: where their events lie.
        engine: runs the actors.
        clock: the time that commands see.
        idle_seconds: how long an entity may idle in memory; it leaves after this long to twice as long.
        max_live: how many entities of the type may be in memory.
    """

    def __init__(
        self,
        behaviour: Behaviour[Any],
        journal: EventJournal[Any],
        database: Database,
        engine: Engine,
        clock: Callable[[], datetime],
        *,
        idle_seconds: float,
        max_live: int,
    ) -> None:
        self.idle_seconds = idle_seconds
        self.population = Population(max_live)
        self._behaviour = behaviour
        self._journal = journal
        self._snapshots = database.snapshots(behaviour.name)
        self._engine = engine
        self._clock = clock
        self._limits = EntityLimits()
        self._opening = asyncio.Semaphore(8)
        self.wire = CommandWire(behaviour, engine.loop.time)

    async def open(self, shard: int, epoch: int, address: Address) -> Callable[[str], Actor]:
        """Claim `shard` under `epoch`. Only once that is committed is anything read."""
        async with self._opening:
            try:
                await self._journal.claim(shard, epoch)
            except Fenced as error:
                current = epoch if error.current is None else error.current
                raise EpochRefused(f"{self._behaviour.name} shard {shard}", epoch, current) from error
            except Unavailable:
                raise
            except Exception as error:  # what the claim's outcome was matters to nobody: no command has begun
                raise Unavailable(f"{self._behaviour.name} shard {shard} cannot be opened: {error!r}") from error
        runtime = EntityRuntime(
            self._behaviour,
            shard,
            epoch,
            self._journal,
            self._snapshots,
            self._engine,
            self._clock,
            self._limits,
            address,
        )
        return runtime.new_entity

    def refusal(self, error: BaseException) -> Refused:
        """`error`, for the caller to raise."""
        return Refused(error)

    def overloaded(self, shard: int) -> Exception:
        """`Overloaded`, naming the shard."""
        return Overloaded(f"{self._behaviour.name} shard {shard}, which is being opened", MAX_WAITING)


class PlainHost(ShardHost):
    """Shards of a plain actor class: nothing to claim, each key is an instance, which exits when it idles too long."""

    farewell = retirement = ActorExitRequest()

    def __init__(self, actor: type[Actor], *, idle_seconds: float, max_live: int) -> None:
        self.idle_seconds = idle_seconds
        self.population = Population(max_live)
        self._actor = actor
        self.wire = _wire_of(actor)

    async def open(self, shard: int, epoch: int, address: Address) -> Callable[[str], Actor]:
        """The class, called for each key; the instance gets its key as attribute `key`."""
        return partial(_instance, self._actor)

    def refusal(self, error: BaseException) -> Refused:
        """`error`, for the caller to raise."""
        return Refused(error)

    def overloaded(self, shard: int) -> Exception:
        """`Overloaded`, naming the shard."""
        return Overloaded(f"{self._actor.__name__} shard {shard}, which is being opened", MAX_WAITING)


def _wire_of(actor: type[Actor]) -> MessageWire:
    """Sends plain values and instances of the classes in `actor.messages` to other nodes.

    Raises:
        InvalidDefinition: one of the classes cannot be sent.
    """
    try:
        return MessageWire(actor.__name__, tuple(getattr(actor, "messages", ())))
    except (BadPayload, InvalidName) as error:
        raise InvalidDefinition(f"{actor.__name__}.messages: {error}") from error


def _instance(actor: type[Actor], key: str) -> Actor:
    instance = actor()
    instance.key = key  # type: ignore[attr-defined]
    return instance


def checked_actor(actor: type) -> type[Actor]:
    """`actor`, if it is a Thespian actor class that can be made without arguments.

    Raises:
        InvalidDefinition: it is not.
    """
    if not (isinstance(actor, type) and issubclass(actor, Actor)):
        raise InvalidDefinition(f"{actor!r} is neither an Entity nor a Thespian Actor class")
    try:
        inspect.signature(actor).bind()
    except TypeError as error:
        raise InvalidDefinition(f"{actor.__name__} cannot be made without arguments: {error}") from error
    return actor
