"""Where in each shard a time is: a binary search over contiguous offsets, in all shards at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from journal.contract import JournalStore


async def offsets_before(store: JournalStore, time: datetime, heads: Mapping[int, int]) -> dict[int, int]:
    """The offset of the last event before `time` in each shard; 0 where there is none.

    Each of the about log2(head) steps is one read of an event per shard. Where the database's clock was set back, so
    that times do not grow with offsets, it is one of the places at which an event before is followed by one after.

    Args:
        store: the journal.
        time: with zone.
        heads: up to which offset to look, by shard.
    """
    low = dict.fromkeys(heads, 0)  # up to here all is before
    high = dict(heads)  # behind here nothing is
    while middle := {shard: (low[shard] + high[shard]) // 2 for shard in heads if low[shard] < high[shard]}:
        for event in await store.read_shards(middle, 1):
            if event.recorded_at < time:
                low[event.shard] = event.offset
            else:
                high[event.shard] = event.offset - 1
    return low
