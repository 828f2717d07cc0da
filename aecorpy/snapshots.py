"""Snapshots of one entity type: the state by its codec and, where there are any, the causes of the events in it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aecorpy.causes import Causes
from aecorpy.errors import BadPayload, CorruptRecord
from journal.records import Snapshot

if TYPE_CHECKING:
    from aecorpy.behaviour import Behaviour
    from journal.contract import KeyValueStore

_CAUSES = b"\xc1"  # msgpack never uses this byte, so no state begins with it
_SIZE = 4

_log = logging.getLogger(__name__)


class Snapshots:
    """Encodes, keeps and reads them.

    Args:
        behaviour: with the codec.
        store: where they lie.
    """

    def __init__(self, behaviour: Behaviour[Any], store: KeyValueStore) -> None:
        self._behaviour = behaviour
        self._store = store

    def encode(self, key: str, seq_nr: int, state: Any, causes: bytes) -> Snapshot | None:
        """The snapshot of entity `key`; None where there is nothing to keep, or, which is logged, it cannot be stored.

        Args:
            key, seq_nr, state: of the entity.
            causes: as `Causes.pack` made them, or empty; without any, the bytes are the state's alone.
        """
        codec = self._behaviour.snapshot_codec
        if codec is None or state is None:
            return None
        try:
            name, version, payload = codec.encode(state)
        except BadPayload:
            text = "%s %r: its snapshot cannot be stored, recovery goes without"
            _log.exception(text, self._behaviour.name, key)
            return None
        if causes:
            payload = _CAUSES + len(causes).to_bytes(_SIZE, "big") + causes + payload
        return Snapshot(key, seq_nr, name, version, payload)

    async def put(self, shard: int, epoch: int, snapshot: Snapshot) -> None:
        """Keep `snapshot`; see `KeyValueStore.put`."""
        await self._store.put(shard, epoch, snapshot)

    async def get(self, key: str) -> tuple[Any, int, Causes | None] | None:
        """State, version and causes in the newest snapshot of `key`; None if there is none that can be read.

        Raises:
            Unavailable: the store cannot be reached.
        """
        codec = self._behaviour.snapshot_codec
        snapshot = None if codec is None else await self._store.get(key)
        if codec is None or snapshot is None:
            return None
        try:
            causes, payload = _split(snapshot.payload)
            return codec.decode(snapshot.type_name, snapshot.version, payload), snapshot.seq_nr, causes
        except BadPayload as error:
            table, type_name = f"{self._behaviour.name}_snapshot", snapshot.type_name
            corrupt = CorruptRecord(table, None, None, key, snapshot.seq_nr, type_name, str(error))
            _log.warning("snapshot unreadable, all events are read: %s", corrupt)
            return None


def _split(payload: bytes) -> tuple[Causes | None, bytes]:
    if not payload.startswith(_CAUSES):
        return None, payload
    start = len(_CAUSES) + _SIZE
    end = start + int.from_bytes(payload[len(_CAUSES) : start], "big")
    return Causes.unpack(payload[start:end]), payload[end:]
