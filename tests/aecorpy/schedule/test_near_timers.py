"""The timers in memory: whatever comes in from both sides in whatever order, each is handed out once, in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from aecorpy.schedule.near_timers import NearTimers

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_they_come_in_order_up_to_now() -> None:
    near = NearTimers(10, at(100))
    for key, seconds in (("c", 3), ("a", 1), ("b", 2), ("beyond", 101), ("b", 2)):
        near.noticed(key, at(seconds))
    assert near.next_at() == at(1)
    assert near.take(at(0.999), 9) == []
    assert near.take(at(2), 9) == ["a", "b"]
    assert near.take(at(200), 9) == ["c"]
    assert near.next_at() is None


def test_what_is_under_way_or_done_is_not_handed_out_again() -> None:
    near = NearTimers(10, at(100))
    near.noticed("a", at(1))
    assert near.take(at(1), 9) == ["a"]
    near.noticed("a", at(1))
    near.answered("a", True)
    near.noticed("a", at(1))  # its row is not gone yet
    assert near.take(at(9), 9) == []
    near.over("a")
    near.noticed("a", at(1))  # a row that was read before it went
    assert near.take(at(9), 9) == ["a"]
    near.answered("a", False)
    near.noticed("a", at(1))
    assert near.take(at(9), 9) == ["a"], "nothing is remembered of what is over"


def test_what_could_not_be_told_comes_again_later() -> None:
    near = NearTimers(10, at(100))
    near.noticed("a", at(1))
    near.take(at(1), 9)
    near.again("a", at(3))
    assert near.take(at(2), 9) == []
    assert near.take(at(3), 9) == ["a"]
    near.over("a")
    near.again("a", at(4))
    assert near.take(at(9), 9) == []


def test_one_that_is_cancelled_is_not_handed_out() -> None:
    near = NearTimers(10, at(100))
    near.noticed("a", at(1))
    near.over("a")
    assert near.take(at(9), 9) == []


@given(st.lists(st.integers(0, 99), max_size=80), st.integers(1, 8), st.randoms())
def test_however_many_there_are_all_fire_once_and_few_are_in_memory(dues: list[int], most: int, draws: object) -> None:
    rows = {f"t{number}": at(due) for number, due in enumerate(dues)}
    near, fired, shuffled = NearTimers(most, at(100)), [], list(rows)
    draws.shuffle(shuffled)  # type: ignore[attr-defined]
    for key in shuffled:
        near.noticed(key, rows[key])
        assert len(near) < 2 * most
    while rows:
        taken = near.take(at(100), 3)
        for key in taken:
            fired.append((rows.pop(key), key))
            near.answered(key, True)
            near.over(key)
        if not taken:
            near.extend(at(100))
            read = sorted((due, key) for key, due in rows.items())[:most]
            for due, key in read:
                near.noticed(key, due)
            if len(read) == most:
                near.cut(read[-1][0])
    assert sorted(key for _, key in fired) == sorted(shuffled)
    assert [due for due, _ in fired] == sorted(due for due, _ in fired)
