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
from aecorpy.errors import Fenced, InvalidDefinition, Overloaded, Unavailable
from aecorpy.eventsourced import EntityLimits, EntityRuntime
from aecorpy.messages import Refused
from journal.contract import Database
from journal.events import EventJournal
from sharding.shard import MAX_WAITING, Population, ShardHost

if TYPE_CHECKING:
    from sharding.actors import Address, Engine

CLAIM_ATTEMPTS = 5


class EventsourcedHost(ShardHost):
    """Shards whose entities are eventsourced. Opening one claims it in the journal under the next epoch.

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

    async def open(self, shard: int, address: Address) -> Callable[[str], Actor]:
        """Claim `shard` under the epoch after the stored one."""
        async with self._opening:
            try:
                epoch = await self._claim(shard)
            except (Fenced, Unavailable):
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

    async def _claim(self, shard: int) -> int:
        for attempt in range(CLAIM_ATTEMPTS):
            heads = await self._journal.store.heads()
            epoch = heads[shard].epoch + 1
            try:
                await self._journal.claim(shard, epoch)
            except Fenced:  # another node took it between the two statements
                if attempt == CLAIM_ATTEMPTS - 1:
                    raise
            else:
                break
        return epoch

    def refusal(self, error: BaseException) -> Refused:
        """`error`, for the caller to raise."""
        return Refused(error)

    def overloaded(self, shard: int) -> Exception:
        """`Overloaded`, naming the shard."""
        return Overloaded(f"{self._behaviour.name} shard {shard}, which is being opened", MAX_WAITING)


class PlainHost(ShardHost):
    """Shards of a plain actor class: nothing to claim, each key is an instance, which exits when it idles too long."""

    farewell = ActorExitRequest()

    def __init__(self, actor: type[Actor], *, idle_seconds: float, max_live: int) -> None:
        self.idle_seconds = idle_seconds
        self.population = Population(max_live)
        self._actor = actor

    async def open(self, shard: int, address: Address) -> Callable[[str], Actor]:
        """The class, called for each key; the instance gets its key as attribute `key`."""
        return partial(_instance, self._actor)

    def refusal(self, error: BaseException) -> Refused:
        """`error`, for the caller to raise."""
        return Refused(error)

    def overloaded(self, shard: int) -> Exception:
        """`Overloaded`, naming the shard."""
        return Overloaded(f"{self._actor.__name__} shard {shard}, which is being opened", MAX_WAITING)


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
