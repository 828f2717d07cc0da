"""The snapshots of one entity type in PostgreSQL."""

from __future__ import annotations

from journal.contract import KeyValueStore
from journal.fences import fenced_shard
from journal.postgres.blocks import lent_link
from journal.postgres.connections import Connections
from journal.postgres.statements import statement
from journal.postgres.values import storable
from journal.records import Snapshot


class PostgresSnapshots(KeyValueStore):
    """See `KeyValueStore`. Made by `PostgresDatabase.snapshots`."""

    def __init__(self, journal: str, shard_count: int, schema: str, connections: Connections) -> None:
        self._journal = journal
        self._shard_count = shard_count
        self._connections = connections
        self._get = statement("snapshot_get", schema, journal)
        self._put = statement("snapshot_put", schema, journal)
        self._delete = statement("snapshot_delete", schema, journal)
        self._epoch = statement("shard_epoch", schema, journal)

    async def get(self, key: str) -> Snapshot | None:
        """See `KeyValueStore.get`."""
        if not storable(key):
            return None
        async with lent_link(self._connections) as link:
            rows = await link.fetch(self._get, key)
        return Snapshot(*rows[0]) if rows else None

    async def put(self, shard: int, epoch: int, snapshot: Snapshot) -> None:
        """See `KeyValueStore.put`."""
        if not 0 <= shard < self._shard_count:
            raise fenced_shard(self._journal, shard, epoch, None)
        state = (snapshot.key, snapshot.seq_nr, snapshot.type_name, snapshot.version, snapshot.payload)
        async with lent_link(self._connections, committing=True) as link:
            if not await link.fetch(self._put, shard, epoch, *state):
                (current,) = await link.fetch(self._epoch, shard)
                raise fenced_shard(self._journal, shard, epoch, current[0])

    async def delete(self, key: str) -> None:
        """See `KeyValueStore.delete`."""
        if storable(key):
            async with lent_link(self._connections, committing=True) as link:
                await link.fetch(self._delete, key)
