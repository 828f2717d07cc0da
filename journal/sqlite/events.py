"""The events and snapshots of one entity type in a SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from journal.admission import Admission
from journal.contract import JournalStore, KeyValueStore
from journal.errors import JournalError
from journal.fences import fenced_shard
from journal.records import Append, Appended, ShardHead, Snapshot, StoredEvent
from journal.sqlite.access import Access
from journal.sqlite.statements import statements

_1970 = datetime(1970, 1, 1, tzinfo=UTC)


def time_of(microseconds: int) -> datetime:
    """The time that lies so many microseconds after the beginning of 1970, UTC."""
    return _1970 + timedelta(microseconds=microseconds)


class SqliteJournal(JournalStore):
    """The events of one entity type. Made by `SqliteDatabase.journal`."""

    def __init__(self, name: str, shard_count: int, access: Access) -> None:
        self.name = name
        self.shard_count = shard_count
        self._access = access
        self._sql = statements("events", name)
        self._seen: tuple[sqlite3.Connection | None, int, list[ShardHead]] = (None, 0, [])

    async def append(self, batch: Sequence[Append]) -> list[Appended | JournalError]:
        """See `JournalStore.append`."""
        if not batch:
            return []
        return await self._access.write(partial(self._append, batch=batch))

    def _append(self, connection: sqlite3.Connection, batch: Sequence[Append]) -> list[Appended | JournalError]:
        shards = self._shards(connection, batch)
        admission = Admission(self.name, shards, partial(self._last_seq_nr, connection))
        outcomes = [admission.admit(append) for append in batch]
        for shard, head in admission.heads.items():
            self._advance(connection, shards[shard], head)
        (recorded_at,) = connection.execute(statements("registry")["now"]).fetchone()
        rows = [
            row
            for append, outcome in zip(batch, outcomes, strict=True)
            if isinstance(outcome, Appended)
            for row in _rows(append, outcome, recorded_at)
        ]
        connection.executemany(self._sql["insert"], rows)
        return outcomes

    def _shards(self, connection: sqlite3.Connection, batch: Sequence[Append]) -> dict[int, ShardHead]:
        wanted = json.dumps(list({append.shard for append in batch}))
        return {row[0]: ShardHead(*row) for row in connection.execute(self._sql["shards"], (wanted,))}

    def _last_seq_nr(self, connection: sqlite3.Connection, key: str) -> int:
        (last,) = connection.execute(self._sql["last_seq_nr"], (key,)).fetchone()
        return last or 0

    def _advance(self, connection: sqlite3.Connection, before: ShardHead, head: int) -> None:
        if head == before.head:
            return
        row = connection.execute(self._sql["advance"], (head - before.head, before.shard, before.epoch)).fetchall()
        if row != [(head,)]:
            raise RuntimeError(
                f"journal {self.name!r}, shard {before.shard}: changed under the write lock: {before}, {row}"
            )

    async def claim(self, shard: int, epoch: int) -> ShardHead:
        """See `JournalStore.claim`."""
        if not 0 <= shard < self.shard_count:
            raise ValueError(f"journal {self.name!r} has shards 0 to {self.shard_count - 1}, not {shard}")
        return await self._access.write(partial(self._claim, shard=shard, epoch=epoch))

    def _claim(self, connection: sqlite3.Connection, shard: int, epoch: int) -> ShardHead:
        rows = connection.execute(self._sql["claim"], (epoch, shard, epoch)).fetchall()
        if not rows:
            raise fenced_shard(self.name, shard, epoch, self._epoch(connection, shard))
        return ShardHead(*rows[0])

    def _epoch(self, connection: sqlite3.Connection, shard: int) -> int | None:
        row = connection.execute(self._sql["epoch"], (shard,)).fetchone()
        return row[0] if row else None

    async def heads(self) -> list[ShardHead]:
        """See `JournalStore.heads`."""
        return await self._access.read(self._heads)

    def _heads(self, connection: sqlite3.Connection) -> list[ShardHead]:
        # Readers that wait for other processes' events ask this many times a second, mostly in vain. The version is
        # asked for first: rows newer than it are read again next time, rows older than it never kept.
        (version,) = connection.execute(self._sql["data_version"]).fetchone()
        seen, seen_version, rows = self._seen
        if seen is not connection or seen_version != version:
            rows = [ShardHead(*row) for row in connection.execute(self._sql["heads"]).fetchall()]
            self._seen = (connection, version, rows)
        return rows.copy()

    async def read_entity(self, key: str, from_seq_nr: int, limit: int) -> list[StoredEvent]:
        """See `JournalStore.read_entity`."""
        return await self._access.read(partial(self._events, "read_entity", (key, from_seq_nr, max(limit, 0))))

    async def read_shards(self, after: Mapping[int, int], limit: int) -> list[StoredEvent]:
        """See `JournalStore.read_shards`."""
        return await self._access.read(partial(self._events, "read_shards", (json.dumps(dict(after)), limit)))

    def _events(self, statement: str, arguments: tuple[Any, ...], connection: sqlite3.Connection) -> list[StoredEvent]:
        rows: list[Any] = connection.execute(self._sql[statement], arguments).fetchall()
        return [StoredEvent(*(*row[:-1], time_of(row[-1]))) for row in rows]

    def check_epoch(self, connection: sqlite3.Connection, shard: int, epoch: int) -> None:
        """Do nothing if `epoch` is the current one of `shard`.

        Raises:
            Fenced: it is not.
        """
        current = self._epoch(connection, shard)
        if current != epoch:
            raise fenced_shard(self.name, shard, epoch, current)


def _rows(append: Append, appended: Appended, recorded_at: int) -> list[tuple[Any, ...]]:
    shard, epoch, key, seq_nr, events = append
    offset = appended.last_offset - len(events) + 1
    return [
        (shard, offset + place, key, seq_nr + place, epoch, type_name, version, payload, metadata, recorded_at)
        for place, (type_name, version, payload, metadata) in enumerate(events)
    ]


class SqliteSnapshots(KeyValueStore):
    """The snapshots beside a journal in a SQLite file."""

    def __init__(self, journal: SqliteJournal, access: Access) -> None:
        self._journal = journal
        self._access = access
        self._sql = statements("events", journal.name)

    async def get(self, key: str) -> Snapshot | None:
        """See `KeyValueStore.get`."""
        return await self._access.read(partial(self._get, key=key))

    def _get(self, connection: sqlite3.Connection, key: str) -> Snapshot | None:
        row = connection.execute(self._sql["get_snapshot"], (key,)).fetchone()
        return Snapshot(*row) if row else None

    async def put(self, shard: int, epoch: int, snapshot: Snapshot) -> None:
        """See `KeyValueStore.put`."""
        await self._access.write(partial(self._put, shard=shard, epoch=epoch, snapshot=snapshot))

    def _put(self, connection: sqlite3.Connection, shard: int, epoch: int, snapshot: Snapshot) -> None:
        self._journal.check_epoch(connection, shard, epoch)
        row = (snapshot.key, snapshot.seq_nr, snapshot.type_name, snapshot.version, snapshot.payload)
        connection.execute(self._sql["put_snapshot"], row)

    async def delete(self, key: str) -> None:
        """See `KeyValueStore.delete`."""
        await self._access.write(partial(self._delete, key=key))

    def _delete(self, connection: sqlite3.Connection, key: str) -> None:
        connection.execute(self._sql["delete_snapshot"], (key,))
