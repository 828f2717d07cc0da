"""A shard on its owner: it takes its epoch, then holds the entities whose keys fall into it, until it is handed off.

    CLOSED --first message--> OPENING --claimed--> OPEN --an append met a newer epoch--> FENCED
                              OPENING --cannot claim--> CLOSED (who waited is told)
                              OPENING --the epoch is not new--> FENCED
    FENCED --`Own` with a newer epoch--> CLOSED, or OPENING if somebody waits
    any --`Drain`--> DRAINING --no entity left--> exited (what was not started goes back to the region)

A shard whose host names a resident waits for no message:

    CLOSED --`CallUp`, when it is taken--> OPENING --claimed--> OPEN, and the resident is called up: it gets `Appear`
                                           OPENING --cannot claim--> CLOSED --`CallUp`, after a pause--> OPENING
    OPEN --the resident exits by itself--> OPEN, and it is called up again: at once, or after a pause (see `Resident`)
    any but DRAINING --`Own` with a newer epoch--> OPENING

What the entities are, and what taking an epoch means, is the `ShardHost`'s: this package knows no journal.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

from thespian.actors import Actor, ActorExitRequest, ChildActorExited, WakeupMessage

from sharding.actors import Address, AsyncActor, Outcome
from sharding.actors.ask import ReplyAddress
from sharding.host import EpochRefused, ShardHost
from sharding.messages import Appear, Envelope, ShardLost, StillBusy
from sharding.orders import CallUp, Drain, Drained, Fence, Own
from sharding.resident import Resident

__all__ = ["MAX_WAITING", "CallUp", "Drain", "Drained", "Fence", "Own", "Shard"]

CLOSED, OPENING, OPEN, FENCED, DRAINING, DRAINED = range(6)
MAX_WAITING = 10_000

_log = logging.getLogger(__name__)


class Opened(NamedTuple):
    """To a shard from its own opening: how to make entities, or why it could not be opened."""

    epoch: int
    outcome: Outcome[Callable[[str], Actor]]


class Shard(AsyncActor):
    """One shard of one entity type.

    Entities that got no message for `idle_seconds` to twice that leave memory (passivation), and the longest idle first
    when the node has more than its limit. Two generations of entities stand in for a time stamp each: every
    `idle_seconds` the old generation leaves, the young one becomes old, and a message makes its entity young again.

    Args:
        number: the shard's.
        epoch: under which it is this node's.
        host: what the entity type brings.
        region: who is told `Drained` and `Fence`.
        draw: random numbers in [0, 1), which spread pauses.
    """

    def __init__(self, number: int, epoch: int, host: ShardHost, region: Address, draw: Callable[[], float]) -> None:
        super().__init__()
        self._number = number
        self._epoch = epoch
        self._host = host
        self._region = region
        self._phase = CLOSED
        self._at_once = False
        self._waiting: deque[tuple[Envelope, Any]] = deque()
        self._new_entity: Callable[[str], Actor] | None = None
        self._young: dict[str, Address] = {}
        self._old: dict[str, Address] = {}
        self._leaving: dict[str, tuple[Address, deque[tuple[Envelope, Any]]]] = {}
        self._leaving_keys: dict[Address, str] = {}
        self._expelled: set[str] = set()
        self._sweeping = False
        self._resident = Resident(draw)
        self._pauses = 0

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
        elif type(message) is Own:
            self._on_own(message.epoch)
        elif type(message) is Drain:
            self._on_drain(message.at_once)
        elif type(message) is CallUp:
            self._on_call_up(message)
        elif isinstance(message, WakeupMessage):
            self._sweep() if message.payload is None else self._on_call_up(message.payload)
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
        if self._new_entity is None:
            self._wait_for_opening(envelope, sender)
            return None
        address = self._old.pop(key, None)
        if address is None:
            leaving = self._leaving.get(key)
            if leaving is not None:
                leaving[1].append((envelope, sender))
                return None
            address = self._create(key, self._new_entity)
        self._young[key] = address
        return address

    def _create(self, key: str, new_entity: Callable[[str], Actor]) -> Address:
        population = self._host.population
        if population.live >= population.limit:
            self._make_room()
        population.live += 1
        self._sweep_later()
        address = self.create_child(lambda: new_entity(key))
        if key == self._host.resident:
            self._resident.appeared(self.engine.loop.time())
            self.send(address, Appear())
        return address

    # --- opening and being fenced

    def _wait_for_opening(self, envelope: Envelope, sender: Any) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._refuse(envelope, sender, self._host.overloaded(self._number))
            return
        self._waiting.append((envelope, sender))
        if self._phase == CLOSED:
            self._open()

    def _open(self) -> None:
        epoch = self._epoch
        self._phase = OPENING
        opening = self._host.open(self._number, epoch, self.myAddress)
        self.pipe_to_self(opening, lambda outcome: Opened(epoch, outcome))

    def _on_opened(self, opened: Opened) -> None:
        if self._phase != OPENING or opened.epoch != self._epoch:
            return
        error = opened.outcome.error
        if isinstance(error, EpochRefused):
            self._fenced(error.current)
            return
        waiting, self._waiting = self._waiting, deque()
        if error is None:
            self._phase = OPEN
            self._new_entity = opened.outcome.value
            self._resident.opened()
            self._call_up()
            for envelope, sender in waiting:
                self._deliver(envelope, sender)
            return
        _log.warning("shard %d cannot be opened: %s", self._number, error)
        self._phase = CLOSED
        for envelope, sender in waiting:
            self._refuse(envelope, sender, error)
        if self._host.resident is not None:
            self._call_up_after(self._resident.not_opened())

    def _on_own(self, epoch: int) -> None:
        if epoch <= self._epoch or self._phase >= DRAINING:
            return
        self._epoch = epoch
        if self._phase == OPEN:  # the coordinator knows of a newer epoch before any append has met it
            self._expel()
        if self._host.resident is not None:
            self._resident.owned()
            self._open()
        elif self._phase != CLOSED:
            self._phase = CLOSED
            if self._waiting:
                self._open()

    def _on_lost(self, lost: ShardLost) -> None:
        if self._phase == OPEN and lost.epoch == self._epoch:
            if self._host.resident is None:  # else it says so itself: to set back a process means to fence it
                _log.warning("shard %d ends here, for it was fenced: %s", self._number, lost.error)
            self._fenced(lost.current)
            self._expel()

    def _fenced(self, current: int) -> None:
        self._phase = FENCED
        self._new_entity = None
        self.send(self._region, Fence(self._number, self._epoch, current))

    def _expel(self) -> None:
        """All entities exit; messages for their keys wait until they have."""
        self._new_entity = None
        for address, _ in self._leaving.values():  # a busy one would say so, and nobody else would make it leave
            self.send(address, ActorExitRequest())
        for key, address in [*self._young.items(), *self._old.items()]:
            self._let_go(key, address, ActorExitRequest())
        self._young, self._old = {}, {}
        self._expelled.update(self._leaving)

    def _refuse(self, envelope: Envelope, sender: Any, error: BaseException) -> None:
        if sender is self.engine.nobody:  # who does not wait is told nothing
            self.engine.dead_letters.add(self.myAddress, envelope.message, sender)
        else:
            self.send(sender, self._host.refusal(error))

    # --- the resident

    def _on_call_up(self, call: CallUp) -> None:
        if call.number == self._pauses and self._phase == CLOSED:
            self._open()
        elif call.number == self._pauses:
            self._call_up()

    def _call_up(self) -> None:
        """Let the resident live, unless it does, or has still to exit."""
        key = self._host.resident
        if key is None or self._phase != OPEN or self._new_entity is None:
            return
        if not (key in self._young or key in self._leaving):
            self._young[key] = self._create(key, self._new_entity)

    def _call_up_after(self, seconds: float) -> None:
        self._pauses += 1
        self.wakeupAfter(seconds, CallUp(self._pauses))

    def _on_resident_exited(self) -> None:
        pause = self._resident.exited(self.engine.loop.time())
        if pause and self._phase == OPEN:
            self._call_up_after(pause)
        else:
            self._call_up()

    # --- draining

    def _on_drain(self, at_once: bool) -> None:
        if self._phase == DRAINED:
            return
        self._phase = DRAINING
        if at_once and not self._at_once:
            self._at_once = True
            self._expel()
        elif not at_once:
            for key, address in [*self._young.items(), *self._old.items()]:
                self._let_go(key, address, self._host.retirement)
            self._young, self._old = {}, {}
        self._end_if_drained()

    def _end_if_drained(self) -> None:
        if self._phase == DRAINING and not (self._young or self._old or self._leaving):
            self._phase = DRAINED
            unstarted, self._waiting = list(self._waiting), deque()
            for _, sender in unstarted:
                if isinstance(sender, ReplyAddress):
                    sender.release()
            self.send(self._region, Drained(self._number, self._epoch, unstarted))
            self.send(self.myAddress, ActorExitRequest())

    def _retire_if_draining(self, key: str) -> None:
        if self._phase == DRAINING and key in self._young:
            self._let_go(key, self._young.pop(key), self._host.retirement)

    # --- passivation

    def _sweep(self) -> None:
        self._sweeping = False
        for key in list(self._old):
            self._passivate(key, self._old.pop(key))
        self._old, self._young = self._young, {}
        resident = self._host.resident
        if resident in self._old:
            self._young[resident] = self._old.pop(resident)
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
        resident = self._host.resident
        for key in list(islice((key for key in generation if key != resident), count)):
            self._passivate(key, generation.pop(key))

    def _passivate(self, key: str, address: Address) -> None:
        self._let_go(key, address, self._host.farewell)

    def _let_go(self, key: str, address: Address, how: Any) -> None:
        self._leaving[key] = (address, deque())
        self._leaving_keys[address] = key
        self.send(address, how)

    def _on_still_busy(self, key: str) -> None:
        if key in self._expelled or key not in self._leaving:  # it was told to exit meanwhile, and will
            return
        address, waiting = self._leaving.pop(key)
        del self._leaving_keys[address]
        self._young[key] = address
        self._sweep_later()
        for envelope, sender in waiting:
            self._deliver(envelope, sender)
        self._retire_if_draining(key)

    def _on_exited(self, address: Address) -> None:
        self._host.population.live -= 1
        key = self._leaving_keys.pop(address, None)
        if key is not None:
            self._expelled.discard(key)
            for envelope, sender in self._leaving.pop(key)[1]:
                self._deliver(envelope, sender)
            self._retire_if_draining(key)
            if key == self._host.resident:
                self._call_up()
        else:
            for generation in (self._young, self._old):  # an actor that stopped on its own accord: rare, so searched
                for name, live in list(generation.items()):
                    if live == address:
                        del generation[name]
                        if name == self._host.resident:
                            self._on_resident_exited()
        self._end_if_drained()
