"""Broken histories: what is done to the good one, which promise and invariant that breaks, which record shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.checker.good import FOUR, ONE, THREE, TWO, changed, the, without
from tests.checker.records import (
    ANSWERED,
    READ,
    REFUSED,
    UNKNOWN,
    Buried,
    Claimed,
    Crashed,
    Effect,
    Event,
    Healed,
    Leased,
    Leftover,
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

History = list[Record]
Shows = Callable[[Record], bool]


@dataclass(frozen=True)
class Broken:
    """One of them; `shows` says whether a record is the one that shows it."""

    name: str
    promise: str
    invariant: str
    make: Callable[[History], History]
    shows: Shows


def _is(kind: type, /, **fields: Any) -> Shows:
    return lambda record: isinstance(record, kind) and all(getattr(record, name) == fields[name] for name in fields)


def _changes(kind: type, which: dict[str, Any], **fields: Any) -> Callable[[History], History]:
    return lambda history: changed(history, the(history, kind, **which), **fields)


def _lacks(kind: type, /, **fields: Any) -> Callable[[History], History]:
    return lambda history: without(history, the(history, kind, **fields))


def _adds(*records: Record) -> Callable[[History], History]:
    return lambda history: [*history, *records]


def _shards(at: float, owners: dict[str, range]) -> History:
    """So many shards on these nodes."""
    return [Started(at, "shard", "many", number, node, 1) for node, numbers in owners.items() for number in numbers]


def _a_node_joins(moved: range) -> History:
    """20 shards on two nodes; a third joins and gets these."""
    first = _shards(1.0, {"p": range(10), "q": range(10, 20)})
    leases = [Leased(0.5, node, 100.0) for node in "pqr"]
    moves: History = []
    for number in moved:
        node = "p" if number < 10 else "q"
        moves += [Stopped(3.0, "shard", "many", number, node, 1), Started(4.0, "shard", "many", number, "r", 2)]
    return [*leases, *first, Settled(2.0, ("p", "q")), *moves, Settled(5.0, ("p", "q", "r"))]


BROKEN: Final = (
    # I1
    Broken(
        "an older epoch behind a newer one",
        "single-writer",
        "I1",
        _changes(Event, {"command": "c4"}, epoch=0),
        _is(Event, command="c4"),
    ),
    Broken(
        "a commit under an epoch that another has followed",
        "single-writer",
        "I1",
        _adds(
            Sent(7.5, "c9", "z", 1, "n"),
            Told(7.9, "c9", UNKNOWN),
            Claimed(7.6, "notes", 1, 5, "a"),
            Event(9.85, "notes", 1, 2, "n", 1, 1, "c9", "b", "append", "c9"),
        ),
        _is(Event, command="c6"),
    ),
    Broken(
        "two writers under one epoch",
        "single-writer",
        "I1",
        _changes(Event, {"seq_nr": 3}, writer="b"),
        _is(Event, seq_nr=3),
    ),
    Broken(
        "an epoch claimed twice",
        "single-writer",
        "I1",
        _adds(Claimed(8.0, "notes", 0, 2, "a")),
        _is(Claimed, node="a", at=8.0),
    ),
    # I2
    Broken(
        "an answered command that is lost",
        "durable",
        "I2",
        _adds(Sent(9.0, "c9", "z", 1, "n"), Told(9.1, "c9", ANSWERED)),
        _is(Told, command="c9"),
    ),
    Broken(
        "half of an answered command",
        "durable",
        "I2",
        _changes(Sent, {"command": "c6"}, events=2),
        _is(Told, command="c6"),
    ),
    Broken(
        "half of a command whose outcome is unknown",
        "durable",
        "I2",
        _changes(Sent, {"command": "c4"}, events=2),
        _is(Told, command="c4"),
    ),
    Broken(
        "a refused command that happened",
        "unknown-is-said",
        "I2",
        _changes(Told, {"command": "c4"}, outcome=REFUSED),
        _is(Told, command="c4"),
    ),
    Broken(
        "a command of which nobody says anything",
        "unknown-is-said",
        "I2",
        _lacks(Told, command="c3"),
        _is(Sent, command="c3"),
    ),
    Broken(
        "an event of a command that nobody sent",
        "durable",
        "I2",
        _changes(Event, {"command": "c6"}, command="c7"),
        _is(Event, command="c7"),
    ),
    # I3
    Broken(
        "a command that happened twice",
        "durable",
        "I3",
        _adds(Event(9.0, "notes", 0, 5, "k", 5, 2, "c4", "b", "append", "c4")),
        _is(Event, seq_nr=5),
    ),
    Broken(
        "a command that happened once more under the next epoch",
        "durable",
        "I3",
        _changes(Event, {"command": "c4"}, command="c1"),
        _is(Event, seq_nr=4),
    ),
    Broken(
        "a repeated request with another answer",
        "durable",
        "I3",
        _adds(Told(9.0, "c1", ANSWERED, TWO)),
        _is(Told, command="c1", at=9.0),
    ),
    # I4
    Broken(
        "a hole in an entity",
        "in-order",
        "I4",
        _changes(Event, {"command": "c4"}, seq_nr=5),
        _is(Event, command="c4"),
    ),
    Broken(
        "a hole in a shard",
        "in-order",
        "I4",
        _changes(Event, {"command": "c4"}, offset=5),
        _is(Event, command="c4"),
    ),
    Broken(
        "an offset that is there twice",
        "in-order",
        "I4",
        _changes(Event, {"seq_nr": 3}, offset=2),
        _is(Event, seq_nr=3),
    ),
    Broken(
        "one sender's commands in another order",
        "in-order",
        "I4",
        _changes(Sent, {"command": "c1"}, number=9),
        _is(Event, seq_nr=2),
    ),
    # I5
    Broken(
        "a command before one that was answered before it was sent",
        "in-order",
        "I5",
        _changes(Sent, {"command": "c1"}, at=2.55),
        _is(Event, command="c1"),
    ),
    Broken(
        "an answer that does not follow from the events before",
        "unknown-is-said",
        "I5",
        _changes(Told, {"command": "c2"}, value=TWO),
        _is(Told, command="c2"),
    ),
    Broken(
        "a read of a state that was never committed",
        "durable",
        "I5",
        _changes(Told, {"command": "r1"}, value="7:beef"),
        _is(Told, command="r1"),
    ),
    Broken(
        "a stale read under the newest epoch",
        "single-writer",
        "I5",
        _changes(Told, {"command": "r2"}, value=ONE),
        _is(Told, command="r2"),
    ),
    Broken(
        "a read that goes back behind an earlier one",
        "single-writer",
        "I5",
        _adds(Sent(12.3, "r3", "y", 3, "k", READ, 0, True), Told(12.4, "r3", ANSWERED, THREE, 1)),
        _is(Told, command="r3"),
    ),
    Broken(
        "a read of what was sent only later",
        "single-writer",
        "I5",
        _changes(Told, {"command": "r1"}, value=FOUR),
        _is(Told, command="r1"),
    ),
    # I6
    Broken(
        "an event that a view took in twice",
        "exactly-once view",
        "I6",
        _changes(Row, {"key": "m"}, count=2),
        _is(Row, key="m"),
    ),
    Broken(
        "a row that its events do not lead to",
        "exactly-once view",
        "I6",
        _changes(Row, {"key": "k"}, value=THREE),
        _is(Row, key="k"),
    ),
    Broken(
        "an event that a view skipped",
        "in-order",
        "I6",
        _changes(Row, {"key": "k"}, count=3, value=THREE),
        _is(Row, key="k"),
    ),
    Broken(
        "an entity that a view knows nothing of",
        "in-order",
        "I6",
        _lacks(Row, key="m"),
        _is(Event, key="m"),
    ),
    Broken(
        "an offset that is moved from where it was not",
        "exactly-once view",
        "I6",
        _changes(Moved, {"after": 4}, before=2),
        _is(Moved, after=4),
    ),
    Broken(
        "a sink that is shown an event too early",
        "in-order",
        "I6",
        _lacks(Shown, offset=2),
        _is(Shown, offset=3),
    ),
    Broken(
        "a sink that is shown what the journal has not",
        "exactly-once view",
        "I6",
        _changes(Shown, {"offset": 4}, seq_nr=7),
        _is(Shown, offset=4),
    ),
    Broken(
        "a sink that is never shown the last event",
        "in-order",
        "I6",
        _lacks(Shown, offset=4),
        _is(Event, seq_nr=4),
    ),
    # I7
    Broken(
        "two owners of a shard under one epoch",
        "single-writer",
        "I7",
        _changes(Started, {"kind": "shard", "node": "b", "epoch": 2}, epoch=1),
        _is(Started, kind="shard", number=0, node="b"),
    ),
    Broken(
        "two instances of a process under one epoch",
        "one-instance",
        "I7",
        _adds(Started(7.5, "process", "timers", 0, "c", 2)),
        _is(Started, node="c"),
    ),
    Broken(
        "a process that runs on without a lease",
        "one-instance",
        "I7",
        lambda history: without(history, the(history, Crashed), the(history, Buried)),
        _is(Started, kind="shard", node="a"),
    ),
    Broken(
        "a process that a pause ended, and that went on after it",
        "one-instance",
        "I7",
        lambda history: [
            *changed(
                changed(without(history, the(history, Crashed), the(history, Buried)), the(history, Resumed), at=11.0),
                the(history, Paused),
                at=5.0,
            ),
            Stopped(11.01, "shard", "notes", 0, "a", 1),
            Stopped(12.0, "process", "timers", 0, "a", 1),
        ],
        _is(Started, kind="process", node="a"),
    ),
    Broken(
        "a living process that is taken for dead",
        "one-instance",
        "I7",
        _changes(Buried, {}, at=5.5),
        _is(Buried),
    ),
    Broken(
        "an effect from a superseded epoch",
        "one-instance",
        "I7",
        _adds(Effect(8.0, "timers", 0, "a", 1, "t3")),
        _is(Effect, id="t3"),
    ),
    Broken(
        "an offset moved from a superseded epoch",
        "one-instance",
        "I7",
        _changes(Moved, {"after": 4}, epoch=1, node="a"),
        _is(Moved, after=4),
    ),
    Broken(
        "two nodes that move an offset under one epoch",
        "one-instance",
        "I7",
        _changes(Moved, {"after": 4}, node="c"),
        _is(Moved, after=4),
    ),
    Broken(
        "a timer that was applied twice",
        "one-instance",
        "I7",
        _changes(Effect, {"id": "t2"}, id="t1"),
        _is(Effect, node="b"),
    ),
    # I8
    Broken(
        "a snapshot ahead of the journal",
        "durable",
        "I8",
        _changes(State, {"source": "snapshot"}, seq_nr=5),
        _is(State, source="snapshot"),
    ),
    Broken(
        "a snapshot of another state",
        "durable",
        "I8",
        _changes(State, {"source": "snapshot"}, seq_nr=3),
        _is(State, source="snapshot"),
    ),
    Broken(
        "a recovery that leads to another state",
        "durable",
        "I8",
        _changes(State, {"source": "recovery"}, value=THREE),
        _is(State, source="recovery"),
    ),
    # I9
    Broken(
        "a cluster that does not settle",
        "kept-alive",
        "I9",
        _lacks(Settled),
        _is(Healed),
    ),
    Broken(
        "a cluster that settles too late",
        "kept-alive",
        "I9",
        _changes(Settled, {}, at=15.1),
        _is(Healed),
    ),
    Broken(
        "a process that nobody runs any more",
        "kept-alive",
        "I9",
        _changes(Stopped, {"kind": "process"}, at=11.0),
        _is(Settled),
    ),
    Broken(
        "a task that is left over",
        "kept-alive",
        "I9",
        _adds(Leftover(16.0, "b", "task-7")),
        _is(Leftover),
    ),
    Broken(
        "a command refused although nothing went wrong",
        "kept-alive",
        "I9",
        _adds(Sent(13.0, "c9", "z", 1, "k"), Told(13.5, "c9", REFUSED)),
        _is(Told, command="c9"),
    ),
    Broken(
        "an unknown outcome although nothing went wrong",
        "unknown-is-said",
        "I9",
        _adds(Sent(13.0, "c9", "z", 1, "k"), Told(13.5, "c9", UNKNOWN)),
        _is(Told, command="c9"),
    ),
    Broken(
        "a node with too many shards",
        "balanced",
        "I9",
        lambda _: _a_node_joins(range(2)),
        _is(Settled, at=5.0),
    ),
    Broken(
        "a join that moves more shards than it has to",
        "balanced",
        "I9",
        lambda _: _a_node_joins(range(6, 13)),
        _is(Settled, at=5.0),
    ),
)
