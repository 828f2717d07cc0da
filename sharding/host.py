"""What an entity type brings to its shards: how one is taken, how entities are made, how messages become bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from thespian.actors import Actor

from sharding.actors import Address
from sharding.messages import Passivate, Retire


class EpochRefused(Exception):
    """A shard cannot be taken under an epoch, because the journal knows `current`, which is not older."""

    def __init__(self, what: str, epoch: int, current: int) -> None:
        super().__init__(f"{what}: epoch {epoch} is refused, the journal knows {current}: allocate a newer one")
        self.what, self.epoch, self.current = what, epoch, current


class Population:
    """How many entities of one type live on this node, over all shards, and how many may."""

    __slots__ = ("limit", "live")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.live = 0


class Wire(Protocol):
    """How the messages of an entity type become bytes between nodes. What these raise concerns one message only."""

    def pack(self, message: Any, /) -> bytes:
        """A message to an entity."""

    def unpack(self, payload: bytes, /) -> Any:
        """The message that another node packed."""

    def pack_reply(self, key: str, asked: Any, reply: Any, /) -> bytes:
        """The answer of entity `key` to the message `asked`."""

    def unpack_reply(self, asked: Any, payload: bytes, /) -> Any:
        """The answer to `asked` that another node packed."""


class ShardHost(ABC):
    """An entity type, as its regions and shards see it.

    Attributes:
        wire: makes bytes of its messages.
        idle_seconds: how long an entity may idle.
        population: the node's count of the type's entities.
        farewell: what asks an idle entity to leave; `ActorExitRequest` for actors that do not know `Passivate`.
        retirement: what asks an entity to finish and leave; `ActorExitRequest` for actors that do not know `Retire`.
        resident: the key of the one entity that each shard calls up, without any message for it, as soon as it is this
            node's, and keeps: it gets `Appear`, is never passivated, and is called up again when it exits by itself.
            None: shards open, and entities live, when there are messages for them.
    """

    wire: Wire
    idle_seconds: float
    population: Population
    farewell: Any = Passivate()
    retirement: Any = Retire()
    resident: str | None = None

    @abstractmethod
    async def open(self, shard: int, epoch: int, address: Address) -> Callable[[str], Actor]:
        """Take `shard` under `epoch`; return the factory of its entities by key.

        Args:
            shard: its number.
            epoch: as the coordinator allocated it.
            address: the shard actor's, for `ShardLost`.

        Raises:
            EpochRefused: `epoch` is not newer than the one the journal knows.
            Exception: what callers who wait for the shard are told.
        """

    @abstractmethod
    def refusal(self, error: BaseException) -> Any:
        """The message that tells a waiting caller of `error`."""

    @abstractmethod
    def overloaded(self, shard: int) -> Exception:
        """What a caller is told when too much waits for a shard that is being opened or moved."""
