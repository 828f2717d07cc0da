"""A region: the parent of all shards of one entity type on this node."""

from __future__ import annotations

from typing import Any

from sharding.actors import Address, AsyncActor
from sharding.shard import Shard, ShardHost


class ShardsWanted:
    """From the node to a region, as an ask: the addresses of the shards, by number. Answered with a tuple.

    Senders keep the addresses and send straight to the shard, so the region's turns limit nobody's throughput.
    """


class Region(AsyncActor):
    """With one node every shard is its own; each opens when its first message comes."""

    def __init__(self, shard_count: int, host: ShardHost) -> None:
        super().__init__()
        self._shard_count = shard_count
        self._host = host
        self._shards: tuple[Address, ...] = ()

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """A turn of the region."""
        if isinstance(message, ShardsWanted):
            if not self._shards:
                self._shards = tuple(self._new_shard(number) for number in range(self._shard_count))
            self.send(sender, self._shards)

    def _new_shard(self, number: int) -> Address:
        return self.create_child(lambda: Shard(number, self._host))
