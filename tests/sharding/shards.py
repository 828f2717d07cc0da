"""A host that does what the test says, and a keeper that stands in for the region of its shards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from thespian.actors import Actor, ActorExitRequest

from sharding.actors import Address, AsyncActor, Engine
from sharding.host import Population, ShardHost
from sharding.messages import Appear, Envelope, Passivate, Retire, ShardLost, StillBusy
from sharding.shard import Drained, Fence, Shard
from tests.waiting import eventually

IDLE = 0.01


class Refusal(Exception):
    """What the host's callers are told."""


class Echo(AsyncActor):
    """Answers with its key and how many messages it has had; is busy, fails or exits when told to."""

    def __init__(self, key: str, host: Host) -> None:
        super().__init__()
        self.key = key
        self.count = 0
        self.host = host
        host.made.append(key)

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, Appear):
            self.host.appeared.append(self.key)
        elif isinstance(message, Passivate):
            self.host.asked_to_leave.append(self.key)
            if self.key in self.host.busy:
                self.send(sender, StillBusy(self.key))
            elif self.key not in self.host.thinking:
                self.send(self.myAddress, ActorExitRequest())
        elif isinstance(message, Retire):
            self.host.retired.append(self.key)
            if self.key not in self.host.thinking:
                self.send(self.myAddress, ActorExitRequest())
        elif isinstance(message, ActorExitRequest):
            self.host.left.append(self.key)
        elif message == "exit":
            self.send(self.myAddress, ActorExitRequest())
        elif message == "lost":
            assert self.host.address is not None
            self.send(self.host.address, ShardLost(1, 5, Refusal("lost")))
            self.send(sender, "told")
        else:
            self.count += 1
            self.send(sender, (self.key, self.count))


class Host(ShardHost):
    """A host of echoes. `busy` ones do not leave, `thinking` ones do not even answer when asked to."""

    def __init__(self, idle_seconds: float = 1_000.0, limit: int = 1_000) -> None:
        self.idle_seconds = idle_seconds
        self.population = Population(limit)
        self.made: list[str] = []
        self.left: list[str] = []
        self.asked_to_leave: list[str] = []
        self.retired: list[str] = []
        self.busy: set[str] = set()
        self.thinking: set[str] = set()
        self.open_errors: list[Exception] = []
        self.opened: list[tuple[int, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.address: Address | None = None
        self.resident: str | None = None
        self.appeared: list[str] = []

    def draw(self) -> float:
        """Pauses in the middle of what they may be."""
        return 0.5

    async def open(self, shard: int, epoch: int, address: Address) -> Callable[[str], Actor]:
        await self.gate.wait()
        self.opened.append((shard, epoch))
        self.address = address
        if self.open_errors:
            raise self.open_errors.pop(0)
        return lambda key: Echo(key, self)

    def refusal(self, error: BaseException) -> Any:
        return error

    def overloaded(self, shard: int) -> Exception:
        return Refusal(f"shard {shard} is overloaded")


class Keeper(AsyncActor):
    """Stands in for a region: makes the shards, all under epoch 1, and keeps what they say."""

    def __init__(self, host: Host, count: int) -> None:
        super().__init__()
        self.host, self.count = host, count
        self.said: list[Any] = []
        self.shards: list[Address] = []

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if message == "shards":
            for number in range(len(self.shards), self.count):
                self.shards.append(
                    self.create_child(partial(Shard, number, 1, self.host, self.myAddress, self.host.draw))
                )
            self.send(sender, self.shards)
        elif isinstance(message, Drained | Fence):
            self.said.append(message)


class Caller:
    """Asks entities of some shards, and orders these about."""

    def __init__(self, engine: Engine, host: Host, count: int = 1) -> None:
        self.engine = engine
        self.keeper = Keeper(host, count)
        self.region = engine.create(lambda: self.keeper)
        self.shards: Sequence[Address] = ()

    @property
    def said(self) -> list[Any]:
        """By shards to their region."""
        return self.keeper.said

    async def ready(self) -> None:
        """Make the shards."""
        if not self.shards:
            self.shards = await self.engine.ask(self.region, "shards")

    async def ask(self, key: str, message: Any = "hello", shard: int = 0) -> Any:
        async with asyncio.timeout(5):
            await self.ready()
            return await self.engine.ask(self.shards[shard], Envelope(shard, key, message))

    def tell(self, message: Any) -> None:
        self.engine.tell(self.shards[0], message)

    async def begin(self, *keys: str) -> list[asyncio.Future[Any]]:
        """Send to these keys, and return when the shard has it all."""
        await self.ready()
        asks = [self.engine.ask(self.shards[0], Envelope(0, key, "hello")) for key in keys]
        await turns()
        return asks

    async def drained(self) -> Drained:
        """What the shard said when it had ended."""
        (drained,) = await eventually(lambda: [one for one in self.said if isinstance(one, Drained)])
        return drained


async def turns() -> None:
    """Let actors take the turns that they can."""
    for _ in range(20):
        await asyncio.sleep(0)


def cells(engine: Engine) -> list[Any]:
    """All actors that live, as the engine sees them."""
    found, level = [], list(engine.root.children or ())
    while level:
        found += level
        level = [child for cell in level for child in cell.children or ()]
    return found
