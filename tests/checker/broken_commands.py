"""Broken histories of commands and the journal, I1 to I5: what is done, what that breaks, which record shows it."""

from __future__ import annotations

from typing import Final

from tests.checker.breaking import Broken, adds, changes, is_a, lacks
from tests.checker.good import FOUR, ONE, THREE, TWO
from tests.checker.records import (
    ANSWERED,
    READ,
    REFUSED,
    UNKNOWN,
    Claimed,
    Event,
    Sent,
    Told,
)

COMMANDS: Final = (
    # I1
    Broken(
        "an older epoch behind a newer one",
        "single-writer",
        "I1",
        changes(Event, {"command": "c4"}, epoch=0),
        is_a(Event, command="c4"),
    ),
    Broken(
        "a commit under an epoch that another has followed",
        "single-writer",
        "I1",
        adds(
            Sent(7.5, "c9", "z", 1, "n"),
            Told(7.9, "c9", UNKNOWN),
            Claimed(7.6, "notes", 1, 5, "a"),
            Event(9.85, "notes", 1, 2, "n", 1, 1, "c9", "b", "append", "c9"),
        ),
        is_a(Event, command="c6"),
    ),
    Broken(
        "two writers under one epoch",
        "single-writer",
        "I1",
        changes(Event, {"seq_nr": 3}, writer="b"),
        is_a(Event, seq_nr=3),
    ),
    Broken(
        "an epoch claimed twice",
        "single-writer",
        "I1",
        adds(Claimed(8.0, "notes", 0, 2, "a")),
        is_a(Claimed, node="a", at=8.0),
    ),
    # I2
    Broken(
        "an answered command that is lost",
        "durable",
        "I2",
        adds(Sent(9.0, "c9", "z", 1, "n"), Told(9.1, "c9", ANSWERED)),
        is_a(Told, command="c9"),
    ),
    Broken(
        "half of an answered command",
        "durable",
        "I2",
        changes(Sent, {"command": "c6"}, events=2),
        is_a(Told, command="c6"),
    ),
    Broken(
        "half of a command whose outcome is unknown",
        "durable",
        "I2",
        changes(Sent, {"command": "c4"}, events=2),
        is_a(Told, command="c4"),
    ),
    Broken(
        "a refused command that happened",
        "unknown-is-said",
        "I2",
        changes(Told, {"command": "c4"}, outcome=REFUSED),
        is_a(Told, command="c4"),
    ),
    Broken(
        "a command of which nobody says anything",
        "unknown-is-said",
        "I2",
        lacks(Told, command="c3"),
        is_a(Sent, command="c3"),
    ),
    Broken(
        "an event of a command that nobody sent",
        "durable",
        "I2",
        changes(Event, {"command": "c6"}, command="c7"),
        is_a(Event, command="c7"),
    ),
    # I3
    Broken(
        "a command that happened twice",
        "durable",
        "I3",
        adds(Event(9.0, "notes", 0, 5, "k", 5, 2, "c4", "b", "append", "c4")),
        is_a(Event, seq_nr=5),
    ),
    Broken(
        "a command that happened once more under the next epoch",
        "durable",
        "I3",
        changes(Event, {"command": "c4"}, command="c1"),
        is_a(Event, seq_nr=4),
    ),
    Broken(
        "a repeated request with another answer",
        "durable",
        "I3",
        adds(Told(9.0, "c1", ANSWERED, TWO)),
        is_a(Told, command="c1", at=9.0),
    ),
    # I4
    Broken(
        "a hole in an entity",
        "in-order",
        "I4",
        changes(Event, {"command": "c4"}, seq_nr=5),
        is_a(Event, command="c4"),
    ),
    Broken(
        "a hole in a shard",
        "in-order",
        "I4",
        changes(Event, {"command": "c4"}, offset=5),
        is_a(Event, command="c4"),
    ),
    Broken(
        "an offset that is there twice",
        "in-order",
        "I4",
        changes(Event, {"seq_nr": 3}, offset=2),
        is_a(Event, seq_nr=3),
    ),
    Broken(
        "one sender's commands in another order",
        "in-order",
        "I4",
        changes(Sent, {"command": "c1"}, number=9),
        is_a(Event, seq_nr=2),
    ),
    # I5
    Broken(
        "a command before one that was answered before it was sent",
        "in-order",
        "I5",
        changes(Sent, {"command": "c1"}, at=2.55),
        is_a(Event, command="c1"),
    ),
    Broken(
        "an answer that does not follow from the events before",
        "unknown-is-said",
        "I5",
        changes(Told, {"command": "c2"}, value=TWO),
        is_a(Told, command="c2"),
    ),
    Broken(
        "a read of a state that was never committed",
        "durable",
        "I5",
        changes(Told, {"command": "r1"}, value="7:beef"),
        is_a(Told, command="r1"),
    ),
    Broken(
        "a stale read under the newest epoch",
        "single-writer",
        "I5",
        changes(Told, {"command": "r2"}, value=ONE),
        is_a(Told, command="r2"),
    ),
    Broken(
        "a read that goes back behind an earlier one",
        "single-writer",
        "I5",
        adds(Sent(12.3, "r3", "y", 3, "k", READ, 0, True), Told(12.4, "r3", ANSWERED, THREE, 1)),
        is_a(Told, command="r3"),
    ),
    Broken(
        "a read of what was sent only later",
        "single-writer",
        "I5",
        changes(Told, {"command": "r1"}, value=FOUR),
        is_a(Told, command="r1"),
    ),
)
