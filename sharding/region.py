"""A region: one entity type on one node. It learns where the shards live, and opens and closes those that live here.

For each shard:

    UNKNOWN --`Homes`: another's--> REMOTE --`Homes`: ours--> [FLUSHING] --> LOCAL
    LOCAL --`HandOff`--> DRAINING --shard drained, `HandedOff` sent--> UNKNOWN until the next `Homes`
    LOCAL --`Homes`: another's (it was passed over)--> DRAINING at once --> REMOTE
    REMOTE --`Homes`: yet another's--> [FLUSHING] --> REMOTE
    any --the node's lease is lost--> DRAINING at once --> UNKNOWN

FLUSHING: what this node sent to the former owner may still be on its way from there to the new one; a `Flush` follows
it, and until that has returned new messages wait. So no command overtakes an earlier one of the same sender. When it
does not return in time, or none can be sent, they go nevertheless, and who still waits for an answer to what went
before is told that none comes: it may be carried out behind them.

While a shard is UNKNOWN, FLUSHING or DRAINING its messages wait in a `Buffer`; they never pass through this actor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thespian.actors import ChildActorExited, WakeupMessage

from sharding.actors import Address, AsyncActor
from sharding.notices import (
    THERE,
    CoordinatorChanged,
    DeployedAgain,
    Joined,
    Parts,
    PeerChanged,
    Suspended,
    Vacate,
    Withdraw,
)
from sharding.orders import CallUp, Drain, Drained, Fence, Own
from sharding.post import Unreachable
from sharding.protocol import EpochStale, Flush, Flushed, HandedOff, HandOff, Homes, Register
from sharding.routes import Buffer, Home, RemoteShard, Routes
from sharding.shard import Shard

FLUSH_SECONDS = 2.0
LAST_FLUSH_SECONDS = 0.3  # of a member that is lost: it may have sent the `Flush` on before
REMIND_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class LocalShard:
    """A shard that lives here.

    Attributes:
        draining: `Drain` was sent.
        at_once: it was sent with the order to finish nothing.
        refused: the epoch that the journal knows instead of `epoch` (0: it did not say which), or None.
    """

    address: Address
    epoch: int
    draining: bool = False
    at_once: bool = False
    refused: int | None = None


class Region(AsyncActor):
    """See above.

    Args:
        routes: what callers go by; this actor alone changes it.
        new_term: whether an order of that term may still be carried out.
        on_owned: called with (shard, epoch, whether it is owned now); for records of who owned what when.
        draw: random numbers in [0, 1), which spread the pauses of shards.
    """

    def __init__(
        self,
        routes: Routes,
        new_term: Callable[[int], bool],
        on_owned: Callable[[str, int, int, bool], None],
        draw: Callable[[], float],
    ) -> None:
        super().__init__()
        self._routes = routes
        self._post = routes.post
        self._new_term = new_term
        self._on_owned = on_owned
        self._draw = draw
        self._shards: dict[int, LocalShard] = {}
        self._given_up: dict[int, int] = {}
        self._flushing: dict[int, tuple[int, int]] = {}
        self._last_marker = 0
        self._reminding = False
        self._registered = True
        self._suspended = True
        self._withdrawn = False

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """A turn of the region."""
        match message:
            case Homes():
                self._on_homes(message)
            case HandOff():
                self._on_hand_off(message)
            case Drained():
                self._on_drained(message)
            case Fence():
                self._on_fence(message)
            case Flushed(_, marker):
                self._on_flushed(marker)
            case WakeupMessage(payload=int(marker)):
                self._on_late(marker)
            case WakeupMessage():
                self._remind()
            case PeerChanged():
                self._on_peer(message)
            case Joined():
                self._suspended = False
                self._register()
            case CoordinatorChanged():
                self._register()
            case Suspended():
                self._on_suspended()
            case Vacate():
                for shard, local in self._shards.items():
                    if not local.draining:
                        self._drain(shard, local, at_once=False)
            case Withdraw():
                self._withdrawn = True
                self._register()
                self.send(sender, message)
            case DeployedAgain():
                self._on_deployed_again(message)
            case Parts():
                self._on_parts(message)
            case ChildActorExited():
                pass  # a shard exits after its `Drained`

    def _tell_coordinator(self, message: Any) -> None:
        self._post.to_coordinator(message)

    # --- homes

    def _on_homes(self, homes: Homes) -> None:
        if self._suspended or not self._new_term(homes.term):
            return
        self._registered = self._registered or homes.all_told
        known = self._routes.homes
        for shard, owner, epoch in homes.homes:
            if shard < len(known) and epoch >= known[shard].epoch:  # others may know of more shards already
                known[shard] = Home(owner, epoch)
                self._settle(shard)
                self._routes.take_ahead(shard)

    def _settle(self, shard: int) -> None:
        """Bring the shard's route in line with its home."""
        owner, epoch = self._routes.homes[shard]
        local = self._shards.get(shard)
        if self._suspended:
            return
        if local is not None:
            self._settle_local(shard, local, owner, epoch)
        elif owner == self._post.me:
            if self._withdrawn:
                self._let_wait(shard)
                self._give_up(shard, epoch)
            elif self._given_up.get(shard) != epoch:  # otherwise this only repeats what we had before
                self._take(shard, epoch)
        elif self._post.knows(owner):  # otherwise its messages wait for news of it, or for another home
            self._route_to(shard, RemoteShard(self._routes, shard, owner))

    def _settle_local(self, shard: int, local: LocalShard, owner: int, epoch: int) -> None:
        if owner != self._post.me or (local.draining and epoch > local.epoch):
            if not local.at_once:  # also if it drains already: what it waits for may never end
                _log.warning("%s shard %d was given to member %d", self._routes.name, shard, owner)
                self._drain(shard, local, at_once=True)
        elif epoch > local.epoch:
            self._on_owned(self._routes.name, shard, local.epoch, False)
            local.epoch, local.refused = epoch, None
            self._on_owned(self._routes.name, shard, epoch, True)
            self.send(local.address, Own(epoch))

    def _take(self, shard: int, epoch: int) -> None:
        routes = self._routes
        address = self.create_child(lambda: Shard(shard, epoch, routes.host, self.myAddress, self._draw))
        self._shards[shard] = LocalShard(address, epoch)
        routes.occupy(1)
        self._on_owned(routes.name, shard, epoch, True)
        if routes.host.resident is not None:
            self.send(address, CallUp())
        routes.admit(shard, address)  # what other nodes send on goes there at once, also while we flush
        self._route_to(shard, address)

    def _route_to(self, shard: int, address: Address) -> None:
        route = self._routes.addresses[shard]
        if isinstance(route, Buffer):
            if not route.marker:
                self._routes.open(shard, address)
        elif isinstance(route, RemoteShard):
            if isinstance(address, RemoteShard) and address.owner == route.owner:
                return
            if not (route.used and self._begin_flush(shard, route.owner)):
                self._routes.open(shard, address)

    # --- flushing

    def _let_wait(self, shard: int) -> None:
        """Send nothing more to the shard's owner but a `Flush` behind what went there."""
        route = self._routes.addresses[shard]
        if isinstance(route, RemoteShard) and not (route.used and self._begin_flush(shard, route.owner)):
            self._routes.buffer(shard)

    def _begin_flush(self, shard: int, former: int) -> bool:
        """Send a `Flush` after what went to the former owner; False when that can bring nothing any more."""
        routes = self._routes
        self._last_marker += 1
        epoch = routes.homes[shard].epoch
        try:
            self._post.send(former, Flush(self._post.me, self._last_marker, routes.name, shard, epoch))
        except Unreachable:
            return False
        local = routes.local.get(shard)
        waiting = routes.buffer(shard)
        waiting.marker, waiting.unsure = self._last_marker, False
        if local is not None:
            routes.local[shard] = local
        self._flushing[self._last_marker] = (shard, former)
        self.wakeupAfter(FLUSH_SECONDS, self._last_marker)
        return True

    def _on_late(self, marker: int) -> None:
        """What went to the former owner may be anywhere, and come to the new one after what has to wait no longer."""
        if marker in self._flushing:
            shard, _ = self._flushing[marker]
            route = self._routes.addresses[shard]
            if isinstance(route, Buffer) and route.marker == marker:
                route.unsure = True
            self._on_flushed(marker)

    def _on_flushed(self, marker: int) -> None:
        shard, _ = self._flushing.pop(marker, (None, 0))
        if shard is None:
            return
        route = self._routes.addresses[shard]
        if isinstance(route, Buffer) and route.marker == marker:
            route.marker = 0
            local = self._shards.get(shard)
            if local is not None and not local.draining:
                self._routes.open(shard, local.address)
            else:
                self._settle(shard)

    # --- giving up shards

    def _on_hand_off(self, order: HandOff) -> None:
        if self._suspended or not self._new_term(order.term):
            return
        for shard in order.shards:
            local = self._shards.get(shard)
            if local is None:
                home = self._routes.homes[shard] if shard < len(self._routes.homes) else Home(0, 0)
                if home.owner == self._post.me:  # handed off before, the answer was lost
                    self._tell_coordinator(HandedOff(self._routes.name, shard, home.epoch))
            elif not local.draining:
                self._drain(shard, local, at_once=False)

    def _drain(self, shard: int, local: LocalShard, *, at_once: bool) -> None:
        local.draining = True
        local.at_once = local.at_once or at_once
        self._routes.buffer(shard)
        self.send(local.address, Drain(at_once))

    def _on_drained(self, drained: Drained) -> None:
        shard = drained.shard
        local = self._shards.pop(shard)
        self._routes.occupy(-1)
        self._on_owned(self._routes.name, shard, local.epoch, False)
        self._routes.give_back(shard, drained.unstarted)
        self._given_up[shard] = local.epoch
        if self._suspended:
            return
        if self._routes.homes[shard] == (self._post.me, local.epoch):
            self._give_up(shard, local.epoch)
        else:
            self._settle(shard)

    def _give_up(self, shard: int, epoch: int) -> None:
        """Nothing of the shard is here, and nothing will be under that epoch."""
        self._given_up[shard] = epoch
        self._tell_coordinator(HandedOff(self._routes.name, shard, epoch))
        self._remind_later()

    def _on_fence(self, fence: Fence) -> None:
        local = self._shards.get(fence.shard)
        if local is not None and local.epoch == fence.epoch:
            local.refused = fence.current
            self._tell_coordinator(EpochStale(self._routes.name, *fence))
            self._remind_later()

    # --- what must not be lost between here and the coordinator

    def _on_deployed_again(self, again: DeployedAgain) -> None:
        self._withdrawn, self._routes.host = not again.hosts, again.host
        self._given_up = {shard: epoch for shard, epoch in self._given_up.items() if shard < again.shard_count}
        self._flushing = {marker: one for marker, one in self._flushing.items() if one[0] < again.shard_count}
        self._routes.resize(again.shard_count)
        self._register()

    def _register(self) -> None:
        if self._suspended:
            return
        self._registered = False
        self._tell_coordinator(Register(self._post.me, self._routes.name))
        self._remind_later()

    def _remind_later(self) -> None:
        if not self._reminding:
            self._reminding = True
            self.wakeupAfter(REMIND_SECONDS)

    def _remind(self) -> None:
        """Tell the coordinator again of shards that wait for its decision; the first time may not have reached it."""
        self._reminding = False
        if self._suspended:
            return
        name, me, homes = self._routes.name, self._post.me, self._routes.homes
        stopped = [shard for shard, epoch in self._given_up.items() if homes[shard] == (me, epoch)]
        refused = [
            (shard, local.epoch, local.refused) for shard, local in self._shards.items() if local.refused is not None
        ]
        for shard in stopped:
            self._tell_coordinator(HandedOff(name, shard, homes[shard].epoch))
        for shard, epoch, current in refused:
            self._tell_coordinator(EpochStale(name, shard, epoch, current))
        if not self._registered:
            self._tell_coordinator(Register(me, name))
        if stopped or refused or not self._registered:
            self._remind_later()

    def _on_suspended(self) -> None:
        self._suspended = True
        self._routes.forget_homes()
        self._flushing.clear()
        for shard, local in self._shards.items():
            self._drain(shard, local, at_once=True)

    # --- peers

    def _on_parts(self, parts: Parts) -> None:
        """Send nothing to the member but a `Flush` behind what went there; what comes waits for its shards' homes."""
        for shard, route in enumerate(self._routes.addresses):
            if isinstance(route, RemoteShard) and route.owner == parts.incarnation:
                self._let_wait(shard)
        parts.done()

    def _on_peer(self, change: PeerChanged) -> None:
        if change.what != THERE:  # the `Flush` is lost with the connection, or sent on already
            for marker, (_, former) in self._flushing.items():
                if former == change.incarnation:
                    self.wakeupAfter(LAST_FLUSH_SECONDS, marker)
        for shard, home in enumerate(self._routes.homes):
            if home.owner == change.incarnation and shard not in self._shards:
                self._settle(shard)
