"""I7: one instance per shard or process and epoch, none without a lease, no superseded effect, none twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import inf
from typing import Final, TypeAlias

from tests.checker.history import History, Violation
from tests.checker.records import (
    Buried,
    Claimed,
    Crashed,
    Effect,
    Leased,
    Moved,
    Paused,
    Resumed,
    Started,
    Stopped,
)

Instance: TypeAlias = tuple[str, str, int, str, int]

LEASED_KINDS: Final = ("shard", "process")


def instances(history: History) -> Iterator[Violation]:
    """Look at what nodes say that they ran, and at what was done."""
    yield from _one_each(history)
    yield from _leases(history)
    yield from _effects(history)
    crashed = {record.node: record.at for record in history.of(Crashed)}
    for buried in history.of(Buried):
        if crashed.get(buried.node, inf) > buried.at:
            yield Violation("one-instance", "I7", "its process was not dead", buried)


def _one_each(history: History) -> Iterator[Violation]:
    holders: dict[tuple[str, str, int, int], Started] = {}
    for started in history.of(Started):
        place = (started.kind, started.name, started.number, started.epoch)
        first = holders.setdefault(place, started)
        if first.node != started.node:
            promise = "single-writer" if started.kind == "shard" else "one-instance"
            yield Violation(promise, "I7", f"{first.node} has it under epoch {first.epoch}, too", started)


def spans(history: History) -> dict[Instance, list[tuple[float, float]]]:
    """From when to when each instance ran: until it was stopped, its node crashed, or for ever."""
    open_since: dict[Instance, float] = {}
    found: dict[Instance, list[tuple[float, float]]] = defaultdict(list)
    for record in history.records:
        if isinstance(record, Started):
            open_since.setdefault(_instance(record), record.at)
        elif isinstance(record, Stopped):
            since = open_since.pop(_instance(record), None)
            if since is not None:
                found[_instance(record)].append((since, record.at))
        elif isinstance(record, Crashed):
            for one in [one for one in open_since if one[3] == record.node]:
                found[one].append((open_since.pop(one), record.at))
    for one, since in open_since.items():
        found[one].append((since, inf))
    return found


def _instance(record: Started | Stopped) -> Instance:
    return record.kind, record.name, record.number, record.node, record.epoch


def _leases(history: History) -> Iterator[Violation]:
    """Each node's lease ends when no renewal came before that; then nothing may run there that began before."""
    ends = _lease_ends(history)
    pauses = pauses_of(history)
    running: dict[str, list[tuple[float, float, Started]]] = defaultdict(list)
    intervals = spans(history)
    for started in history.of(Started):
        if started.kind in LEASED_KINDS:
            for since, until in intervals[_instance(started)]:
                if since == started.at:
                    running[started.node].append((since, until, started))
    for node, times in ends.items():
        for end in times:
            for since, until, started in running[node]:
                if since < end < until and not just_woke(pauses[node], end, until, history.waking):
                    what = f"the lease of {node} ended at {end:.3f}, and it runs until {until:.3f}"
                    yield Violation("one-instance", "I7", what, started)


def _lease_ends(history: History) -> dict[str, list[float]]:
    ends: dict[str, list[float]] = defaultdict(list)
    current: dict[str, float] = {}
    for leased in history.of(Leased):
        if current.get(leased.node, inf) < leased.at:
            ends[leased.node].append(current[leased.node])
        current[leased.node] = leased.until
    last = history.records[-1].at if history.records else 0.0
    for node, until in current.items():
        if until < last:
            ends[node].append(until)
    return ends


def pauses_of(history: History) -> dict[str, list[tuple[float, float]]]:
    """From when to when each node stood still."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    since: dict[str, float] = {}
    for record in history.records:
        if isinstance(record, Paused):
            since.setdefault(record.node, record.at)
        elif isinstance(record, Resumed) and record.node in since:
            found[record.node].append((since.pop(record.node), record.at))
    for node, at in since.items():
        found[node].append((at, inf))
    return found


def just_woke(pauses: Sequence[tuple[float, float]], since: float, until: float, waking: float) -> bool:
    """Whether a node that stood still at `since`, or shortly before, was then awake for at most `waking` s."""
    began = max((begin for begin, end in pauses if begin <= since <= end + waking), default=None)
    if began is None:
        return False
    asleep = sum(max(0.0, min(end, until) - begin) for begin, end in pauses if began <= begin < until)
    return until - began - asleep <= waking


def _effects(history: History) -> Iterator[Violation]:
    claimed: dict[tuple[str, int], Claimed] = {}
    movers: dict[tuple[str, int, int], str] = {}
    done: dict[tuple[str, str], Effect] = {}
    for record in history.records:
        if isinstance(record, Claimed):
            claimed[record.what, record.number] = record
            continue
        if isinstance(record, Moved):
            name, number = record.consumer, record.shard
        elif isinstance(record, Effect):
            name, number = record.name, record.number
            first = done.setdefault((name, record.id), record)
            if first is not record:
                yield Violation("one-instance", "I7", f"{first.node} did {record.id!r} before", record)
        else:
            continue
        holder = claimed.get((name, number))
        if holder is not None and record.epoch < holder.epoch:
            what = f"{holder.node} had claimed epoch {holder.epoch} before"
            yield Violation("one-instance", "I7", what, record)
        mover = movers.setdefault((name, number, record.epoch), record.node)
        if mover != record.node:
            yield Violation("one-instance", "I7", f"{mover} has epoch {record.epoch}, too", record)
