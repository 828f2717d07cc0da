"""Faults in how a cluster gives shards to nodes, and in how messages find them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from journal.memory.events import MemoryJournal
from sharding.lease import Lease
from sharding.links.handshake import AcceptorHandshake, Refusal, Refused
from sharding.links.outgoing import OutgoingLink
from sharding.membership import Membership
from sharding.protocol import Request
from sharding.region import Region
from sharding.routes import Buffer, Routes
from sharding.shard import Shard
from sharding.store.memory import MemoryClusterStore
from sharding.store.records import Allocation
from sharding.table import ShardTable
from tests.mutants.mutant import Patch, both, replaced


def _nothing(_: Any) -> Callable[..., None]:
    return lambda *_: None


lease_ignored: Patch = replaced(Membership, "guard", _nothing)


def _from_the_answer(original: Any) -> Any:
    def on_renewed(self: Membership, sent_at: float, outcome: Any) -> None:
        original(self, self._ports.clock(), outcome)

    return on_renewed


lease_from_the_answer: Patch = both(
    replaced(Membership, "_on_renewed", _from_the_answer), replaced(Lease, "USABLE", lambda _: 1.0)
)


def _unchecked(_: Any) -> Any:
    async def allocate(self: MemoryClusterStore, term: int, name: str, allocations: Sequence[Allocation]) -> None:
        shards = self._allocations.setdefault(name, {})
        shards.update((allocation.shard, allocation) for allocation in allocations)

    return allocate


stale_coordinator: Patch = both(
    replaced(MemoryClusterStore, "_check_term", _nothing), replaced(MemoryClusterStore, "allocate", _unchecked)
)


def _same_epoch(original: Any) -> Any:
    def grant(self: ShardTable, shard: int, target: int, candidates: Any) -> Allocation:
        found: Allocation = original(self, shard, target, candidates)
        return found._replace(epoch=max(1, found.epoch - 1))

    return grant


def _claiming_again(_: Any) -> Any:
    async def claim(self: MemoryJournal, shard: int, epoch: int) -> Any:
        await self._turn.passed()
        self._shards[shard] = self._shards[shard]._replace(epoch=max(epoch, self._shards[shard].epoch))
        return self._shards[shard]

    return claim


epochs_not_growing: Patch = both(
    replaced(ShardTable, "_grant", _same_epoch),
    replaced(MemoryClusterStore, "allocate", _unchecked),
    replaced(MemoryJournal, "claim", _claiming_again),
)


def _twice(original: Any) -> Any:
    def hand_over(self: Routes, address: Any, foreign: Any) -> None:
        original(self, address, foreign)
        if isinstance(foreign, Request) and foreign.hops:
            original(self, address, foreign)

    return hand_over


delivered_twice: Patch = replaced(Routes, "_hand_over", _twice)


def _forgetful(original: Any) -> Any:
    def open_route(self: Routes, shard: int, address: Any) -> None:
        route = self.addresses[shard]
        if isinstance(route, Buffer):
            route.items.clear()
        original(self, shard, address)

    return open_route


buffered_lost: Patch = replaced(Routes, "open", _forgetful)


def _at_once(original: Any) -> Any:
    return lambda self, _: original(self, True)


hand_off_at_once: Patch = replaced(Shard, "_on_drain", _at_once)


def _always_dead(original: Any) -> Any:
    def ended(self: OutgoingLink, connection: Any, why: str, *, dead: bool) -> None:
        original(self, connection, why, dead=True)

    return ended


dead_without_probing: Patch = replaced(OutgoingLink, "ended", _always_dead)


def _any_other(original: Any) -> Any:
    """Whoever is wanted under an incarnation that it has not heard of yet says that it is another one."""

    def challenge(self: AcceptorHandshake, hello: bytes) -> Any:
        try:
            return original(self, hello)
        except Refused as refused:
            if refused.reason is Refusal.NOT_INTRODUCED and self._me is not None:
                raise self._no(Refusal.OTHER_INCARNATION, hello) from None
            raise

    return challenge


joining_dead: Patch = replaced(AcceptorHandshake, "challenge", _any_other)


def _not_behind(_: Any) -> Any:
    return lambda self, shard, former: False


not_flushed: Patch = replaced(Region, "_begin_flush", _not_behind)


def _no_slots(original: Any) -> Any:
    return lambda self, candidates, held, slots: original(self, candidates, held, 0)


joins_for_nothing: Patch = replaced(ShardTable, "next_step", _no_slots)

fence_ignored: Patch = replaced(Region, "_on_fence", _nothing)
