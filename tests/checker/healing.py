"""I9: after all was repaired everything is served again in time, what ran runs again, and nothing is left over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.checker.history import History, Violation
from tests.checker.instances import spans
from tests.checker.records import Healed, Leftover, Settled, Started


def healing(history: History) -> Iterator[Violation]:
    """Look for what is missing at the end."""
    settled = history.of(Settled)
    for healed in history.of(Healed):
        if not any(healed.at <= one.at <= healed.at + healed.within for one in settled):
            yield _violation(f"not everything was served within {healed.within:g} s", healed)
    for left in history.of(Leftover):
        yield _violation("it was left over", left)
    yield from _kept_alive(history)


def _kept_alive(history: History) -> Iterator[Violation]:
    """Whatever was started once has an instance at each time at which all is settled."""
    known: dict[tuple[str, str, int], list[tuple[float, float]]] = defaultdict(list)
    for (kind, name, number, _, _), some in spans(history).items():
        known[kind, name, number] += some
    first: dict[tuple[str, str, int], Started] = {}
    for started in history.of(Started):
        first.setdefault((started.kind, started.name, started.number), started)
    for settled in history.of(Settled):
        for what, some in known.items():
            if first[what].at < settled.at and not any(since <= settled.at < until for since, until in some):
                yield _violation(f"{what[0]} {what[1]} {what[2]} ran nowhere", settled)


def _violation(what: str, record: Healed | Leftover | Settled) -> Violation:
    return Violation("kept-alive", "I9", what, record)
