"""An entity's state from what is stored: its newest snapshot, and the events after it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aecorpy.errors import BadPayload, ImpossibleEvent, RecoveryFailed

if TYPE_CHECKING:
    from aecorpy.behaviour import Behaviour
    from journal.contract import KeyValueStore
    from journal.events import EntityEvent, EventJournal

_log = logging.getLogger(__name__)


class Recovery:
    """Recovers the entities of one type.

    Args:
        behaviour: their fold and codecs.
        journal, snapshots: what is stored.
    """

    def __init__(self, behaviour: Behaviour[Any], journal: EventJournal[Any], snapshots: KeyValueStore) -> None:
        self._behaviour = behaviour
        self._journal = journal
        self._snapshots = snapshots

    async def state_of(self, key: str) -> tuple[Any, int]:
        """The state of entity `key` and its version.

        Raises:
            CorruptRecord: an event cannot be read.
            RecoveryFailed: an event cannot be folded, or is missing.
            Unavailable: the journal cannot be reached.
        """
        state, seq_nr = await self._from_snapshot(key)
        async for event in self._journal.read(key, seq_nr + 1):
            seq_nr += 1
            state = self._after(state, event, seq_nr)
        return state, seq_nr

    def _after(self, state: Any, event: EntityEvent[Any], seq_nr: int) -> Any:
        name, key = self._behaviour.name, event.entity_key
        if event.seq_nr != seq_nr:
            raise RecoveryFailed(name, key, seq_nr, f"is missing, the next is {event.seq_nr}")
        try:
            return self._behaviour.fold.after(state, event.payload)
        except ImpossibleEvent as error:
            raise RecoveryFailed(name, key, seq_nr, str(error)) from error
        except Exception as error:
            raise RecoveryFailed(name, key, seq_nr, f"the fold raised {type(error).__name__}: {error}") from error

    async def _from_snapshot(self, key: str) -> tuple[Any, int]:
        codec = self._behaviour.snapshot_codec
        snapshot = None if codec is None else await self._snapshots.get(key)
        if codec is not None and snapshot is not None:
            try:
                return codec.decode(snapshot.type_name, snapshot.version, snapshot.payload), snapshot.seq_nr
            except BadPayload as error:
                _log.warning("%s %r: snapshot unreadable, all events are read: %s", self._behaviour.name, key, error)
        return self._behaviour.fold.initial, 0
