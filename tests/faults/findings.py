"""What the checker does not ask: errors that nobody should be told, and two instances of what must be one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from tests.checker.history import History
from tests.checker.instances import just_woke, pauses_of, spans
from tests.checker.records import REFUSED, UNKNOWN, Record, Told

TO_BE_EXPECTED: Final = (
    "Unavailable", "Overloaded", "NodeStopping", "ShardMoved", "OutcomeUnknown", "DeadlinePassed",
)  # fmt: skip
WAKING: Final = 2.0  # seconds in which a process that stood still, on a busy machine, has to stop what it runs


def surprises(records: Sequence[Record]) -> list[str]:
    """Errors that are no answer of a cluster under faults, each kind once with an example."""
    odd: dict[str, Told] = {}
    counts: Counter[str] = Counter()
    for told in records:
        if isinstance(told, Told) and told.outcome in (REFUSED, UNKNOWN):
            kind = told.why.partition(":")[0]
            if kind not in TO_BE_EXPECTED:
                odd.setdefault(kind, told)
                counts[kind] += 1
    return [f"{counts[kind]} callers were told {kind}, such as {told}" for kind, told in sorted(odd.items())]


def overlaps(records: Sequence[Record], name: str) -> Iterator[str]:
    """Two processes that ran an instance of a patient deployment at a time, but for a frozen one that just woke."""
    history = History(records)
    found = [
        (number, since, until, node, epoch)
        for (kind, deployment, number, node, epoch), some in spans(history).items()
        if kind == "process" and deployment == name
        for since, until in some
    ]
    found.sort()
    pauses = pauses_of(history)
    for (number, _, until, node, epoch), (other, since, _, successor, newer) in pairwise(found):
        if (
            number == other
            and since < until
            and node != successor
            and not just_woke(pauses[node], since, until, WAKING)
        ):
            before = f"{node} ran it under epoch {epoch} until {until:.3f}"
            yield f"one-instance: {name} {number}: {before}, {successor} from {since:.3f} under {newer}"
