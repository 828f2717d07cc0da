"""A shard on its node: it takes its epoch, then holds the entities whose keys fall into it.

    CLOSED --first message--> OPENING --claimed--> OPEN --a newer epoch exists--> LOST
                              OPENING --cannot claim--> CLOSED (who waited is told)

What the entities are, and what taking the epoch means, is the `ShardHost`'s: this package knows no journal.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from thespian.actors import Actor, ActorExitRequest, ChildActorExited, WakeupMessage

from sharding.actors import Address, AsyncActor, Outcome

CLOSED, OPENING, OPEN, LOST = range(4)
MAX_WAITING = 10_000

_log = logging.getLogger(__name__)


class Envelope:
    """From a caller through region and shard: `message` for the entity `key`, whose shard is `shard`."""

    __slots__ = ("key", "message", "shard")

    def __init__(self, shard: int, key: str, message: Any) -> None:
        self.shard = shard
        self.key = key
        self.message = message


class Passivate:
    """From a shard to an idle entity: leave memory, or say `StillBusy`. Nothing else may be the answer."""


class StillBusy(NamedTuple):
    """From an entity to its shard: not idle, so it stays."""

    key: str


class ShardLost(NamedTuple):
    """From an entity to its shard: an append was refused because of a newer epoch; `error` says so to callers."""

    shard: int
    error: Exception


class Opened(NamedTuple):
    """To a shard from its own opening: how to make entities, or why it could not be opened."""

    outcome: Outcome[Callable[[str], Actor]]


class Population:
    """How many entities of one type live on this node, over all shards, and how many may."""

    __slots__ = ("limit", "live")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.live = 0


class ShardHost(ABC):
    """What an entity type brings: how a shard is taken, how its entities are made, how a caller is refused.

    Attributes:
        idle_seconds: how long an entity may idle.
        population: the node's count of the type's entities.
        farewell: what asks an idle entity to leave; `ActorExitRequest` for actors that do not know `Passivate`.
    """

    idle_seconds: float
    population: Population
    farewell: Any = Passivate()

    @abstractmethod
    async def open(self, shard: int, address: Address) -> Callable[[str], Actor]:
        """Take `shard` under a new epoch; return the factory of its entities by key.

        Args:
            shard: its number.
            address: the shard actor's, for `ShardLost`.

        Raises:
            Exception: what callers who wait for the shard are told.
        """

    @abstractmethod
    def refusal(self, error: BaseException) -> Any:
        """The message that tells a waiting caller of `error`."""

    @abstractmethod
    def overloaded(self, shard: int) -> Exception:
        """What a caller is told when too much waits for a shard that is being opened."""


class Shard(AsyncActor):
    """One shard of one entity type.

    Entities that got no message for `idle_seconds` to twice that leave memory (passivation), and the longest idle first
    when the node has more than its limit. Two generations of entities stand in for a time stamp each: every
    `idle_seconds` the old generation leaves, the young one becomes old, and a message makes its entity young again.
    """

    def __init__(self, number: int, host: ShardHost) -> None:
        super().__init__()
        self._number = number
        self._host = host
        self._phase = CLOSED
        self._lost: Exception | None = None
        self._waiting: deque[tuple[Envelope, Any]] = deque()
        self._new_entity: Callable[[str], Actor] | None = None
        self._young: dict[str, Address] = {}
        self._old: dict[str, Address] = {}
        self._leaving: dict[str, tuple[Address, deque[tuple[Envelope, Any]]]] = {}
        self._leaving_keys: dict[Address, str] = {}
        self._sweeping = False

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """A turn of the shard."""
        if type(message) is Envelope:
            self._deliver(message, sender)
        elif type(message) is Opened:
            self._on_opened(message)
        elif type(message) is StillBusy:
            self._on_still_busy(message.key)
        elif type(message) is ShardLost:
            self._on_lost(message)
        elif isinstance(message, WakeupMessage):
            self._sweep()
        elif isinstance(message, ChildActorExited):
            self._on_exited(message.childAddress)
        elif isinstance(message, ActorExitRequest):
            self._host.population.live -= len(self._young) + len(self._old) + len(self._leaving)

    # --- delivery

    def _deliver(self, envelope: Envelope, sender: Any) -> None:
        address = self._young.get(envelope.key)
        if address is None:
            address = self._find(envelope, sender)
            if address is None:
                return
        self.forward(address, envelope.message, sender)

    def _find(self, envelope: Envelope, sender: Any) -> Address | None:
        """The entity outside the young generation, called up if need be; None when the message has to wait."""
        key = envelope.key
        if self._phase != OPEN:
            self._wait_for_opening(envelope, sender)
            return None
        address = self._old.pop(key, None)
        if address is None:
            leaving = self._leaving.get(key)
            if leaving is not None:
                leaving[1].append((envelope, sender))
                return None
            address = self._create(key)
        self._young[key] = address
        return address

    def _create(self, key: str) -> Address:
        population = self._host.population
        if population.live >= population.limit:
            self._make_room()
        population.live += 1
        new_entity = self._new_entity
        assert new_entity is not None, "an open shard has a factory"
        self._sweep_later()
        return self.create_child(lambda: new_entity(key))

    # --- opening and losing

    def _wait_for_opening(self, envelope: Envelope, sender: Any) -> None:
        if self._phase == LOST:
            assert self._lost is not None
            self._refuse(sender, self._lost)
        elif len(self._waiting) >= MAX_WAITING:
            self._refuse(sender, self._host.overloaded(self._number))
        else:
            self._waiting.append((envelope, sender))
            if self._phase == CLOSED:
                self._phase = OPENING
                self.pipe_to_self(self._host.open(self._number, self.myAddress), Opened)

    def _on_opened(self, opened: Opened) -> None:
        waiting, self._waiting = self._waiting, deque()
        error = opened.outcome.error
        if error is None:
            self._phase = OPEN
            self._new_entity = opened.outcome.value
            for envelope, sender in waiting:
                self._deliver(envelope, sender)
            return
        _log.warning("shard %d cannot be opened: %s", self._number, error)
        self._phase = CLOSED
        for _, sender in waiting:
            self._refuse(sender, error)

    def _on_lost(self, lost: ShardLost) -> None:
        if self._phase == LOST:
            return
        _log.error("shard %d is lost: %s", self._number, lost.error)
        self._phase = LOST
        self._lost = lost.error
        for address, _ in self._leaving.values():  # a busy one will say so, and nobody else would make it leave
            self.send(address, ActorExitRequest())
        for key, address in [*self._young.items(), *self._old.items()]:
            self._let_go(key, address, ActorExitRequest())
        self._young, self._old = {}, {}

    def _refuse(self, sender: Any, error: BaseException) -> None:
        self.send(sender, self._host.refusal(error))

    # --- passivation

    def _sweep(self) -> None:
        self._sweeping = False
        for key in list(self._old):
            self._passivate(key, self._old.pop(key))
        self._old, self._young = self._young, {}
        if self._old:
            self._sweep_later()

    def _sweep_later(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self.wakeupAfter(self._host.idle_seconds)

    def _make_room(self) -> None:
        """Let the entities that have been idle longest go: a hundredth of this shard's, at least one."""
        generation = self._old or self._young
        count = max(1, len(generation) // 100)
        for key in [key for key, _ in zip(generation, range(count), strict=False)]:
            self._passivate(key, generation.pop(key))

    def _passivate(self, key: str, address: Address) -> None:
        self._let_go(key, address, self._host.farewell)

    def _let_go(self, key: str, address: Address, how: Any) -> None:
        self._leaving[key] = (address, deque())
        self._leaving_keys[address] = key
        self.send(address, how)

    def _on_still_busy(self, key: str) -> None:
        if self._phase == LOST:
            return
        address, waiting = self._leaving.pop(key)
        del self._leaving_keys[address]
        self._young[key] = address
        self._sweep_later()
        for envelope, sender in waiting:
            self._deliver(envelope, sender)

    def _on_exited(self, address: Address) -> None:
        self._host.population.live -= 1
        key = self._leaving_keys.pop(address, None)
        if key is not None:
            for envelope, sender in self._leaving.pop(key)[1]:
                self._deliver(envelope, sender)
            return
        for generation in (self._young, self._old):  # an actor that stopped on its own accord: rare, so searched for
            for key, live in list(generation.items()):
                if live == address:
                    del generation[key]
