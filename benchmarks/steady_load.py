"""Open-loop load: commands at a steady rate, whether earlier ones are answered or not; each is told of in a ledger."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

from aecorpy import EntityRefs
from tests.cluster.ledger import ANSWERED, UNKNOWN, Ledger, told
from tests.cluster.notes import Note

MOST_UNDER_WAY = 5_000


class Sample(NamedTuple):
    """One command: when it was due, how long its answer took from then on, in seconds, and what it was."""

    at: float
    seconds: float
    outcome: str


class SteadyLoad:
    """Writes to one note after the other.

    Args:
        notes: by which they are reached.
        keys: the notes.
        ledger: keeps what was told.
        per_second: how many commands are due in a second.
        prefix: begins the commands' ids.

    Attributes:
        samples: in the order of the answers.
        left_out: commands that were due while too many were under way.
    """

    def __init__(
        self, notes: EntityRefs[Note], keys: Sequence[str], ledger: Ledger, per_second: float, prefix: str = "load"
    ) -> None:
        self._notes = notes
        self._keys = keys
        self._ledger = ledger
        self._pause = 1 / per_second
        self._prefix = prefix
        self._under_way = 0
        self.samples: list[Sample] = []
        self.left_out = 0

    async def run(self) -> None:
        """Send until cancelled."""
        due, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if self._under_way < MOST_UNDER_WAY:
                    group.create_task(self._send(due, self._keys[number % len(self._keys)]))
                else:
                    self.left_out += 1
                due, number = due + self._pause, number + 1

    async def _send(self, due: float, key: str) -> None:
        command = self._ledger.new_id(self._prefix)
        self._ledger.note(command, UNKNOWN)  # which it is, should this task be cancelled
        self._under_way += 1
        try:
            outcome, text = await told(self._notes(key).write(command))
        finally:
            self._under_way -= 1
        self._ledger.note(command, outcome, text)
        self.samples.append(Sample(due, time.monotonic() - due, outcome))

    def between(self, begin: float, end: float) -> list[float]:
        """The latencies, in seconds, of answered commands that were due in that time."""
        return [one.seconds for one in self.samples if begin <= one.at < end and one.outcome == ANSWERED]

    def unanswered(self, begin: float, end: float) -> int:
        """How many commands that were due in that time were told something else than an answer."""
        return sum(begin <= one.at < end and one.outcome != ANSWERED for one in self.samples)


def percentile_ms(seconds: Sequence[float], percent: float) -> float:
    """What `percent` of the latencies do not exceed, in milliseconds."""
    return sorted(seconds)[max(0, math.ceil(len(seconds) * percent / 100) - 1)] * 1000
