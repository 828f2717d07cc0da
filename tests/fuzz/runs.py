"""Many inputs for one target, and what was found."""

from __future__ import annotations

import resource
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fuzz.mutation import Mutator
from tests.fuzz.targets import Target

MOST_SECONDS = 1.0
MOST_GROWTH = 64 << 20


@dataclass
class Outcome:
    """What came of the inputs of one target; `slowest` and `seconds` in processor seconds, `grown` in bytes."""

    inputs: int = 0
    accepted: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    grown: int = 0
    findings: list[tuple[bytes, str]] = field(default_factory=list)


def peak() -> int:
    """The most bytes of memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(target: Target, mutator: Mutator, inputs: int, *, memory: Callable[[], int] = peak) -> Outcome:
    """Give so many inputs to the target; of findings at one place in the code the first is kept."""
    outcome, places = Outcome(), set[str]()
    before, clock, take = memory(), time.process_time, target.take
    began = clock()
    for _ in range(inputs):
        data = mutator.next()
        start = clock()
        try:
            outcome.accepted += take(data)
        except Exception as error:  # noqa: BLE001 - whatever escapes is the finding
            place, what = _found(error)
            if place not in places:
                places.add(place)
                outcome.findings.append((data, what))
        took = clock() - start
        if took > outcome.slowest:
            outcome.slowest = took
            if took > MOST_SECONDS:
                outcome.findings.append((data, f"{took:.1f} s for {len(data)} bytes"))
    outcome.inputs, outcome.seconds, outcome.grown = inputs, clock() - began, memory() - before
    if outcome.grown > MOST_GROWTH:
        outcome.findings.append((b"", f"the process grew by {outcome.grown >> 20} MiB"))
    return outcome


def _found(error: Exception) -> tuple[str, str]:
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} in {last.filename.rpartition('/')[2]}, line {last.lineno}"
    return place, f"{place}: {str(error)[:200]}"
