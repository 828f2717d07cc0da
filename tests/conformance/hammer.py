"""Concurrent writers with concurrent readers who would notice a skipped event.

A reader does what a projection does: remember the last offset it saw, ask for what lies behind it, never look back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from journal.contract import JournalStore
from journal.records import Append, Appended, NewEvent, StoredEvent


@dataclass
class Reader:
    """One projection's view of the journal: the last offset per shard, and all it was ever shown."""

    after: dict[int, int]
    seen: list[StoredEvent] = field(default_factory=list)

    def take(self, found: Sequence[StoredEvent]) -> None:
        """Move on past `found`.

        Raises:
            AssertionError: an event came without the one before it: that one would have been skipped.
        """
        for event in found:
            expected = self.after[event.shard] + 1
            assert event.offset == expected, f"shard {event.shard}: {event.offset} was shown before {expected}"
            self.after[event.shard] = event.offset
            self.seen.append(event)


async def follow(store: JournalStore, reader: Reader, done: Callable[[], bool], limit: int) -> Reader:
    """Read until `done`, and then until there is nothing more."""
    while True:
        last_round = done()
        found = await store.read_shards(reader.after, limit)
        reader.take(found)
        if last_round and not found:
            return reader
        await asyncio.sleep(0)


async def write_batches(store: JournalStore, shards: Sequence[int], writer: str, batches: int, epoch: int = 1) -> int:
    """Append batches of one to three events to several entities of `shards`; return how many events were committed."""
    entities = [(f"{writer}-{shard}-{n}", shard) for shard in shards for n in range(2)]
    seq_nrs = dict.fromkeys(entities, 0)
    written = 0
    for number in range(batches):
        batch = []
        for place, (key, shard) in enumerate(entities):
            count = 1 + (number + place) % 3
            new = [
                NewEvent("Happened", 1, b"%s %d" % (key.encode(), seq_nrs[key, shard] + n + 1)) for n in range(count)
            ]
            batch.append(Append(shard, epoch, key, seq_nrs[key, shard] + 1, new))
            seq_nrs[key, shard] += count
        outcomes = await store.append(batch)
        assert all(isinstance(outcome, Appended) for outcome in outcomes), outcomes
        written += sum(len(append.events) for append in batch)
    return written


def check_complete(reader: Reader, written: int) -> None:
    """Assert that a reader saw every event once, and each entity's in order.

    Raises:
        AssertionError: it did not.
    """
    assert len(reader.seen) == written
    last: Counter[str] = Counter()
    for event in reader.seen:
        last[event.key] += 1
        assert event.seq_nr == last[event.key]
        assert event.payload == b"%s %d" % (event.key.encode(), event.seq_nr)
