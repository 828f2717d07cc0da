"""Good histories pass, however they were drawn; and the check of one entity agrees with trying all orders."""

from __future__ import annotations

import itertools
import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checker import check
from tests.checker.history import History
from tests.checker.linear import linear
from tests.checker.models import ADD, after
from tests.checker.records import ANSWERED, READ, UNKNOWN, Event, Record, Sent, Told, Value
from tests.checker.runs import Run


@given(st.randoms(use_true_random=False), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_runs_that_keep_all_promises_pass(draws: random.Random, commands: int) -> None:
    assert check(Run(draws, commands).play()) == []


def test_a_hundred_thousand_commands_are_checked_in_seconds() -> None:
    records = Run(random.Random(1), 100_000, keys=300, moving=0.0005).play()
    began = time.process_time()
    assert check(records) == []
    assert time.process_time() - began < 5


# --- one entity, against trying all orders

Interval = tuple[float, float]


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """A counter with a few updates and reads, whose times and values are anything."""
    times = st.integers(0, 8).map(float)
    count = draw(st.integers(0, 3))
    records: list[Record] = []
    total = 0
    for place in range(count):
        begin, length = draw(times), draw(st.integers(1, 4))
        arg = draw(st.integers(0, 2))
        total += arg
        records.append(Sent(begin, f"u{place}", f"u{place}", 1, "k", ADD))
        value = draw(st.sampled_from([None, total, 0]))
        outcome = draw(st.sampled_from([ANSWERED, ANSWERED, UNKNOWN]))
        records.append(Told(begin + length, f"u{place}", outcome, value if outcome == ANSWERED else None))
        records.append(Event(begin, "notes", 0, place + 1, "k", place + 1, 1, f"u{place}", "", ADD, arg))
    for place in range(draw(st.integers(0, 3))):
        begin, length = draw(times), draw(st.integers(1, 4))
        value = draw(st.sampled_from([None, 0, 1, 2, 3]))
        records.append(Sent(begin, f"r{place}", f"r{place}", 1, "k", READ, 0))
        records.append(Told(begin + length, f"r{place}", ANSWERED, value))
    return records


def _by_trying(records: list[Record]) -> bool:
    """Whether some order of all operations explains all answers, with updates in the journal's order."""
    history = History(records)
    updates = [event.command for event in history.by_key.get("k", [])]
    reads = [command for command in history.sent if command not in updates]
    told = {command: history.told[command][0] for command in history.sent}
    ends = {one: float("inf") if told[one].outcome == UNKNOWN else told[one].at for one in told}
    for order in itertools.permutations([*updates, *reads]):
        if [one for one in order if one in updates] != updates:
            continue
        pairs = itertools.combinations(order, 2)
        if any(ends[later] < history.sent[earlier].at for earlier, later in pairs):
            continue
        if _explains(history, order, told):
            return True
    return False


def _explains(history: History, order: tuple[str, ...], told: dict[str, Told]) -> bool:
    value: Value = None
    for command in order:
        for event in history.by_command.get(command, ()):
            value = after(value, event.op, event.arg)
        read = history.sent[command].op == READ
        says = told[command].outcome == ANSWERED and (read or told[command].value is not None)
        if says and told[command].value != value:
            return False
    return True


@given(histories())
@settings(max_examples=300, deadline=None)
def test_the_check_of_one_entity_agrees_with_trying_all_orders(records: list[Record]) -> None:
    assert (not list(linear(History(records)))) == _by_trying(records)
