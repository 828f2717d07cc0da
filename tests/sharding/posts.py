"""A post that keeps what is sent, and an entity type whose messages are text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgpack
from thespian.actors import Actor, ActorExitRequest

from sharding.actors import Address, AsyncActor, Engine
from sharding.asks import RemoteAsks
from sharding.host import EpochRefused, Population, ShardHost
from sharding.messages import Envelope, Retire, ShardLost
from sharding.notices import Joined
from sharding.post import Unreachable
from sharding.protocol import Homes
from sharding.region import Region
from sharding.routes import Routes
from sharding.store.records import Member

ME = 1


class FakePost:
    """Keeps what is sent. Members 1 to 9 are known, unless `unknown` or `unreachable`."""

    LIMIT = 20_000  # bytes of a message

    def __init__(self) -> None:
        self.me = ME
        self.sent: list[tuple[int, Any]] = []
        self.told: list[Any] = []
        self.unknown: set[int] = set()
        self.unreachable: set[int] = set()
        self.serials = 0

    def send(self, incarnation: int, message: Any) -> int:
        if incarnation in self.unreachable or not self.knows(incarnation):
            raise Unreachable(f"member {incarnation} is out of reach")
        if len(msgpack.packb(tuple(message))) > self.LIMIT:
            raise Unreachable(f"member {incarnation}: the message is too large")
        self.sent.append((incarnation, message))
        self.serials += 1
        return self.serials

    def to_coordinator(self, message: Any) -> None:
        self.told.append(message)

    def knows(self, incarnation: int) -> bool:
        return 1 <= incarnation <= 9 and incarnation not in self.unknown

    def learn(self, members: dict[int, Member]) -> None:
        raise AssertionError("no region reads the store")

    def is_open(self, incarnation: int) -> bool:
        return self.knows(incarnation) and incarnation not in self.unreachable

    def take(self, kind: type) -> list[Any]:
        """What was sent of that type, with to whom; forgotten by this."""
        found = [one for one in self.sent if isinstance(one[1], kind)]
        self.sent = [one for one in self.sent if not isinstance(one[1], kind)]
        return found


class TextWire:
    """Text, but for what cannot be sent or read."""

    def pack(self, message: Any) -> bytes:
        if message == "unpackable":
            raise ValueError("it cannot be packed")
        return str(message).encode()

    def unpack(self, payload: bytes) -> Any:
        return payload.decode()

    def pack_reply(self, key: str, asked: Any, reply: Any) -> bytes:
        if reply == "unpackable":
            raise ValueError("its answer cannot be packed")
        if reply == "huge":
            return bytes(FakePost.LIMIT)
        return str(reply).encode()

    def unpack_reply(self, asked: Any, payload: bytes) -> Any:
        return payload.decode()


class Writer(AsyncActor):
    """Writes down what it gets, and answers with that. It hangs, loses its shard or fails when told to."""

    def __init__(self, key: str, host: TextHost, address: Address) -> None:
        super().__init__()
        self.key, self.host, self.shard = key, host, address

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, Retire):
            if not self.host.hanging:
                self.send(self.myAddress, ActorExitRequest())
        elif isinstance(message, str):
            self.host.log.append(f"{self.key}:{message}")
            if message == "lost":
                self.send(self.shard, ShardLost(self.host.epoch, 7, ValueError("lost")))
            elif message == "raise":
                raise ValueError("it fails")
            elif message == "raise much":
                raise ValueError("it fails" * FakePost.LIMIT + "\ud800")
            elif message == "raise no text":
                raise ValueError("it fails \ud800")
            elif message == "exit":
                self.send(self.myAddress, ActorExitRequest())
            elif message != "silent":
                self.send(sender, message)


class TextHost(ShardHost):
    """Entities that write down what they get, in `log`. While `gate` is shut no shard opens."""

    def __init__(self) -> None:
        self.wire = TextWire()
        self.idle_seconds = 1_000.0
        self.population = Population(1_000)
        self.log: list[str] = []
        self.refusing: dict[int, int] = {}
        self.hanging = False
        self.epoch = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def open(self, shard: int, epoch: int, address: Address) -> Callable[[str], Actor]:
        await self.gate.wait()
        if epoch in self.refusing:
            raise EpochRefused(f"shard {shard}", epoch, self.refusing[epoch])
        self.epoch = epoch
        self.log.append(f"open {shard} {epoch}")
        return lambda key: Writer(key, self, address)

    def refusal(self, error: BaseException) -> Any:
        return f"refused: {error}"

    def overloaded(self, shard: int) -> Exception:
        return ValueError(f"shard {shard} is overloaded")


class Rig:
    """A region of a type `t` with its routes, and a caller. `term` is the oldest that is obeyed."""

    def __init__(self, engine: Engine, *, shards: int = 3, joined: bool = True) -> None:
        self.engine = engine
        self.post = FakePost()
        self.host = TextHost()
        self.asks = RemoteAsks(engine.nobody)
        self.routes = Routes("t", shards, self.host, engine, self.post, self.asks)
        self.owned: list[tuple[int, int, bool]] = []
        self.term = 1
        self.region = engine.create(
            lambda: Region(
                self.routes,
                lambda term: term >= self.term,
                lambda _, shard, epoch, owned: self.owned.append((shard, epoch, owned)),
                lambda: 0.5,
            )
        )
        if joined:
            engine.tell(self.region, Joined())

    @property
    def log(self) -> list[str]:
        """What the entities got."""
        return self.host.log

    def ask(self, message: str, shard: int = 0, key: str = "k") -> asyncio.Future[Any]:
        return self.engine.ask(self.routes.addresses[shard], Envelope(shard, key, message))

    def send(self, message: str, shard: int = 0, key: str = "k") -> None:
        """Send without wanting an answer."""
        self.engine.tell(self.routes.addresses[shard], Envelope(shard, key, message))

    async def homes(self, *homes: tuple[int, int, int], term: int = 1, all_told: bool = True) -> None:
        """The coordinator tells shard, owner, epoch."""
        await self.tell(Homes(term, "t", homes, all_told))

    async def tell(self, message: Any) -> None:
        self.engine.tell(self.region, message)
        await turns()


async def turns() -> None:
    """Let actors take the turns that they can."""
    for _ in range(25):
        await asyncio.sleep(0)


async def answers(*asks: asyncio.Future[Any]) -> Sequence[Any]:
    """What was answered, or raised."""
    async with asyncio.timeout(5):
        return await asyncio.gather(*asks, return_exceptions=True)
