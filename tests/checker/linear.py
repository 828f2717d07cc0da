"""I5: each entity is linearizable. The journal says in which order its updates happened, so this is exact and fast.

An update happened at its events' place, so it must not stand before one that was answered before it was sent, and its
answer is the value there. A read happened at some version: not before what was answered before it was sent (reads
included), nor after an update that was sent after it was answered. The smallest version that will do is taken for each:
no later read can want another.

A read that says under which epoch it was answered may miss what later epochs did (it need not: it may have replayed
it). The promise is that a stale owner cannot write, not that it knows. It may never miss what earlier epochs did,
since those ended with its own claim.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from tests.checker.history import History, Violation, grouped
from tests.checker.records import ANSWERED, READ, Event, Sent, Told, Value


class _Op(NamedTuple):
    sent: Sent
    told: Told | None  # None: never answered
    version: int  # behind its events; 0 for a read
    epoch: int

    @property
    def ended(self) -> float:
        return inf if self.told is None else self.told.at


def linear(history: History) -> Iterator[Violation]:
    """Check each entity by itself."""
    for key, sent in grouped(history.sent.values(), "key").items():
        ops = [_op(history, one) for one in sent]
        events, values = history.by_key.get(key, []), history.values_at(key)
        updates = [op for op in ops if op.version]
        yield from _real_time(updates, events)
        yield from _answers(updates, values)
        reads = [op for op in ops if op.sent.op == READ and op.told is not None]
        if reads:
            yield from _Reads(updates, values, events).check(reads)


def _op(history: History, sent: Sent) -> _Op:
    told = next((one for one in history.told.get(sent.command, ()) if one.outcome == ANSWERED), None)
    events = history.by_command.get(sent.command)
    if events:
        return _Op(sent, told, events[-1].seq_nr, events[-1].epoch)
    return _Op(sent, told, 0, 0 if told is None or told.epoch is None else told.epoch)


def _real_time(updates: list[_Op], events: list[Event]) -> Iterator[Violation]:
    earliest: _Op | None = None
    for op in sorted(updates, key=lambda op: -op.version):
        if earliest is not None and earliest.ended < op.sent.at and op.version <= len(events):
            what = f"it stands before {earliest.sent.command}, which was answered before it was sent"
            yield Violation("in-order", "I5", what, events[op.version - 1])
        if earliest is None or op.ended < earliest.ended:
            earliest = op


def _answers(updates: list[_Op], values: list[Value]) -> Iterator[Violation]:
    for op in updates:
        if op.told is None or op.told.value is None or op.version >= len(values):
            continue
        if op.told.value != values[op.version]:
            what = f"the events up to version {op.version} lead to {values[op.version]!r}"
            yield Violation("unknown-is-said", "I5", what, op.told)


class _Reads:
    def __init__(self, updates: list[_Op], values: list[Value], events: list[Event]) -> None:
        self._updates, self._values = updates, values
        self._versions: dict[Value, list[int]] = defaultdict(list)
        for version, value in enumerate(values):
            self._versions[value].append(version)
        self._ends = {event.epoch: event.seq_nr for event in events}  # of each epoch, in order
        # For each place in the order of sending, the smallest version among the updates sent from there on.
        by_sending = sorted(updates, key=lambda op: op.sent.at)
        self._sendings = [op.sent.at for op in by_sending]
        self._smallest = [len(values)] * (len(by_sending) + 1)
        for place in range(len(by_sending) - 1, -1, -1):
            self._smallest[place] = min(self._smallest[place + 1], by_sending[place].version)

    def check(self, reads: list[_Op]) -> Iterator[Violation]:
        """Sweep over all beginnings and ends; at one time, beginnings come first: such are not one after another."""
        points = [(op.ended, 1, op) for op in self._updates if op.told is not None]
        points += [(op.sent.at, 0, op) for op in reads] + [(op.ended, 1, op) for op in reads]
        points.sort(key=lambda point: point[:2])
        seen: dict[int, int] = {}  # by epoch: the newest version that an ended operation has seen
        chosen: dict[str, int] = {}
        for _, ends, op in points:
            if ends:
                version = op.version or chosen.get(op.sent.command, 0)
                seen[op.epoch] = max(version, seen.get(op.epoch, 0))
                continue
            least, most = self._bounds(op, seen)
            version_or_none = self._choose(op, least, most)
            if version_or_none is None:
                yield self._violation(op, least, most)
            else:
                chosen[op.sent.command] = version_or_none

    def _bounds(self, op: _Op, seen: dict[int, int]) -> tuple[int, int]:
        assert op.told is not None, "only reads that were answered are checked"
        most = self._smallest[bisect_right(self._sendings, op.told.at)] - 1
        if op.told.epoch is None or op.sent.fresh:
            return max(seen.values(), default=0), most
        least = max((version for epoch, version in seen.items() if epoch <= op.epoch), default=0)
        before = max((version for epoch, version in self._ends.items() if epoch < op.epoch), default=0)
        return max(least, before), most

    def _choose(self, op: _Op, least: int, most: int) -> int | None:
        assert op.told is not None, "only reads that were answered are checked"
        versions = self._versions.get(op.told.value, [])
        place = bisect_left(versions, least)
        return versions[place] if place < len(versions) and versions[place] <= most else None

    def _violation(self, op: _Op, least: int, most: int) -> Violation:
        assert op.told is not None, "only reads that were answered are checked"
        if op.told.value not in self._versions:
            return Violation("durable", "I5", "no events in the journal lead to what was read", op.told)
        found = self._versions[op.told.value]
        what = f"read is version {found[-1]}, it must be from {least} to {most} of {len(self._values) - 1}"
        return Violation("single-writer", "I5", what, op.told)
