"""A process's part of a cluster: it joins the actors, the links and the store, and knows which message is whose.

Above it are entity types, which come in through `deploy`; below it are the membership, the coordinator (if this node
holds the term) and a region per type, all actors. Everything here runs on the loop, in turns or between them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorExitRequest

from sharding.acquaintances import Acquaintances
from sharding.actors import Address, Engine
from sharding.allocation import EVEN, AllocationStrategy, RingAllocation
from sharding.asks import RemoteAsks
from sharding.coordinator import Coordinator
from sharding.deployed import Deployed, DeployedTypes
from sharding.farewells import Farewells
from sharding.host import ShardHost
from sharding.last_words import LastWords
from sharding.links import Link, LinkError, Links, Peer
from sharding.links.settings import check_advertised
from sharding.membership import Membership
from sharding.messages import Envelope
from sharding.notices import (
    GONE,
    LOST,
    THERE,
    CoordinatorChanged,
    DeployedAgain,
    From,
    Joined,
    Leave,
    Left,
    LookAgain,
    News,
    Parts,
    PeerChanged,
    PeerDead,
    PeerOpened,
    PictureSeen,
    Suspended,
    Vacate,
    Withdraw,
)
from sharding.ports import Ports
from sharding.post import Unreachable, try_to_send
from sharding.protocol import (
    UNDELIVERED,
    EpochStale,
    Failed,
    Farewell,
    Flush,
    Flushed,
    HandedOff,
    HandOff,
    Homes,
    Leads,
    Leaving,
    MayLeave,
    Members,
    Moved,
    Parting,
    Register,
    Reply,
    Request,
    Resigned,
)
from sharding.region import Region
from sharding.routes import Routes
from sharding.settings import ClusterSettings
from sharding.store.contract import ClusterStore
from sharding.store.errors import ClusterStoreError, LeaseLost
from sharding.store.records import Deployment, Member, Picture, Seat
from sharding.strangers import Strangers

_log = logging.getLogger(__name__)

LinksFactory = Callable[["Cluster"], Links]
OnOwned = Callable[[str, int, int, bool], None]
REDEPLOY_PAUSE = 0.2
AT_ONCE_SECONDS = 1.0
PARTING_SECONDS = 1.0


class Cluster:
    """One node's membership in a cluster, from `start` by way of `hand_off` to `leave`.

    Args:
        engine: runs the actors.
        store: the cluster's.
        node: this node's name; members have different ones.
        weight: how many shards it should own, relative to others; 0 for a node that only calls.
        roles: free words.
        settings: times and bounds.
        ports: time, chance and the network.
        links: makes the links to other nodes; None for a node that is alone in its store.
        on_owned: called with (type, shard, epoch, owned now) as shards come and go.
        strategy: decides where shards of entities belong, should this node coordinate; by default a `RingAllocation`
            for each type. Processes are always spread evenly.

    Attributes:
        me: this node's incarnation; 0 while it is no member.
        term: the newest coordinator's term that is known.
    """

    def __init__(
        self,
        engine: Engine,
        store: ClusterStore,
        node: str,
        *,
        weight: float = 1.0,
        roles: tuple[str, ...] = (),
        settings: ClusterSettings | None = None,
        ports: Ports | None = None,
        links: LinksFactory | None = None,
        on_owned: OnOwned | None = None,
        strategy: AllocationStrategy | None = None,
    ) -> None:
        self.engine = engine
        self.store = store
        self.node = node
        self.weight = weight
        self.roles = roles
        self.settings = settings or ClusterSettings()
        self.ports = ports or Ports()
        self.me = 0
        self.term = 0
        self._known = Acquaintances(on_one_machine=store.on_one_machine)
        self._strangers = Strangers()
        self._farewells = Farewells(engine.loop, self)
        self._coordinator: int | None = None
        self._strategy = strategy
        self._on_owned = on_owned or _unrecorded
        self._links = None if links is None else links(self)
        self._asks = RemoteAsks(engine.nobody)
        self._last_words = LastWords(engine.loop, self._asks, self._links)
        self._deployed = DeployedTypes(engine)
        self._leading: Address | None = None
        self._membership: Address | None = None
        self._joined: asyncio.Future[None] = engine.loop.create_future()
        self._may_leave: asyncio.Future[None] | None = None
        self._redeploying: asyncio.Task[None] | None = None
        self._recording: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def members(self) -> dict[int, Member]:
        """The members that are known here and not down, by incarnation."""
        return self._known.members

    # --- the life of a node

    async def start(self, host: str = "127.0.0.1", port: int = 0, advertised: tuple[str, int] | None = None) -> None:
        """Listen and join.

        Args:
            host, port: where to listen; port 0 takes a free one.
            advertised: where others reach this node, if that is not where it listens.

        Raises:
            ClusterStoreError: the store is away, or a living process has this node's name.
            UnsafeSetting: the address could be reached by others, and nothing would keep them out; or nobody could.
            LinkError, OSError: the address cannot be had.
        """
        address = (host, port)
        if self._links is not None:
            address = await self._links.listen(host, port)
        where = advertised or address
        if self._links is not None:
            check_advertised(where[0])
        seat = Seat(self.node, where[0], where[1] or address[1], self.weight, self.roles)
        network = self.ports.network if self._links is not None else None
        member = Membership(self.store, seat, self.settings.lease, self.ports, network, self)
        self._membership = self.engine.create(lambda: member)
        self.engine.run_queue.guard = member.guard
        self.engine.tell(self._membership, "start")
        await self._joined

    async def deploy(self, deployment: Deployment, host: ShardHost, *, hosts: bool = True) -> Routes:
        """Route a type from this node, and host its shards if `hosts` and the node's weight is above 0.

        A type that is deployed here keeps its routes: what was withdrawn is hosted again, with the new `host`, also
        with another number of shards where the store allows that. Await `withdraw` before that.

        Raises:
            DeploymentMismatch: other nodes deployed it otherwise.
            ClusterStoreError: the store is away.
        """
        hosts = hosts and self.weight > 0
        known = self._deployed.get(deployment.name)
        if known is not None:
            return await self._deploy_again(known, deployment, host, hosts)
        await self._record(deployment, lambda: hosts)
        routes = Routes(deployment.name, deployment.shard_count, host, self.engine, self, self._asks)
        region = self.engine.create(lambda: Region(routes, self.accepts, self._on_owned, self.ports.draw))
        self._deployed.add(Deployed(deployment, hosts, region, routes))
        if self.me:
            self.engine.tell(region, Joined())
        return routes

    async def _deploy_again(self, known: Deployed, deployment: Deployment, host: ShardHost, hosts: bool) -> Routes:
        await self._record(deployment, lambda: hosts)
        news = deployment != known.deployment or (hosts and not known.hosts)
        known.deployment, known.hosts = deployment, known.hosts or hosts
        if news:
            await known.routes.vacated()
            self.engine.tell(known.region, DeployedAgain(host, deployment.shard_count, known.hosts))
        return known.routes

    async def withdraw(self, name: str) -> None:
        """Host a type no more: its shards are handed off to others; with no other host they stop, and nobody has them.

        The routes stay: this node can still call it. What it sends waits while nobody hosts the type.

        Returns:
            when no shard of it lives here. Nothing happens when it is not deployed here.

        Raises:
            ClusterStoreError: the store is away. The node will not host it when it joins anew; call this again.
        """
        one = self._deployed.get(name)
        if one is None:
            return
        one.hosts = False
        async with self._recording[name]:
            if self.me:
                await self.store.unhost(name, self.me)
        await self.engine.ask(one.region, Withdraw())
        await one.routes.vacated()

    async def _record(self, deployment: Deployment, hosts: Callable[[], bool]) -> None:
        while True:
            async with self._recording[deployment.name]:  # what is wanted later is written later
                me, wanted = self.me, hosts()
                if me or not wanted:
                    try:
                        await self.store.deploy(deployment, host=me if wanted else None)
                    except LeaseLost:  # the next renewal notices that, too, and joins anew
                        _log.info("node %r is no member now: it deploys %s later", self.node, deployment.name)
                    else:
                        if me == self.me:
                            return
                        continue
            await asyncio.sleep(REDEPLOY_PAUSE)

    async def hand_off(self, seconds: float) -> None:
        """Begin to leave: hand all shards off, and finish what is left here without haste, for at most `seconds`."""
        if self._membership is None:
            return
        end = self.engine.loop.time() + seconds
        self._may_leave = self.engine.loop.create_future()
        self.engine.tell(self._membership, Leave())
        try:
            async with asyncio.timeout(seconds):
                await self._may_leave
        except TimeoutError:
            _log.warning("node %r leaves although not all its shards could be handed off", self.node)
        self._stop_redeploying()
        self._deployed.tell_all(Vacate())
        await self._deployed.vacated(max(0.0, end - self.engine.loop.time()))
        patience = min(PARTING_SECONDS, max(0.0, end - self.engine.loop.time()))
        if not await self._farewells.exchange(self._known.others(self.me), self._deployed.waiting, patience):
            _log.info("node %r: not everybody has said farewell in time", self.node)
        self._deployed.refuse_waiting(f"node {self.node!r} has left")

    def _on_parting(self, incarnation: int) -> None:
        """The member owns nothing more: let regions stop sending there, then say that they have."""
        self._known.parted(incarnation)
        waiting = [len(self._deployed)]

        def done() -> None:
            waiting[0] -= 1
            if waiting[0] <= 0:
                try_to_send(self, incarnation, Farewell(self.me))

        self._deployed.tell_all(Parts(incarnation, done))
        if not self._deployed:
            done()

    async def leave(self) -> None:
        """Stop what is left here, at once, and give the lease back. `hand_off` comes before it."""
        if self._membership is None:
            return
        me = self.me
        self.engine.run_queue.guard = None
        self.term_lost()
        try:
            self._deployed.tell_all(Suspended())
            if not await self._deployed.vacated(AT_ONCE_SECONDS):
                _log.warning("node %r: some shards could not be stopped", self.node)
            self.engine.tell(self._membership, Left())
            if me:
                await self.store.leave(me)
        except ClusterStoreError as error:  # its lease will run out, which says the same
            _log.warning("node %r could not give its lease back: %s", self.node, error)
        finally:
            self.me = 0

    async def close(self, *, with_store: bool) -> None:
        """Release links and, if asked to, the store; also after a start that failed."""
        self.engine.run_queue.guard = None
        self._last_words.close()
        if self._links is not None:
            await self._links.close()
        if with_store:
            await self.store.close()

    # --- `Household`: what the membership tells

    def joined(self, member: Member) -> None:
        """See `Household`."""
        self.me = member.incarnation
        if self._links is not None:
            self._links.introduce(member.node, member.incarnation)
        if not self._joined.done():
            self._joined.set_result(None)
        elif self._deployed:
            self._stop_redeploying()
            self._redeploying = self.engine.loop.create_task(self._redeploy(self.me), name="redeploy")

    def _stop_redeploying(self) -> None:
        if self._redeploying is not None:
            self._redeploying.cancel()

    async def _redeploy(self, me: int) -> None:
        for one in self._deployed:
            await self._redeploy_one(me, one)

    async def _redeploy_one(self, me: int, one: Deployed) -> None:
        while self.me == me:
            try:
                if one.hosts:
                    await self._record(one.deployment, lambda: one.hosts)
            except ClusterStoreError as error:
                _log.warning("node %r cannot host %s again yet: %s", self.node, one.deployment.name, error)
                await asyncio.sleep(REDEPLOY_PAUSE)
            else:
                self.engine.tell(one.region, Joined())
                return

    def outside(self) -> None:
        """See `Household`."""
        self.me = 0
        self._coordinator = None
        self._strangers.forget()
        self._deployed.forget_homes()
        self._deployed.tell_all(Suspended())
        self._known.forgotten()
        self._stop_redeploying()
        self._on_may_leave()

    def cannot_join(self, error: BaseException) -> None:
        """See `Household`."""
        if not self._joined.done():
            self._joined.set_exception(error)

    def members_changed(self, members: dict[int, Member]) -> None:
        """See `Household`."""
        new, gone = self._known.changed(members, self.me)
        for incarnation in new:
            self._deployed.tell_all(PeerChanged(incarnation, THERE))
            for message in self._strangers.known(incarnation):
                self._on_foreign(message)
        for incarnation in gone:
            self._suspend(incarnation)
            self._farewells.said(incarnation)
            self._strangers.known(incarnation)
            self._asks.doubt(incarnation)
            self._last_words.listen(incarnation, f"member {incarnation} is gone", drop=True)
        if self._links is not None and self._leading is not None:
            self._link_all()
        if self._coordinator in new:
            self.coordinator_changed(self.term, self._coordinator)
        if self._may_leave is not None and not self._known.has_heirs(self.me):
            self._on_may_leave()

    def _strategy_of(self, deployment: Deployment) -> AllocationStrategy:
        if deployment.kind == "process":
            return RingAllocation(deployment.name, EVEN)
        return self._strategy or RingAllocation(deployment.name)

    def _link_all(self) -> None:
        for incarnation in self._known.others(self.me):
            if self._links is not None:
                self._links.to(_peer(self.members[incarnation]))

    def saw(self, picture: Picture) -> None:
        """See `Household`."""
        if self._leading is not None:
            self.engine.tell(self._leading, PictureSeen(picture))

    def coordinator_changed(self, term: int, coordinator: int | None) -> None:
        """See `Household`."""
        self.term, self._coordinator = term, coordinator
        member = self.members.get(coordinator or 0)
        if member is None:
            return
        if self._links is not None and coordinator != self.me:
            self._links.to(_peer(member))  # also to hear at once when its process dies
        self._deployed.tell_all(CoordinatorChanged())
        if self._may_leave is not None:
            self.to_coordinator(Leaving(self.me))

    def term_taken(self, term: int) -> None:
        """See `Household`."""
        self.term_lost()
        membership = self._membership
        assert membership is not None, "it tells us"
        self._leading = self.engine.create(
            lambda: Coordinator(term, self.store, self, self.settings, self._strategy_of, membership)
        )
        self._link_all()
        self.engine.tell(self._leading, "start")

    def term_lost(self) -> None:
        """See `Household`."""
        if self._leading is not None:
            leading, self._leading = self._leading, None
            self.engine.tell(leading, ActorExitRequest())

    def leaving_said(self, resigned: int | None) -> None:
        """See `Household`."""
        if resigned is not None:
            for incarnation in self._known.others(self.me):
                try_to_send(self, incarnation, Resigned(resigned))
        if not self.weight or not self._known.has_heirs(self.me):  # nothing to hand off, or nobody to take it
            self._on_may_leave()
        else:
            self.to_coordinator(Leaving(self.me))

    def _on_may_leave(self) -> None:
        if self._may_leave is not None and not self._may_leave.done():
            self._may_leave.set_result(None)

    def accepts(self, term: int) -> bool:
        """Whether an order of that term is still to be carried out."""
        return term >= self.term

    # --- `Post`

    def send(self, incarnation: int, message: Any) -> int:
        """See `Post`."""
        if incarnation == self.me:
            self._dispatch(incarnation, message)
            return 0
        member = self.members.get(incarnation)
        if member is None or self._links is None or not self.me:
            raise Unreachable(f"member {incarnation} is not known here")
        serial: int
        try:
            serial = self._links.to(_peer(member)).send(message)
        except LinkError as error:
            raise Unreachable(
                f"member {incarnation} ({member.node} at {member.host}:{member.port}): {error}"
            ) from error
        return serial

    def to_coordinator(self, message: Any) -> None:
        """See `Post`."""
        if self._coordinator is not None and self.me:
            try_to_send(self, self._coordinator, message)

    def learn(self, members: dict[int, Member]) -> None:
        """See `Post`."""
        self.members_changed(members)

    def knows(self, incarnation: int) -> bool:
        """See `Post`."""
        return self._known.is_there(incarnation)

    def is_open(self, incarnation: int) -> bool:
        """See `Post`."""
        member = self.members.get(incarnation)
        return member is not None and self._links is not None and self._links.to(_peer(member)).is_open

    # --- `LinkListener`

    def received(self, incarnation: int, message: Any) -> None:
        """See `LinkListener`."""
        if self.me:
            self._dispatch(incarnation, message)

    def opened(self, link: Link) -> None:
        """See `LinkListener`."""
        incarnation = link.peer.incarnation
        self._known.met(incarnation)
        if self._leading is not None:
            self.engine.tell(self._leading, PeerOpened(incarnation))
        self._deployed.tell_all(PeerChanged(incarnation, THERE))

    def lost(self, link: Link, first_unsent: int) -> None:
        """See `LinkListener`."""
        peer = link.peer
        why = f"the connection to {peer.node} at {peer.host}:{peer.port} was lost"
        unsent: dict[tuple[Routes, int], list[tuple[Envelope, Address]]] = {}
        for routes, envelope, sender in self._asks.lost(peer.incarnation, first_unsent):
            unsent.setdefault((routes, envelope.shard), []).append((envelope, sender))
        for (routes, shard), waiting in unsent.items():
            routes.put_back(shard, waiting)
        self._last_words.listen(peer.incarnation, why, drop=False)
        self._farewells.said(peer.incarnation)  # or it would have been, before that
        # If its process is dead we hear that next, and what was put back goes on waiting.
        self.engine.loop.call_soon(self._deployed.tell_all, PeerChanged(peer.incarnation, LOST))

    def unsent(self, link: Link, message: Any) -> None:
        """See `LinkListener`. Asks of this node wait anew already; nothing else of this kind has a sender here."""
        if type(message) is Request and not (message.origin == self.me and message.ask):
            peer = link.peer
            self._undelivered(message, f"the connection to {peer.node} at {peer.host}:{peer.port} was lost before")

    def dead(self, link: Link, reason: str) -> None:
        """See `LinkListener`."""
        incarnation = link.peer.incarnation
        if self._known.has_parted(incarnation):  # it said so, and the store will
            return
        proven = self._known.died(link.peer, reason)
        self._suspend(incarnation)
        self._asks.doubt(incarnation)
        self._last_words.listen(incarnation, f"member {incarnation} ({link.peer.node}) is dead: {reason}", drop=False)
        if proven and self._membership is not None:
            self.engine.tell(self._membership, PeerDead(incarnation))
        if proven and self._leading is not None:
            self.engine.tell(self._leading, PeerDead(incarnation))

    def unheard(self, incarnation: int) -> None:
        """See `LinkListener`."""
        self._last_words.unheard(incarnation)

    def _suspend(self, incarnation: int) -> None:
        """Let what goes to a member that is gone wait for its successors."""
        self._deployed.suspend(incarnation)
        self._deployed.tell_all(PeerChanged(incarnation, GONE))

    # --- whose is it

    def _dispatch(self, incarnation: int, message: Any) -> None:
        kind = type(message)
        if kind is Request or kind is Flush:
            self._on_foreign(message)
        elif kind is Reply:
            self._asks.answered(*message)
        elif kind is Failed:
            self._asks.failed(*message)
        elif kind is Moved:
            self._asks.moved(message.ask, message.owner)
            self._deployed.tell(Homes(self.term, message.name, ((message.shard, message.owner, message.epoch),)))
        elif kind in (Homes, HandOff, Flushed):
            self._deployed.tell(message)
        elif kind in (Register, HandedOff, EpochStale, Leaving):
            if self._leading is not None:
                self.engine.tell(self._leading, From(incarnation, message))
        elif kind in (Leads, Resigned, Members):
            if self._membership is not None:
                self.engine.tell(self._membership, News(message))
        elif kind is MayLeave:
            self._on_may_leave()
        elif kind is Parting:
            self._on_parting(incarnation)
        elif kind is Farewell:
            self._farewells.said(incarnation)
        else:
            _log.error("node %r: nobody takes %s", self.node, kind.__name__)

    def _on_foreign(self, message: Request | Flush) -> None:
        origin = message.origin
        known = origin == self.me or self._known.is_heard_of(origin)
        if not known and self._strangers.keep(message):
            if self._membership is not None:
                self.engine.tell(self._membership, LookAgain())
            return
        deployed = self._deployed.get(message.name)
        if deployed is not None:
            deployed.routes.take(message)
        elif isinstance(message, Request):
            self._undelivered(message, f"{message.name} is not deployed on node {self.node!r}")

    def _undelivered(self, request: Request, why: str) -> None:
        """Tell who asked that nothing happened; what nobody waits for is a dead letter."""
        deployed = self._deployed.get(request.name)
        if deployed is not None:
            deployed.routes.fail(request, UNDELIVERED, why)
        elif request.ask:
            try_to_send(self, request.origin, Failed(request.ask, UNDELIVERED, why))
        else:
            self.engine.dead_letters.add(self.engine.nobody, request, self.engine.nobody)


def _peer(member: Member) -> Peer:
    return Peer(member.node, member.incarnation, member.host, member.port)


def _unrecorded(name: str, shard: int, epoch: int, owned: bool) -> None:
    """Nobody keeps records of who owned what."""
