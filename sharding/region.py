"""A region: the door to all shards of one entity type on this node."""

from __future__ import annotations

from typing import Any

from sharding.actors import Address, AsyncActor
from sharding.shard import Envelope, Shard, ShardHost


class Region(AsyncActor):
    """Routes each message to the shard of its key. With one node every shard is its own."""

    def __init__(self, shard_count: int, host: ShardHost) -> None:
        super().__init__()
        self._host = host
        self._shards: list[Address | None] = [None] * shard_count

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """A turn of the region."""
        if type(message) is Envelope:
            shard = self._shards[message.shard]
            if shard is None:
                number = message.shard
                shard = self._shards[number] = self.create_child(lambda: Shard(number, self._host))
            self.forward(shard, message, sender)
