"""I6: a consumer takes in exactly the committed events, in order, once, whoever runs it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.history import History, Violation, grouped
from tests.checker.records import CaughtUp, Moved, Record, Row, Shown

ONCE, ORDER = "exactly-once view", "in-order"


def views(history: History) -> Iterator[Violation]:
    """Look at offsets, at what sinks were shown, and at the rows."""
    yield from _offsets(history)
    yield from _shown(history)
    rows = grouped(history.of(Row), "consumer")
    ends = {record.consumer: record for record in history.of(CaughtUp)}
    for consumer, some in rows.items():
        yield from _rows(history, some, complete=consumer in ends)
    for consumer, end in ends.items():
        yield from _complete(history, end, {row.key for row in rows.get(consumer, ())})


def _offsets(history: History) -> Iterator[Violation]:
    places: dict[tuple[str, int], Moved] = {}
    for move in history.of(Moved):
        last = places.get((move.consumer, move.shard))
        offset = 0 if last is None else last.after
        if move.before != offset or move.after <= move.before:
            yield Violation(ONCE, "I6", f"the offset was {offset}", move)
        places[move.consumer, move.shard] = move


def _shown(history: History) -> Iterator[Violation]:
    """A sink may see an event again, but none before all that come before it on its shard."""
    newest: dict[tuple[str, int], int] = {}
    logs = {shard: events for (_, shard), events in history.by_shard.items()}
    for shown in history.of(Shown):
        place = (shown.consumer, shown.shard)
        before = newest.get(place, 0)
        if shown.offset > before + 1:
            yield Violation(ORDER, "I6", f"offset {before + 1} was not shown yet", shown)
        newest[place] = max(before, shown.offset)
        log = logs.get(shown.shard, [])
        if shown.offset > len(log) or (log[shown.offset - 1].key, log[shown.offset - 1].seq_nr) != (
            shown.key,
            shown.seq_nr,
        ):
            yield Violation(ONCE, "I6", "the journal has no such event", shown)


def _rows(history: History, rows: list[Row], *, complete: bool) -> Iterator[Violation]:
    for row in rows:
        values = history.values_at(row.key)
        if row.count > len(values) - 1:
            yield Violation(ONCE, "I6", f"it has taken in {row.count} events of {len(values) - 1}", row)
        elif row.value != values[row.count]:
            yield Violation(ONCE, "I6", f"its first {row.count} events lead to {values[row.count]!r}", row)
        elif complete and row.count < len(values) - 1:
            yield Violation(ORDER, "I6", f"it has skipped some of {len(values) - 1} events", row)


def _complete(history: History, end: CaughtUp, keys: set[str]) -> Iterator[Violation]:
    for key, events in history.by_key.items():
        if keys and key not in keys:
            yield Violation(ORDER, "I6", f"{end.consumer} knows nothing of {key!r}", events[-1])
    shown = [record for record in history.of(Shown) if record.consumer == end.consumer]
    newest: dict[int, int] = {}
    for record in shown:
        newest[record.shard] = max(record.offset, newest.get(record.shard, 0))
    for (_, shard), log in history.by_shard.items():
        if shown and newest.get(shard, 0) < len(log):
            last: Record = log[-1]
            yield Violation(ORDER, "I6", f"{end.consumer} was never shown it", last)
