"""I4: numbers are 1, 2, 3, … in each entity and each shard, and one sender's commands stand in the order of sending."""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.history import History, Violation
from tests.checker.records import ANSWERED, Event


def order(history: History) -> Iterator[Violation]:
    """Scan shards by offset, entities by seq_nr."""
    for events in history.by_shard.values():
        for before, event in enumerate(events):
            if event.offset != before + 1:
                yield _violation(f"offset {event.offset} where {before + 1} is due", event)
                break
    answered = {command for command, told in history.told.items() if any(one.outcome == ANSWERED for one in told)}
    for events in history.by_key.values():
        for before, event in enumerate(events):
            if event.seq_nr != before + 1:
                yield _violation(f"seq_nr {event.seq_nr} where {before + 1} is due", event)
                break
        yield from _senders(history, events, answered)


def _senders(history: History, events: list[Event], answered: set[str]) -> Iterator[Violation]:
    """One whose outcome is unknown may come later: it is not looked at."""
    last: dict[str, int] = {}
    for event in events:
        if event.command not in answered or event.command not in history.sent:
            continue
        sent = history.sent[event.command]
        if sent.number < last.get(sent.sender, 0):
            yield _violation(f"{sent.sender} sent it before what stands before it ({last[sent.sender]})", event)
        last[sent.sender] = max(sent.number, last.get(sent.sender, 0))


def _violation(what: str, event: Event) -> Violation:
    return Violation("in-order", "I4", what, event)
