"""When instances of processes lived, by their own journals, and whether two of one process ever lived at once.

An instance lives from its own record that it began to its own record that it ended. One whose program was killed left
no second record: its end is the kill. One whose program was frozen can do nothing from then on, and its end is the
freeze; what it does when it wakes is judged by what it commits. A *double run* is either of

- two instances of one process whose lives overlap,
- a commit under an epoch after one under a newer epoch: both instances worked, whatever their journals say.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from aecorpy.processing.process import ProcessContext

BEGAN, ENDED = "began", "ended"
SUFFIX = "lives"


class Record(NamedTuple):
    """A line of a program's journal: an instance began or ended, at that time of CLOCK_MONOTONIC."""

    process: str
    deployment: str
    name: str
    epoch: int
    what: str
    at: float


class Span(NamedTuple):
    """The life of one instance, in the program `process`; `ended` is infinite while it lives."""

    process: str
    epoch: int
    began: float
    ended: float


class Step(NamedTuple):
    """A commit of a process: the `number`-th since it first began, under that epoch."""

    number: int
    epoch: int


class Faults(NamedTuple):
    """What is wrong, in words; all empty when all is well."""

    double_runs: list[str]
    skipped: list[str]
    repeated: list[str]


class LifeJournal:
    """Writes one program's journal. A line is with the system at once, so SIGKILL loses none."""

    def __init__(self, folder: Path, process: str) -> None:
        self.process = process
        self._file = os.open(folder / f"{process}.{SUFFIX}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    @contextmanager
    def life(self, context: ProcessContext) -> Iterator[None]:
        """The life of an instance."""
        self._note(context, BEGAN)
        try:
            yield
        finally:
            self._note(context, ENDED)

    def _note(self, context: ProcessContext, what: str) -> None:
        line = f"{context.deployment} {context.name} {context.epoch} {what} {time.monotonic():.6f}\n"
        os.write(self._file, line.encode())


def read_lives(folder: Path) -> list[Record]:
    """The journals of all programs in a folder, each in its own order."""
    records = []
    for path in sorted(folder.glob(f"*.{SUFFIX}")):
        for line in path.read_text().splitlines():
            deployment, name, epoch, what, at = line.split()
            records.append(Record(path.stem, deployment, name, int(epoch), what, float(at)))
    return records


def spans(records: Iterable[Record], ends: Sequence[tuple[str, float]]) -> dict[tuple[str, str], list[Span]]:
    """The lives of each process's instances, by deployment and name, in the order in which they began.

    Args:
        records: each program's in its own order.
        ends: program and time of each kill and freeze.
    """
    living: dict[tuple[str, str, str, int], Record] = {}
    found: dict[tuple[str, str], list[Span]] = {}

    def close(one: Record, ended: float) -> None:
        until = min([ended, *[at for process, at in ends if process == one.process and at >= one.at]])
        found.setdefault((one.deployment, one.name), []).append(Span(one.process, one.epoch, one.at, until))

    for record in records:
        place = (record.process, record.deployment, record.name, record.epoch)
        if record.what == BEGAN:
            living[place] = record
        else:
            close(living.pop(place), record.at)
    for record in living.values():
        close(record, math.inf)
    return {name: sorted(some, key=lambda span: span.began) for name, some in found.items()}


def restart_ms(records: Iterable[Record]) -> list[float]:
    """From an instance's end until its worker ran the process again, under the same epoch, in milliseconds."""
    ended: dict[tuple[str, str, str, int], float] = {}
    pauses = []
    for record in records:
        place = (record.process, record.deployment, record.name, record.epoch)
        if record.what == ENDED:
            ended[place] = record.at
        elif place in ended:
            pauses.append((record.at - ended.pop(place)) * 1000)
    return pauses


def faults_of_lives(lives: Mapping[tuple[str, str], Sequence[Span]]) -> Faults:
    """Instances of one process that lived at once."""
    found = Faults([], [], [])
    for (deployment, name), some in lives.items():
        last: Span | None = None
        for span in some:
            if last is not None and span.began < last.ended:
                found.double_runs.append(
                    f"{deployment} {name}: in {span.process} under epoch {span.epoch} from {span.began:.3f} on, "
                    f"in {last.process} under {last.epoch} until {last.ended:.3f}"
                )
            last = span if last is None or span.ended > last.ended else last
    return found


def faults_of_steps(steps: Mapping[tuple[str, str], Sequence[Step]], cursors: Mapping[tuple[str, str], int]) -> Faults:
    """What is wrong with what processes committed.

    Args:
        steps: of each process, in any order.
        cursors: how many steps its offset says that it has done.
    """
    found = Faults([], [], [])
    for place in sorted(steps.keys() | cursors.keys()):
        done, what = sorted(steps.get(place, ())), " ".join(place)
        _compare(found, what, Counter(step.number for step in done), cursors.get(place, 0))
        for earlier, later in itertools.pairwise(done):
            if later.epoch < earlier.epoch:
                found.double_runs.append(
                    f"{what}: step {later.number} under epoch {later.epoch}, after one under {earlier.epoch}"
                )
    return found


def faults_of_rows(rows: Mapping[int, Counter[int]], sums: Mapping[int, int], heads: Mapping[int, int]) -> Faults:
    """What is wrong with a view that has caught up.

    Args:
        rows: of each shard, how often each offset was inserted.
        sums: of each shard, the sum of the increments.
        heads: of each shard, its journal's last offset.
    """
    found = Faults([], [], [])
    for shard in sorted(rows.keys() | sums.keys() | heads.keys()):
        head, total = heads.get(shard, 0), sums.get(shard, 0)
        _compare(found, f"shard {shard}", rows.get(shard, Counter()), head)
        if total != head:
            (found.skipped if total < head else found.repeated).append(f"shard {shard}: the sum is {total} of {head}")
    return found


def all_of(faults: Iterable[Faults]) -> Faults:
    """Several findings as one."""
    double_runs, skipped, repeated = zip(*faults, strict=True)
    return Faults(*[list(itertools.chain.from_iterable(kind)) for kind in (double_runs, skipped, repeated)])


def _compare(found: Faults, what: str, numbers: Counter[int], last: int) -> None:
    """Each number from 1 to `last` should be there once, and no other."""
    missing = [number for number in range(1, last + 1) if not numbers[number]]
    found.skipped.extend(f"{what}: {number} is missing" for number in missing)
    found.repeated.extend(f"{what}: {number} is there {count} times" for number, count in numbers.items() if count > 1)
    found.repeated.extend(f"{what}: {number} is beyond {last}" for number in numbers if not 1 <= number <= last)
