"""What goes through a shard to its entities and comes back."""

from __future__ import annotations

from typing import Any, NamedTuple


class Envelope:
    """From a caller to a shard: `message` for the entity `key`, whose shard is `shard`.

    Attributes:
        waiting: it is kept for when its shard has a home, and was sent nowhere yet.
    """

    __slots__ = ("key", "message", "shard", "waiting")

    def __init__(self, shard: int, key: str, message: Any) -> None:
        self.shard = shard
        self.key = key
        self.message = message
        self.waiting = False


class Appear:
    """From a shard to its resident, each time it is called up and before anything else: you live, begin your work."""


class Passivate:
    """From a shard to an idle entity: leave memory, or say `StillBusy`. Nothing else may be the answer."""


class Retire:
    """From a shard that is handed off to an entity: nothing more will come; finish what came, then leave memory."""


class StillBusy(NamedTuple):
    """From an entity to its shard: not idle, so it stays."""

    key: str


class ShardLost(NamedTuple):
    """From an entity to its shard: an append under `epoch` was refused because of `current`; `error` says so."""

    epoch: int
    current: int
    error: Exception
