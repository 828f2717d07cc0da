"""A history in which every kind of record occurs and every promise is kept. Tests break it, one record at a time."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from tests.checker.history import History
from tests.checker.models import chained
from tests.checker.records import (
    ANSWERED,
    READ,
    REFUSED,
    REJECTED,
    UNKNOWN,
    Buried,
    Calm,
    CaughtUp,
    Claimed,
    Crashed,
    Effect,
    Event,
    Healed,
    Leased,
    Moved,
    Paused,
    Record,
    Resumed,
    Row,
    Sent,
    Settled,
    Shown,
    Started,
    State,
    Stopped,
    Told,
)

R = TypeVar("R", bound=Any)

ONE = chained(None, "c1")
TWO = chained(ONE, "c2")
THREE = chained(TWO, "c2+")
FOUR = chained(THREE, "c4")


def good() -> list[Record]:
    """Two entities of two shards, written by `a`; it crashes, and `b` goes on. A view and a process move, too."""
    return [
        *[Leased(at, "a", at + 5.0) for at in (0.0, 2.0, 4.0)],
        *[Leased(at, "b", at + 5.0) for at in (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0)],
        Claimed(1.0, "notes", 0, 1, "a"),
        Claimed(1.0, "notes", 1, 1, "b"),
        Started(1.0, "shard", "notes", 0, "a", 1),
        Started(1.0, "shard", "notes", 1, "b", 1),
        Started(1.0, "process", "timers", 0, "a", 1),
        Claimed(1.0, "timers", 0, 1, "a"),
        Claimed(1.0, "view", 0, 1, "a"),
        Claimed(1.0, "view", 1, 1, "b"),
        Sent(2.0, "c1", "x", 1, "k"),
        Event(2.1, "notes", 0, 1, "k", 1, 1, "c1", "a", "append", "c1"),
        Told(2.2, "c1", ANSWERED, ONE),
        Sent(2.3, "c2", "x", 2, "k", events=2),
        Event(2.4, "notes", 0, 2, "k", 2, 1, "c2", "a", "append", "c2"),
        Event(2.4, "notes", 0, 3, "k", 3, 1, "c2", "a", "append", "c2+"),
        Told(2.5, "c2", ANSWERED, THREE),
        Sent(2.6, "r1", "y", 1, "k", READ, 0),
        Told(2.7, "r1", ANSWERED, THREE, 1),
        Sent(2.8, "c3", "x", 3, "k"),
        Told(2.9, "c3", REJECTED),
        Shown(3.0, "sink", 0, 1, "k", 1, "a"),
        Moved(3.0, "view", 0, 0, 2, 1, "a"),
        Effect(3.5, "timers", 0, "a", 1, "t1"),
        Paused(4.5, "a"),
        Resumed(5.0, "a"),
        Crashed(6.0, "a"),
        Buried(6.1, "a"),
        Claimed(7.0, "notes", 0, 2, "b"),
        Claimed(7.0, "timers", 0, 2, "b"),
        Claimed(7.0, "view", 0, 2, "b"),
        Started(7.0, "shard", "notes", 0, "b", 2),
        Started(7.0, "process", "timers", 0, "b", 2),
        Shown(7.1, "sink", 0, 1, "k", 1, "b"),
        Shown(7.2, "sink", 0, 2, "k", 2, "b"),
        Shown(7.2, "sink", 0, 3, "k", 3, "b"),
        Moved(7.3, "view", 0, 2, 3, 2, "b"),
        Sent(8.0, "c4", "x", 4, "k"),
        Event(8.5, "notes", 0, 4, "k", 4, 2, "c4", "b", "append", "c4"),
        Told(9.0, "c4", UNKNOWN),
        Sent(9.5, "c5", "x", 5, "m"),
        Told(9.6, "c5", REFUSED),
        Sent(9.7, "c6", "x", 6, "m"),
        Event(9.8, "notes", 1, 1, "m", 1, 1, "c6", "b", "append", "c6"),
        Told(9.9, "c6", ANSWERED, chained(None, "c6")),
        Healed(10.0, 5.0),
        Settled(12.0, ("b",)),
        Calm(12.0),
        Sent(12.1, "r2", "y", 2, "k", READ, 0),
        Told(12.2, "r2", ANSWERED, FOUR, 2),
        Effect(12.5, "timers", 0, "b", 2, "t2"),
        Moved(13.0, "view", 0, 3, 4, 2, "b"),
        Moved(13.0, "view", 1, 0, 1, 1, "b"),
        Shown(13.0, "sink", 0, 4, "k", 4, "b"),
        Shown(13.1, "sink", 1, 1, "m", 1, "b"),
        CaughtUp(14.0, "view"),
        CaughtUp(14.0, "sink"),
        Row(14.0, "view", "k", 4, FOUR),
        Row(14.0, "view", "m", 1, chained(None, "c6")),
        State(14.0, "snapshot", "k", 2, TWO),
        State(14.0, "recovery", "k", 4, FOUR),
        Stopped(15.0, "shard", "notes", 0, "b", 2),
        Stopped(15.0, "shard", "notes", 1, "b", 1),
        Stopped(15.0, "process", "timers", 0, "b", 2),
    ]


def the(records: list[Record], kind: type[R], /, **fields: Any) -> R:
    """The first record of a kind with these values."""
    for record in History(records).of(kind):
        if all(getattr(record, name) == value for name, value in fields.items()):
            return record
    raise LookupError(f"no {kind.__name__} with {fields}")


def changed(records: list[Record], old: Any, **fields: Any) -> list[Record]:
    """The history with one record changed."""
    return [dataclasses.replace(old, **fields) if record is old else record for record in records]


def without(records: list[Record], *old: Any) -> list[Record]:
    """The history without some records."""
    return [record for record in records if not any(record is one for one in old)]
