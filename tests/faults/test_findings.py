"""What is found beside what the checker finds."""

from __future__ import annotations

import pytest

from tests.checker.records import (
    ANSWERED,
    REFUSED,
    REJECTED,
    UNKNOWN,
    Crashed,
    Effect,
    Paused,
    Record,
    Resumed,
    Started,
    Stopped,
    Told,
)
from tests.faults.ending import gaps
from tests.faults.findings import WAKING, overlaps, surprises


def started(at: float, node: str, epoch: int, name: str = "bells") -> Started:
    return Started(at, "process", name, 0, node, epoch)


def stopped(at: float, node: str, epoch: int) -> Stopped:
    return Stopped(at, "process", "bells", 0, node, epoch)


OVERLAP: list[Record] = [started(1.0, "a.1", 1), started(5.0, "b.1", 2), stopped(6.0, "a.1", 1)]


def test_two_at_a_time_are_found() -> None:
    (found,) = overlaps(OVERLAP, "bells")
    assert "a.1" in found
    assert "b.1" in found


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([started(1.0, "a.1", 1), stopped(4.0, "a.1", 1), started(5.0, "b.1", 2)], id="in turn"),
        pytest.param([started(1.0, "a.1", 1), Crashed(4.0, "a.1"), started(5.0, "b.1", 2)], id="the first is dead"),
        pytest.param([*OVERLAP, Paused(2.0, "a.1"), Resumed(5.9, "a.1")], id="the first was frozen"),
        pytest.param(
            [*OVERLAP, Paused(2.0, "a.1"), Resumed(5.1, "a.1"), Paused(5.2, "a.1"), Resumed(5.9, "a.1")],
            id="the first was frozen, and again at once",
        ),
        pytest.param([started(1.0, "a.1", 1, "chimes"), started(5.0, "b.1", 2, "chimes")], id="they need not wait"),
    ],
)
def test_what_is_as_it_should_be_is_not_found(records: list[Record]) -> None:
    assert list(overlaps(records, "bells")) == []


@pytest.mark.parametrize(
    "sleep",
    [
        pytest.param([Paused(5.5, "a.1"), Resumed(5.9, "a.1")], id="frozen too late"),
        pytest.param([Paused(2.0, "a.1"), Resumed(5.9 - WAKING, "a.1")], id="awake for long"),
        pytest.param([Paused(2.0, "b.1"), Resumed(5.9, "b.1")], id="another one"),
    ],
)
def test_a_pause_excuses_only_who_was_frozen_when_the_other_began(sleep: list[Record]) -> None:
    assert len(list(overlaps([*OVERLAP, *sleep], "bells"))) == 1


def test_errors_that_nobody_should_be_told_are_found_once_each() -> None:
    told = [
        Told(1.0, "c1", REFUSED, why="Unavailable: no"),
        Told(1.0, "c2", REFUSED, why="CommandFailed: KeyError"),
        Told(1.0, "c3", UNKNOWN, why="TypeError: oh"),
        Told(1.0, "c4", UNKNOWN, why="DeadlinePassed: late"),
        Told(1.0, "c5", REFUSED, why="CommandFailed: KeyError"),
        Told(1.0, "c6", REJECTED, why="TooManySeats"),
        Told(1.0, "c7", ANSWERED),
    ]
    found = surprises(told)
    assert [one.partition(", such")[0] for one in found] == [
        "2 callers were told CommandFailed",
        "1 callers were told TypeError",
    ]


def test_a_missing_stroke_is_found() -> None:
    strokes = [Effect(1.0, "bells", 0, "a.1", 1, f"0 {stroke}") for stroke in (1, 2, 4)]
    assert gaps(strokes) == ["exactly once: bells 0: stroke 3 is missing"]
    assert gaps(strokes[:2]) == []
