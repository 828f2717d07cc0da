"""Where the shards of one type live, as this node knows it, and the addresses by which callers reach them.

Callers send straight to `Routes.addresses[shard]`, which is one of three: the shard's own actor when it lives here, a
`RemoteShard` when another member owns it, or a `Buffer` while its home is unknown or changing. So no actor stands in
the way of a message, and a changed home is one assignment.
"""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from sharding.actors import Address, HandlerFailed, Undeliverable
from sharding.actors.ask import ReplyAddress
from sharding.asks import RemoteAsk, RemoteAsks
from sharding.host import ShardHost
from sharding.messages import Envelope
from sharding.post import Post, Unreachable, try_to_send
from sharding.protocol import RAISED, UNANSWERED, UNDELIVERED, Failed, Flush, Flushed, Moved, Reply, Request
from sharding.shard import MAX_WAITING

if TYPE_CHECKING:
    import asyncio

    from sharding.actors import Engine

MAX_HOPS = 4
LONGEST_TEXT = 10_000  # characters of what is told of a failure

_log = logging.getLogger(__name__)

Foreign: TypeAlias = "Request | Flush"


class Home(NamedTuple):
    """Who owns a shard, and under which epoch; owner 0 when that is unknown."""

    owner: int
    epoch: int


class Buffer(Address):
    """Holds messages for a shard whose home is unknown or changing.

    Attributes:
        items: what waits, in order: a caller's envelope with its sender, or what another node sent.
        marker: the `Flush` under way that has to return first, or 0.
        unsure: what was sent before may be anywhere, and no `Flush` follows it.
    """

    __slots__ = ("_routes", "_shard", "items", "marker", "unsure")

    def __init__(self, routes: Routes, shard: int, *, unsure: bool = False) -> None:
        self._routes = routes
        self._shard = shard
        self.items: deque[tuple[Envelope, Address] | Foreign] = deque()
        self.marker = 0
        self.unsure = unsure

    @property
    def home(self) -> Engine:
        """The node's engine."""
        return self._routes.engine

    @property
    def name(self) -> str:
        """As logs call it."""
        return f"{self._routes.name}-{self._shard}@waiting"

    def deliver(self, message: Any, sender: Any) -> None:
        """Let a caller's envelope wait, or refuse it when too much waits already."""
        if len(self.items) >= MAX_WAITING:
            self._routes.refuse(self, message, sender, self._routes.host.overloaded(self._shard))
        else:
            message.waiting = True
            self.items.append((message, sender))


class RemoteShard(Address):
    """A shard on another member.

    Attributes:
        owner: the member.
        used: whether anything was ever sent there.
    """

    __slots__ = ("_routes", "_shard", "owner", "used")

    def __init__(self, routes: Routes, shard: int, owner: int) -> None:
        self._routes = routes
        self._shard = shard
        self.owner = owner
        self.used = False

    @property
    def home(self) -> Engine:
        """The node's engine."""
        return self._routes.engine

    @property
    def name(self) -> str:
        """As logs call it."""
        return f"{self._routes.name}-{self._shard}@{self.owner}"

    def deliver(self, message: Any, sender: Any) -> None:
        """Send a caller's envelope over the link."""
        self.used = True
        self._routes.send_to(self.owner, message, sender)


class Routes:
    """The routes of one type on one node.

    Args:
        name: the type's.
        shard_count: how many shards it has.
        host: packs and unpacks messages.
        engine: delivers on this node.
        post: delivers to others.
        asks: the node's asks under way.

    Attributes:
        addresses: for each shard where its messages go now.
        homes: for each shard what is known of its owner.
        local: the actors of the shards that live here and take messages.
        occupied: how many shards live here, those that are being stopped included.
    """

    def __init__(
        self, name: str, shard_count: int, host: ShardHost, engine: Engine, post: Post, asks: RemoteAsks
    ) -> None:
        self.name = name
        self.host = host
        self.engine = engine
        self.post = post
        self._asks = asks
        self.homes = [Home(0, 0)] * shard_count
        self.addresses: list[Address] = [Buffer(self, shard) for shard in range(shard_count)]
        self.local: dict[int, Address] = {}
        self.occupied = 0
        self._vacated: list[asyncio.Future[None]] = []
        self._ahead: dict[int, deque[Foreign]] = {}
        self._asked: dict[asyncio.Future[Any], Request] = {}  # of shards here, by others

    # --- from callers on this node

    def send_to(self, owner: int, envelope: Envelope, sender: Address) -> None:
        """Send an envelope to the shard's owner; who waits for the answer is told when it cannot be sent."""
        asks = sender.__class__ is ReplyAddress
        shard, number = envelope.shard, 0
        try:
            payload = self.host.wire.pack(envelope.message)
        except Exception as error:  # noqa: BLE001 - a message that cannot be packed concerns its sender only
            self.refuse(self.addresses[shard], envelope, sender, error)
            return
        if asks:
            assert isinstance(sender, ReplyAddress)
            ask = RemoteAsk(sender, envelope, self, owner)
            number = self._asks.begin(ask)
        request = Request(self.post.me, number, self.name, shard, self.homes[shard].epoch, envelope.key, payload)
        try:
            serial = self.post.send(owner, request)
        except Unreachable as error:
            self._asks.forget(number)
            self._undelivered(envelope, sender, str(error))
        else:
            if asks:
                ask.serial = serial

    def refuse(self, target: Address, envelope: Envelope, sender: Address, error: BaseException) -> None:
        """Tell a caller of `error`; an envelope that has none is a dead letter."""
        if sender is self.engine.nobody:
            self.engine.dead_letters.add(target, envelope.message, sender)
        else:
            self.engine.tell(sender, self.host.refusal(error))

    def give_up(self, shard: int, why: str) -> None:
        """Tell who waits for an answer of the shard's former owners that none comes; what was sent may yet happen."""
        self._asks.give_up_shard(self, shard, f"{self.name} shard {shard}: {why}")

    def put_back(self, shard: int, unsent: list[tuple[Envelope, Address]]) -> None:
        """Let what never left this process wait, in its order, in front of all that was sent after it."""
        route = self.addresses[shard]
        if isinstance(route, RemoteShard):
            route = self.buffer(shard)
        if isinstance(route, Buffer):
            for envelope, _ in unsent:
                envelope.waiting = True
            route.items.extendleft(reversed(unsent))
        else:
            for envelope, sender in unsent:
                self.engine.tell(route, envelope, sender)

    def _undelivered(self, envelope: Envelope, sender: Address, why: str) -> None:
        error = Undeliverable(f"{self.name} shard {envelope.shard}: {why}")
        self.engine.dead_letters.add(self.addresses[envelope.shard], envelope.message, sender, error)

    # --- from other nodes

    def take(self, foreign: Foreign) -> None:
        """What another node sent here: to the shard if it lives here, on to its owner, or let it wait."""
        shard = foreign.shard
        if not 0 <= shard < len(self.homes):
            self.fail(foreign, UNDELIVERED, f"{self.name} has no shard {shard} here")
            return
        if foreign.epoch > self.homes[shard].epoch:
            # The sender knows more than we do, and the news are on their way. What we have meanwhile is superseded: a
            # flush that it answered would be told that all is done, while the shard still gives back what it has.
            self._let_wait(self._ahead.setdefault(shard, deque()), foreign)
            return
        address = self.local.get(shard)
        if address is not None:
            self._hand_over(address, foreign)
            return
        route = self.addresses[shard]
        if isinstance(route, Buffer):
            self._let_wait(route.items, foreign)
        elif isinstance(route, RemoteShard):
            self._send_on(route.owner, foreign)

    def _let_wait(self, waiting: deque[Any], foreign: Foreign) -> None:
        if len(waiting) >= MAX_WAITING:
            self.fail(foreign, UNDELIVERED, f"{self.name} shard {foreign.shard}: too much waits for its new home")
        else:
            waiting.append(foreign)

    def _hand_over(self, address: Address, foreign: Foreign) -> None:
        if isinstance(foreign, Flush):
            try_to_send(self.post, foreign.origin, Flushed(self.name, foreign.marker))
            return
        try:
            envelope = Envelope(foreign.shard, foreign.key, self.host.wire.unpack(foreign.payload))
        except Exception as error:  # noqa: BLE001 - whatever does not decode is refused, and its sender hears why
            _log.warning("%s: a message from member %d cannot be read: %s", self.name, foreign.origin, error)
            self.fail(foreign, UNDELIVERED, f"{self.name}: the message cannot be read by the owner: {error}")
            return
        if not foreign.ask:
            self.engine.tell(address, envelope)
            return
        answer = self.engine.ask(address, envelope)
        self._asked[answer] = foreign
        answer.add_done_callback(partial(self._answer, foreign, envelope.message))

    def _answer(self, request: Request, asked: Any, answer: asyncio.Future[Any]) -> None:
        self._asked.pop(answer, None)
        if answer.cancelled():
            return
        error = answer.exception()
        if error is None:
            try:
                payload = self.host.wire.pack_reply(request.key, asked, answer.result())
            except Exception as unpackable:  # noqa: BLE001 - it happened, but cannot be told: that is what is told
                error = unpackable
            else:
                if try_to_send(self.post, request.origin, Reply(request.ask, payload)):
                    return
                error = Unreachable(f"its answer of {len(payload):,} bytes cannot be sent")
        if isinstance(error, HandlerFailed):
            self.fail(request, RAISED, (error.details or "no details").strip().rpartition("\n")[2])
        else:
            self.fail(request, UNDELIVERED if isinstance(error, Undeliverable) else UNANSWERED, str(error))

    def _send_on(self, owner: int, foreign: Foreign) -> None:
        if foreign.hops >= MAX_HOPS:
            self.fail(foreign, UNDELIVERED, f"{self.name} shard {foreign.shard}: its owner changed too often")
            return
        epoch = self.homes[foreign.shard].epoch
        try:
            self.post.send(owner, foreign._replace(hops=foreign.hops + 1, epoch=max(epoch, foreign.epoch)))
        except Unreachable as error:
            self.fail(foreign, UNDELIVERED, f"{self.name} shard {foreign.shard}: {error}")
            return
        if isinstance(foreign, Request):
            try_to_send(self.post, foreign.origin, Moved(foreign.ask, self.name, foreign.shard, owner, epoch))

    def fail(self, foreign: Foreign, kind: int, text: str) -> None:
        """Tell who waits for an answer that none comes; what nobody waits for is a dead letter."""
        if not isinstance(foreign, Request):
            return
        if foreign.ask:
            try_to_send(self.post, foreign.origin, Failed(foreign.ask, kind, _sendable(text)))
        else:
            known = 0 <= foreign.shard < len(self.addresses)
            target = self.addresses[foreign.shard] if known else self.engine.nobody
            self.engine.dead_letters.add(target, foreign, self.engine.nobody)

    # --- changes

    def buffer(self, shard: int) -> Buffer:
        """Let messages for the shard wait from now on."""
        route = self.addresses[shard]
        if not isinstance(route, Buffer):
            route = self.addresses[shard] = Buffer(self, shard, unsure=_was_used(route))
        self.local.pop(shard, None)
        return route

    def open(self, shard: int, address: Address) -> None:
        """Send what waits for the shard, and all that comes, to `address`.

        If what was sent before may come there behind it, who waits for an answer to that is told that none comes.
        """
        route = self.addresses[shard]
        if route.unsure if isinstance(route, Buffer) else _was_used(route):
            self.give_up(shard, "what was sent to its former owner may be carried out behind what is sent from now on")
        self.addresses[shard] = address
        if not isinstance(address, RemoteShard):
            self.local[shard] = address
        if isinstance(route, Buffer):
            items, route.items = route.items, deque()
            for item in items:
                if isinstance(item, Request | Flush):
                    self.take(item)
                else:
                    self._send_waiting(address, *item)

    def _send_waiting(self, address: Address, envelope: Envelope, sender: Address) -> None:
        if isinstance(sender, ReplyAddress) and sender.future.done():
            return  # its caller gave up, and was told that nothing happened
        envelope.waiting = False
        self.engine.tell(address, envelope, sender)

    def admit(self, shard: int, address: Address) -> None:
        """Let what other nodes send, and have sent, go to the shard's actor; callers here may still wait."""
        self.local[shard] = address
        route = self.addresses[shard]
        if isinstance(route, Buffer) and route.marker:
            items, route.items = route.items, deque()
            for item in items:
                if isinstance(item, Request | Flush):
                    self.take(item)
                else:
                    route.items.append(item)

    def take_ahead(self, shard: int) -> None:
        """The home is known better now: take what waited for that, before anything that comes later."""
        for foreign in self._ahead.pop(shard, ()):
            self.take(foreign)

    def give_back(self, shard: int, unstarted: list[tuple[Envelope, Any]]) -> None:
        """Put what the shard's actor did not start in front of what waits."""
        self.buffer(shard).items.extendleft([self._as_it_came(*one) for one in reversed(unstarted)])

    def _as_it_came(self, envelope: Envelope, sender: Any) -> tuple[Envelope, Address] | Request:
        """What another node asked is sent on as it came, and answered there: this node may be gone by then."""
        request = self._asked.pop(sender.future, None) if isinstance(sender, ReplyAddress) else None
        if request is None:
            envelope.waiting = True
            return envelope, sender
        sender.future.cancel()
        return request

    @property
    def waiting(self) -> int:
        """How many messages wait for a home."""
        buffered = sum(len(route.items) for route in self.addresses if isinstance(route, Buffer))
        return buffered + sum(map(len, self._ahead.values()))

    def resize(self, shard_count: int) -> None:
        """The type has so many shards now: what waits for those that are no more is refused."""
        self.refuse_waiting("it is no more", shard_count)
        del self.homes[shard_count:], self.addresses[shard_count:]
        for shard in range(len(self.homes), shard_count):
            self.homes.append(Home(0, 0))
            self.addresses.append(Buffer(self, shard))

    def refuse_waiting(self, why: str, first: int = 0) -> None:
        """Tell who sent what still waits that nothing happened; this node will not send it on any more.

        Args:
            why: as they are told.
            first: of the shards concerned.
        """
        ahead = [self._ahead.pop(shard) for shard in list(self._ahead) if shard >= first]
        foreign: list[Foreign] = [one for waiting in ahead for one in waiting]
        for route in self.addresses[first:]:
            if isinstance(route, Buffer):
                items, route.items = route.items, deque()
                for item in items:
                    if isinstance(item, Request | Flush):
                        foreign.append(item)
                    else:
                        self._undelivered(*item, why)
        for one in foreign:
            self.fail(one, UNDELIVERED, f"{self.name} shard {one.shard}: {why}")

    def forget_homes(self) -> None:
        """This node is no member any more: let everything wait until the homes are known anew."""
        for shard, home in enumerate(self.homes):
            self.homes[shard] = Home(0, home.epoch)
            waiting = self.buffer(shard)
            waiting.unsure, waiting.marker = waiting.unsure or bool(waiting.marker), 0

    def occupy(self, change: int) -> None:
        """A shard came to live here (1), or is stopped (-1)."""
        self.occupied += change
        if not self.occupied:
            waiting, self._vacated = self._vacated, []
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)

    async def vacated(self) -> None:
        """Return once no shard lives here."""
        if self.occupied:
            waiter = self.engine.loop.create_future()
            self._vacated.append(waiter)
            await waiter

    def suspend(self, owner: int) -> None:
        """The process of `owner` is dead: let messages for its shards wait until they have another."""
        for shard, route in enumerate(self.addresses):
            if isinstance(route, RemoteShard) and route.owner == owner:
                self.buffer(shard)


def _sendable(text: str) -> str:
    """What a user's error says, as every link takes it: whoever waits must hear that no answer comes."""
    return text[:LONGEST_TEXT].encode("utf-8", "backslashreplace").decode()


def _was_used(route: Address) -> bool:
    """Whether something was sent to another member by that route."""
    return isinstance(route, RemoteShard) and route.used
