"""A journal in memory, and its snapshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from journal.admission import Admission
from journal.contract import JournalStore, KeyValueStore
from journal.errors import JournalError
from journal.fences import fenced_shard
from journal.records import Append, Appended, ShardHead, Snapshot, StoredEvent
from journal.turn import WriteTurn


class MemoryJournal(JournalStore):
    """The events of one entity type. Rows are kept as tuples, so what was read can be changed without harm."""

    def __init__(self, name: str, shard_count: int, turn: WriteTurn, clock: Callable[[], datetime]) -> None:
        self.name = name
        self.shard_count = shard_count
        self._turn = turn
        self._clock = clock
        self._shards = [ShardHead(shard, 0, 0) for shard in range(shard_count)]
        self._logs: list[list[tuple[Any, ...]]] = [[] for _ in range(shard_count)]
        self._entities: dict[str, list[tuple[Any, ...]]] = {}

    async def append(self, batch: Sequence[Append]) -> list[Appended | JournalError]:
        """See `JournalStore.append`."""
        await self._turn.passed()
        recorded_at = self._clock()
        shards = {append.shard for append in batch if 0 <= append.shard < self.shard_count}
        admission = Admission(self.name, {shard: self._shards[shard] for shard in shards}, self._last_seq_nr)
        outcomes = [admission.admit(append) for append in batch]
        rows = [
            row
            for append, outcome in zip(batch, outcomes, strict=True)
            if isinstance(outcome, Appended)
            for row in _rows(append, outcome, recorded_at)
        ]
        self._keep(rows, admission.heads)
        return outcomes

    def _last_seq_nr(self, key: str) -> int:
        return len(self._entities.get(key, ()))

    def _keep(self, rows: list[tuple[Any, ...]], heads: Mapping[int, int]) -> None:
        for row in rows:
            self._logs[row[0]].append(row)
            self._entities.setdefault(row[2], []).append(row)
        for shard, head in heads.items():
            self._shards[shard] = self._shards[shard]._replace(head=head)

    async def claim(self, shard: int, epoch: int) -> ShardHead:
        """See `JournalStore.claim`."""
        await self._turn.passed()
        if not 0 <= shard < self.shard_count:
            raise ValueError(f"journal {self.name!r} has shards 0 to {self.shard_count - 1}, not {shard}")
        row = self._shards[shard]
        if epoch <= row.epoch:
            raise fenced_shard(self.name, shard, epoch, row.epoch)
        self._shards[shard] = row._replace(epoch=epoch)
        return self._shards[shard]

    async def heads(self) -> list[ShardHead]:
        """See `JournalStore.heads`."""
        self._turn.check_open()
        return list(self._shards)

    async def read_entity(self, key: str, from_seq_nr: int, limit: int) -> list[StoredEvent]:
        """See `JournalStore.read_entity`."""
        self._turn.check_open()
        start = max(from_seq_nr - 1, 0)
        return [StoredEvent(*row) for row in self._entities.get(key, [])[start : start + max(limit, 0)]]

    async def read_shards(self, after: Mapping[int, int], limit: int) -> list[StoredEvent]:
        """See `JournalStore.read_shards`."""
        self._turn.check_open()
        return [
            StoredEvent(*row)
            for shard, offset in sorted(after.items())
            if 0 <= shard < self.shard_count
            for row in self._logs[shard][max(offset, 0) : max(offset, 0) + limit]
        ]

    def check_epoch(self, shard: int, epoch: int) -> None:
        """Do nothing if `epoch` is the current one of `shard`.

        Raises:
            Fenced: it is not.
        """
        current = self._shards[shard].epoch if 0 <= shard < self.shard_count else None
        if current != epoch:
            raise fenced_shard(self.name, shard, epoch, current)


def _rows(append: Append, appended: Appended, recorded_at: datetime) -> list[tuple[Any, ...]]:
    first_offset = appended.last_offset - len(append.events) + 1
    return [
        (
            append.shard,
            first_offset + place,
            append.key,
            append.seq_nr + place,
            append.epoch,
            event.type_name,
            event.version,
            bytes(event.payload),
            bytes(event.metadata),
            recorded_at,
        )
        for place, event in enumerate(append.events)
    ]


class MemorySnapshots(KeyValueStore):
    """The snapshots beside a journal in memory."""

    def __init__(self, journal: MemoryJournal, turn: WriteTurn) -> None:
        self._journal = journal
        self._turn = turn
        self._snapshots: dict[str, Snapshot] = {}

    async def get(self, key: str) -> Snapshot | None:
        """See `KeyValueStore.get`."""
        self._turn.check_open()
        return self._snapshots.get(key)

    async def put(self, shard: int, epoch: int, snapshot: Snapshot) -> None:
        """See `KeyValueStore.put`."""
        await self._turn.passed()
        self._journal.check_epoch(shard, epoch)
        kept = self._snapshots.get(snapshot.key)
        if kept is None or kept.seq_nr <= snapshot.seq_nr:
            self._snapshots[snapshot.key] = snapshot

    async def delete(self, key: str) -> None:
        """See `KeyValueStore.delete`."""
        await self._turn.passed()
        self._snapshots.pop(key, None)
