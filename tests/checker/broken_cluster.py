"""Broken histories of views, instances and the cluster, I6 to I9: what is done, what that breaks, what shows it."""

from __future__ import annotations

from typing import Final

from tests.checker.breaking import Broken, History, adds, changes, is_a, lacks
from tests.checker.good import THREE, changed, the, without
from tests.checker.records import (
    REFUSED,
    UNKNOWN,
    Buried,
    Crashed,
    Effect,
    Event,
    Healed,
    Leased,
    Leftover,
    Moved,
    Paused,
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


CLUSTER: Final = (
    # I6
    Broken(
        "an event that a view took in twice",
        "exactly-once view",
        "I6",
        changes(Row, {"key": "m"}, count=2),
        is_a(Row, key="m"),
    ),
    Broken(
        "a row that its events do not lead to",
        "exactly-once view",
        "I6",
        changes(Row, {"key": "k"}, value=THREE),
        is_a(Row, key="k"),
    ),
    Broken(
        "an event that a view skipped",
        "in-order",
        "I6",
        changes(Row, {"key": "k"}, count=3, value=THREE),
        is_a(Row, key="k"),
    ),
    Broken(
        "an entity that a view knows nothing of",
        "in-order",
        "I6",
        lacks(Row, key="m"),
        is_a(Event, key="m"),
    ),
    Broken(
        "an offset that is moved from where it was not",
        "exactly-once view",
        "I6",
        changes(Moved, {"after": 4}, before=2),
        is_a(Moved, after=4),
    ),
    Broken(
        "a sink that is shown an event too early",
        "in-order",
        "I6",
        lacks(Shown, offset=2),
        is_a(Shown, offset=3),
    ),
    Broken(
        "a sink that is shown what the journal has not",
        "exactly-once view",
        "I6",
        changes(Shown, {"offset": 4}, seq_nr=7),
        is_a(Shown, offset=4),
    ),
    Broken(
        "a sink that is never shown the last event",
        "in-order",
        "I6",
        lacks(Shown, offset=4),
        is_a(Event, seq_nr=4),
    ),
    # I7
    Broken(
        "two owners of a shard under one epoch",
        "single-writer",
        "I7",
        changes(Started, {"kind": "shard", "node": "b", "epoch": 2}, epoch=1),
        is_a(Started, kind="shard", number=0, node="b"),
    ),
    Broken(
        "two instances of a process under one epoch",
        "one-instance",
        "I7",
        adds(Started(7.5, "process", "timers", 0, "c", 2)),
        is_a(Started, node="c"),
    ),
    Broken(
        "a process that runs on without a lease",
        "one-instance",
        "I7",
        lambda history: without(history, the(history, Crashed), the(history, Buried)),
        is_a(Started, kind="shard", node="a"),
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
        is_a(Started, kind="process", node="a"),
    ),
    Broken(
        "a living process that is taken for dead",
        "one-instance",
        "I7",
        changes(Buried, {}, at=5.5),
        is_a(Buried),
    ),
    Broken(
        "an effect from a superseded epoch",
        "one-instance",
        "I7",
        adds(Effect(8.0, "timers", 0, "a", 1, "t3")),
        is_a(Effect, id="t3"),
    ),
    Broken(
        "an offset moved from a superseded epoch",
        "one-instance",
        "I7",
        changes(Moved, {"after": 4}, epoch=1, node="a"),
        is_a(Moved, after=4),
    ),
    Broken(
        "two nodes that move an offset under one epoch",
        "one-instance",
        "I7",
        changes(Moved, {"after": 4}, node="c"),
        is_a(Moved, after=4),
    ),
    Broken(
        "a timer that was applied twice",
        "one-instance",
        "I7",
        changes(Effect, {"id": "t2"}, id="t1"),
        is_a(Effect, node="b"),
    ),
    # I8
    Broken(
        "a snapshot ahead of the journal",
        "durable",
        "I8",
        changes(State, {"source": "snapshot"}, seq_nr=5),
        is_a(State, source="snapshot"),
    ),
    Broken(
        "a snapshot of another state",
        "durable",
        "I8",
        changes(State, {"source": "snapshot"}, seq_nr=3),
        is_a(State, source="snapshot"),
    ),
    Broken(
        "a recovery that leads to another state",
        "durable",
        "I8",
        changes(State, {"source": "recovery"}, value=THREE),
        is_a(State, source="recovery"),
    ),
    # I9
    Broken(
        "a cluster that does not settle",
        "kept-alive",
        "I9",
        lacks(Settled),
        is_a(Healed),
    ),
    Broken(
        "a cluster that settles too late",
        "kept-alive",
        "I9",
        changes(Settled, {}, at=15.1),
        is_a(Healed),
    ),
    Broken(
        "a process that nobody runs any more",
        "kept-alive",
        "I9",
        changes(Stopped, {"kind": "process"}, at=11.0),
        is_a(Settled),
    ),
    Broken(
        "a task that is left over",
        "kept-alive",
        "I9",
        adds(Leftover(16.0, "b", "task-7")),
        is_a(Leftover),
    ),
    Broken(
        "a command refused although nothing went wrong",
        "kept-alive",
        "I9",
        adds(Sent(13.0, "c9", "z", 1, "k"), Told(13.5, "c9", REFUSED)),
        is_a(Told, command="c9"),
    ),
    Broken(
        "an unknown outcome although nothing went wrong",
        "unknown-is-said",
        "I9",
        adds(Sent(13.0, "c9", "z", 1, "k"), Told(13.5, "c9", UNKNOWN)),
        is_a(Told, command="c9"),
    ),
    Broken(
        "a node with too many shards",
        "balanced",
        "I9",
        lambda _: _a_node_joins(range(2)),
        is_a(Settled, at=5.0),
    ),
    Broken(
        "a join that moves more shards than it has to",
        "balanced",
        "I9",
        lambda _: _a_node_joins(range(6, 13)),
        is_a(Settled, at=5.0),
    ),
)
