"""Faults in the journal, and in how entities use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aecorpy.eventsourced import READY, EntityRuntime
from aecorpy.messages import Answer
from journal.admission import Admission
from journal.errors import JournalError, OutcomeUnknown, Unavailable
from journal.events import EventJournal
from journal.memory.events import MemoryJournal
from journal.records import Append, Appended
from journal.writer import GroupCommit
from tests.mutants.mutant import Patch, both, replaced

Outcome = Appended | JournalError


def _without_epoch(original: Callable[[Admission, Append], JournalError | None]) -> Any:
    def refusal(self: Admission, append: Append) -> JournalError | None:
        return original(self, append._replace(epoch=self._shards[append.shard].epoch))

    return refusal


no_epoch_in_append: Patch = replaced(Admission, "_refusal", _without_epoch)


def _adopting(original: Any) -> Any:
    """The first append under a newer epoch is what takes the shard."""

    async def append(self: MemoryJournal, batch: Sequence[Append]) -> list[Outcome]:
        await self._turn.passed()
        for one in batch:
            row = self._shards[one.shard]
            if one.epoch > row.epoch:
                self._shards[one.shard] = row._replace(epoch=one.epoch)
        outcomes: list[Outcome] = await original(self, batch)
        return outcomes

    return append


def _unclaimed(_: Any) -> Any:
    async def claim(self: EventJournal[Any], shard: int, epoch: int) -> None:
        return None

    return claim


no_claim: Patch = both(replaced(EventJournal, "claim", _unclaimed), replaced(MemoryJournal, "append", _adopting))


def _answering_first(original: Any) -> Any:
    def submit(
        self: EntityRuntime, entity: Any, command: Any, sender: Any, before: Any, value: Any, appended: Any
    ) -> Any:
        error = original(self, entity, command, sender, before, value, appended)
        if error is None:
            self._tell(sender, Answer(value))
        return error

    return submit


reply_before_commit: Patch = replaced(EntityRuntime, "_submit", _answering_first)


def _going_on(original: Any) -> Any:
    def refuse_pending(self: EntityRuntime, entity: Any, pending: Any, error: JournalError) -> None:
        phase = entity._phase
        original(self, entity, pending, error)
        if isinstance(error, OutcomeUnknown):
            entity._phase = phase

    return refuse_pending


not_reloaded: Patch = replaced(EntityRuntime, "_refuse_pending", _going_on)


def _keeping_state(original: Any) -> Any:
    def end(self: EntityRuntime, entity: Any, command: Any, sender: Any, before: Any, value: Any, error: Any) -> None:
        state = entity._state
        original(self, entity, command, sender, before, value, error)
        if error is not None and entity._phase == READY:
            entity._state = state

    return end


rejected_state_kept: Patch = replaced(EntityRuntime, "_end", _keeping_state)


def _hasty_snapshot(original: Any) -> Any:
    def submit(
        self: EntityRuntime, entity: Any, command: Any, sender: Any, before: Any, value: Any, appended: Any
    ) -> Any:
        error = original(self, entity, command, sender, before, value, appended)
        due = self.behaviour.snapshotting
        if error is None and due is not None and due.is_due(before[1], entity._seq_nr):
            self._save_snapshot(entity, entity._seq_nr, entity._state, b"")
        return error

    return submit


snapshot_ahead: Patch = replaced(EntityRuntime, "_submit", _hasty_snapshot)


def _all_or_nothing(original: Any) -> Any:
    def deliver(self: GroupCommit, batch: Any, outcomes: Sequence[Outcome]) -> None:
        done = next((one for one in outcomes if isinstance(one, Appended)), None)
        original(self, batch, outcomes if done is None else [done] * len(outcomes))

    return deliver


group_acknowledged: Patch = replaced(GroupCommit, "_deliver", _all_or_nothing)


def _sending_again(_: Any) -> Any:
    """An append whose outcome is unknown is sent again, behind whatever is there by then."""

    async def commit(self: GroupCommit, batch: Any) -> None:
        appends: list[Append] = [append for append, _ in batch]
        outcomes: Sequence[Outcome]
        try:
            try:
                outcomes = await self._store.append(appends)
            except OutcomeUnknown:
                first = appends[0]
                there = await self._store.read_entity(first.key, 1, 100_000)
                outcomes = await self._store.append([first._replace(seq_nr=len(there) + 1), *appends[1:]])
        except JournalError as error:
            outcomes = [error] * len(batch)
        self._deliver(batch, outcomes)

    return commit


unknown_sent_again: Patch = replaced(GroupCommit, "_commit", _sending_again)


HOLE_SECONDS = 0.05


def _with_holes(original: Any) -> Any:
    """As with a serial column: a number is taken before its commit is seen, and later numbers are seen before it."""

    async def read_shards(self: MemoryJournal, after: Mapping[int, int], limit: int) -> Any:
        now = self._clock()
        return [
            event
            for event in await original(self, after, limit)
            if event.offset % 3 or (now - event.recorded_at).total_seconds() > HOLE_SECONDS
        ]

    return read_shards


reading_past_a_hole: Patch = replaced(MemoryJournal, "read_shards", _with_holes)


def _unknown_as_no(original: Any) -> Any:
    """Callers are told that nothing happened when nobody knows."""

    def refuse_pending(self: EntityRuntime, entity: Any, pending: Any, error: JournalError) -> None:
        original(self, entity, pending, Unavailable(str(error)) if isinstance(error, OutcomeUnknown) else error)

    return refuse_pending


unknown_told_as_no: Patch = replaced(EntityRuntime, "_refuse_pending", _unknown_as_no)


def _dirty(original: Any) -> Any:
    """A query does not wait for the commits of what it saw."""

    def end(self: EntityRuntime, entity: Any, command: Any, sender: Any, before: Any, value: Any, error: Any) -> None:
        if command.spec.read_only and error is None:
            self._tell(sender, Answer(value))
        else:
            original(self, entity, command, sender, before, value, error)

    return end


dirty_read: Patch = replaced(EntityRuntime, "_end", _dirty)
