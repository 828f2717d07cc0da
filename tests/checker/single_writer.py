"""I1: epochs never fall along the offsets, nothing commits under an epoch that another followed, one writer each."""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.history import History, Violation
from tests.checker.records import Claimed, Event


def _violation(what: str, record: Claimed | Event) -> Violation:
    return Violation("single-writer", "I1", what, record)


def single_writer(history: History) -> Iterator[Violation]:
    """Scan each shard by offset, and by time."""
    for events in history.by_shard.values():
        yield from _along_offsets(events)
    yield from _along_time(history)


def _along_offsets(events: list[Event]) -> Iterator[Violation]:
    newest = 0
    writers: dict[int, str] = {}
    for event in events:
        if event.epoch < newest:
            yield _violation(f"epoch {event.epoch} behind an event of epoch {newest}", event)
        newest = max(newest, event.epoch)
        writer = writers.setdefault(event.epoch, event.writer)
        if writer and event.writer and writer != event.writer:
            yield _violation(f"{writer} has written under epoch {event.epoch}, too", event)


def _along_time(history: History) -> Iterator[Violation]:
    claimed: dict[tuple[str, int], Claimed] = {}
    for record in history.records:
        if isinstance(record, Claimed):
            place = (record.what, record.number)
            before = claimed.get(place)
            if before is not None and record.epoch <= before.epoch:
                yield _violation(f"{before.node} had claimed epoch {before.epoch} already", record)
            if before is None or record.epoch > before.epoch:
                claimed[place] = record
        elif isinstance(record, Event):
            holder = claimed.get((record.journal, record.shard))
            if holder is not None and record.epoch < holder.epoch:
                yield _violation(f"committed after {holder.node} had claimed epoch {holder.epoch}", record)
