"""An entity's state from what is stored: its newest snapshot, and the events after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aecorpy.causes import Causes
from aecorpy.errors import BadPayload, CorruptRecord, ImpossibleEvent, RecoveryFailed, text_of
from journal.metadata import Cause, Metadata, has_cause

if TYPE_CHECKING:
    from aecorpy.behaviour import Behaviour
    from aecorpy.snapshots import Snapshots
    from journal.events import EntityEvent, EventJournal
    from journal.records import StoredEvent

_PAGE = 100


class Found(NamedTuple):
    """What is stored of an entity: state, version and, if process managers sent it commands, their causes."""

    state: Any
    seq_nr: int
    causes: Causes | None


class Recovery:
    """Recovers the entities of one type.

    Args:
        behaviour: their fold and codecs.
        journal, snapshots: what is stored.
    """

    def __init__(self, behaviour: Behaviour[Any], journal: EventJournal[Any], snapshots: Snapshots) -> None:
        self._behaviour = behaviour
        self._journal = journal
        self._snapshots = snapshots

    async def state_of(self, key: str) -> Found:
        """The state of entity `key`.

        Raises:
            CorruptRecord: an event cannot be read.
            RecoveryFailed: an event cannot be folded, or is missing.
            Unavailable: the journal cannot be reached.
        """
        state, seq_nr, causes = await self._snapshots.get(key) or (self._behaviour.fold.initial, 0, None)
        async for event in self._journal.read(key, seq_nr + 1):
            seq_nr += 1
            state = self._after(state, event, seq_nr)
            if event.raw_metadata and has_cause(event.raw_metadata):
                if causes is None:
                    causes = Causes()
                self._add(causes, event, seq_nr)
        return Found(state, seq_nr, causes)

    def _after(self, state: Any, event: EntityEvent[Any], seq_nr: int) -> Any:
        name, key = self._behaviour.name, event.entity_key
        if event.seq_nr != seq_nr:
            raise RecoveryFailed(name, key, seq_nr, f"is missing, the next is {event.seq_nr}")
        try:
            return self._behaviour.fold.after(state, event.payload)
        except ImpossibleEvent as error:
            raise RecoveryFailed(name, key, seq_nr, str(error)) from error
        except Exception as error:
            raise RecoveryFailed(name, key, seq_nr, f"the fold raised {text_of(error)}") from error

    def _add(self, causes: Causes, event: EntityEvent[Any], seq_nr: int) -> None:
        try:
            cause = event.metadata.cause
        except BadPayload as error:
            raise RecoveryFailed(self._behaviour.name, event.entity_key, seq_nr, str(error)) from error
        if cause is not None:
            causes.add(cause, seq_nr)

    async def answered(self, key: str, cause: Cause, causes: Causes) -> tuple[str, bytes] | None:
        """The command of entity `key` that has committed events of `cause`, and its reply, encoded; None if none has.

        Raises:
            CorruptRecord: an event's metadata cannot be read.
            Unavailable: the journal cannot be reached.
        """
        near = causes.near(cause)
        for start, end in ((near, None), (1, near)):
            async for records in self._journal.entity_pages(key, start, end, page=_PAGE):
                for record in records:
                    answered = self._answer(record, cause)
                    if answered is not None:
                        causes.found(cause, record.seq_nr)
                        return answered
        return None

    def _answer(self, record: StoredEvent, cause: Cause) -> tuple[str, bytes] | None:
        """The command and the reply that are kept with an event of `cause`; None with any other."""
        if not (record.metadata and has_cause(record.metadata)):
            return None
        metadata = self._metadata(record)
        return metadata.answered if metadata.cause == cause else None

    def _metadata(self, record: StoredEvent) -> Metadata:
        try:
            return Metadata.decode(record.metadata)
        except BadPayload as error:
            place = (record.shard, record.offset, record.key, record.seq_nr, record.type_name)
            raise CorruptRecord(f"{self._journal.name}_event", *place, str(error)) from error
