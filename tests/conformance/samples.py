"""Short ways to write appends and to look at what came of them."""

from __future__ import annotations

from collections.abc import Sequence

from journal.contract import JournalStore
from journal.errors import JournalError
from journal.records import Append, Appended, NewEvent, StoredEvent


def events(*payloads: bytes) -> list[NewEvent]:
    """Events named after nothing in particular."""
    return [NewEvent("Happened", 1, payload) for payload in payloads]


def appending(key: str, seq_nr: int, *payloads: bytes, shard: int = 0, epoch: int = 1) -> Append:
    """An append of one event per payload; of one event if none is given."""
    return Append(shard, epoch, key, seq_nr, events(*(payloads or (b"x",))))


async def append(store: JournalStore, *batch: Append) -> list[Appended | JournalError]:
    """Append a batch."""
    return await store.append(batch)


async def written(store: JournalStore, *batch: Append) -> list[Appended]:
    """Append a batch of which nothing may fail."""
    outcomes = await store.append(batch)
    assert all(isinstance(outcome, Appended) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Appended)]


async def log(store: JournalStore, shard: int = 0) -> list[StoredEvent]:
    """All events of a shard."""
    return await store.read_shards({shard: 0}, 100_000)


def places(stored: Sequence[StoredEvent]) -> list[tuple[int, str, int]]:
    """Offset, key and sequence number of each event."""
    return [(event.offset, event.key, event.seq_nr) for event in stored]
