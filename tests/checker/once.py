"""I3: a command leads to one batch of events at most, and whoever repeats it gets the same answer."""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.history import History, Violation
from tests.checker.records import ANSWERED, Told


def once(history: History) -> Iterator[Violation]:
    """Count each command's events, and look at its answers."""
    for command, events in history.by_command.items():
        sent = history.sent.get(command)
        if sent is None:
            continue
        first = events[0]
        for event in events[1:]:
            if event.key != first.key or event.epoch != first.epoch:
                yield Violation("durable", "I3", f"{command} is there once more, since {first}", event)
                break
        else:
            if sent.events < len(events):
                what = f"{command} appends {sent.events} events, and {len(events)} are there"
                yield Violation("durable", "I3", what, events[sent.events])
            elif events[-1].seq_nr - first.seq_nr >= len(events):
                yield Violation("durable", "I3", f"the events of {command} do not stand together", events[-1])
    for told in history.told.values():
        yield from _same(told)


def _same(told: list[Told]) -> Iterator[Violation]:
    answers = [one for one in told if one.outcome == ANSWERED and one.value is not None]
    for other in answers[1:]:
        if other.value != answers[0].value:
            yield Violation("durable", "I3", f"it was told {answers[0].value!r} before", other)
