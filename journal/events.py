"""The typed journal of one entity type: Aecor's `EventJournal`, two methods wide at heart, append and read.

Every read of events goes through `EventJournal.decode`: recovery, projections and rebuilds see the same upcast events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from journal.arrivals import Arrivals
from journal.codec import PayloadCodec
from journal.contract import JournalStore
from journal.errors import BadPayload, CorruptRecord
from journal.metadata import Metadata
from journal.pages import PageSize
from journal.records import Append, Appended, NewEvent, ShardHead, StoredEvent
from journal.tagging import EventTag
from journal.writer import GroupCommit, OnOutcome

E = TypeVar("E")
PAGE = 500


@dataclass(slots=True)
class EntityEvent(Generic[E]):
    """An event with its place: in its entity (`seq_nr`) and in its stream (`shard`, `offset`)."""

    entity_key: str
    seq_nr: int
    payload: E
    shard: int
    offset: int
    recorded_at: datetime
    raw_metadata: bytes = b""

    @property
    def metadata(self) -> Metadata:
        """What the command that led to the event brought along."""
        return Metadata.decode(self.raw_metadata)


class EventJournal(Generic[E]):
    """The events of one entity type, typed, with group commit and waking of readers.

    Args:
        store: where the bytes lie.
        codec: the event types, with their upcasters.
        max_waiting: appends that may queue before callers get `Overloaded`.
        poll_seconds: how often other processes' appends are looked for while somebody waits.
    """

    def __init__(
        self,
        store: JournalStore,
        codec: PayloadCodec[E],
        *,
        max_waiting: int = 20_000,
        poll_seconds: float = 0.02,
    ) -> None:
        self.store = store
        self.codec = codec
        self._arrivals = Arrivals(store, poll_seconds=poll_seconds)
        self._writer = GroupCommit(store, on_growth=self._arrivals.grown, max_waiting=max_waiting)

    @property
    def name(self) -> str:
        """The journal's name."""
        return self.store.name

    def encode(self, events: Sequence[E], metadata: bytes = b"") -> list[NewEvent]:
        """The events as they will be stored.

        Raises:
            BadPayload: an event cannot be stored; says which and why.
        """
        encode = self.codec.encode
        return [NewEvent(*encode(event), metadata) for event in events]

    def decode(self, record: StoredEvent) -> EntityEvent[E]:
        """The event in `record`, upcast to the current version of its type.

        Raises:
            CorruptRecord: it cannot be read; says table, shard, offset, key, sequence number, type and why.
        """
        try:
            payload = self.codec.decode(record.type_name, record.version, record.payload)
        except BadPayload as error:
            raise CorruptRecord(
                f"{self.name}_event",
                record.shard,
                record.offset,
                record.key,
                record.seq_nr,
                record.type_name,
                str(error),
            ) from error
        return EntityEvent(
            record.key, record.seq_nr, payload, record.shard, record.offset, record.recorded_at, record.metadata
        )

    async def claim(self, shard: int, epoch: int) -> ShardHead:
        """Take `shard` under `epoch`; see `JournalStore.claim`."""
        return await self.store.claim(shard, epoch)

    def submit(self, append: Append, on_outcome: OnOutcome) -> None:
        """Queue an append; see `GroupCommit.submit`."""
        self._writer.submit(append, on_outcome)

    async def append(
        self, shard: int, epoch: int, key: str, seq_nr: int, events: Sequence[E], metadata: bytes = b""
    ) -> Appended:
        """Append an entity's events, the first of which must be its `seq_nr`-th; see `GroupCommit.append`."""
        return await self._writer.append(Append(shard, epoch, key, seq_nr, self.encode(events, metadata)))

    async def entity_pages(
        self, key: str, from_seq_nr: int = 1, before: int | None = None, *, page: int = PAGE
    ) -> AsyncIterator[list[StoredEvent]]:
        """An entity's events from `from_seq_nr` on, still encoded, in pages of at most `page`, each as it is when read.

        Args:
            before: the sequence number before which to end; by default where the events end.
        """
        size = PageSize(page)
        while before is None or from_seq_nr < before:
            limit = size.events if before is None else min(size.events, before - from_seq_nr)
            records = await self.store.read_entity(key, from_seq_nr, limit)
            if records:
                yield records
            if len(records) < limit:
                return
            from_seq_nr = records[-1].seq_nr + 1
            size.read(records)

    async def tag_pages(
        self, tag: EventTag, after: int = 0, last: int | None = None, *, page: int = PAGE
    ) -> AsyncIterator[list[StoredEvent]]:
        """A stream's events behind offset `after`, still encoded, in pages of at most `page`, each as it is when read.

        Args:
            last: the offset with which to end; by default where the stream ends.
        """
        size = PageSize(page)
        while last is None or after < last:
            limit = size.events if last is None else min(size.events, last - after)
            records = await self.store.read_shards({tag.shard: after}, limit)
            if records:
                yield records
            if len(records) < limit:
                return
            after = records[-1].offset
            size.read(records)

    async def read(self, key: str, from_seq_nr: int = 1, *, page: int = PAGE) -> AsyncIterator[EntityEvent[E]]:
        """An entity's events from `from_seq_nr` on, as committed when each page of at most `page` events is read."""
        async for records in self.entity_pages(key, from_seq_nr, page=page):
            for record in records:
                yield self.decode(record)

    async def current_events(self, tag: EventTag, after: int = 0, *, page: int = PAGE) -> AsyncIterator[EntityEvent[E]]:
        """A stream's events behind offset `after`, ending where the stream ends now; in pages of at most `page`."""
        async for records in self.tag_pages(tag, after, page=page):
            for record in records:
                yield self.decode(record)

    async def events(self, tag: EventTag, after: int = 0, *, page: int = PAGE) -> AsyncIterator[EntityEvent[E]]:
        """A stream's events behind offset `after`, live and without end."""
        while True:
            async for event in self.current_events(tag, after, page=page):
                after = event.offset
                yield event
            await self.wait_beyond({tag.shard: after})

    async def read_shards(self, after: Mapping[int, int], limit: int) -> list[StoredEvent]:
        """Events of several shards, still encoded; see `JournalStore.read_shards`."""
        return await self.store.read_shards(after, limit)

    def grown_beyond(self, after: Mapping[int, int]) -> dict[int, int]:
        """Those of `after` known to have more events; see `Arrivals.grown_beyond`."""
        return self._arrivals.grown_beyond(after)

    async def wait_beyond(self, after: Mapping[int, int]) -> None:
        """Return when some shard has an event beyond its offset in `after`; see `Arrivals.wait_beyond`."""
        await self._arrivals.wait_beyond(after)

    async def close(self) -> None:
        """Commit what is queued and stop. The store stays open."""
        try:
            await self._writer.close()
        finally:
            await self._arrivals.close()
