"""All checks, and which promises and invariants each of them is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from tests.checker.answers import answers, calm
from tests.checker.balance import balance
from tests.checker.healing import healing
from tests.checker.history import WAKING_SECONDS, History, Violation
from tests.checker.instances import instances
from tests.checker.linear import linear
from tests.checker.once import once
from tests.checker.order import order
from tests.checker.records import Record
from tests.checker.single_writer import single_writer
from tests.checker.states import states
from tests.checker.views import views


class Check(NamedTuple):
    """One of them: it finds what breaks `promises`, as far as the invariant `number` goes."""

    number: str
    promises: tuple[str, ...]
    find: Callable[[History], Iterator[Violation]]


CHECKS: Final = (
    Check("I1", ("single-writer",), single_writer),
    Check("I2", ("durable", "unknown-is-said"), answers),
    Check("I3", ("durable",), once),
    Check("I4", ("in-order",), order),
    Check("I5", ("durable", "in-order", "single-writer", "unknown-is-said"), linear),
    Check("I6", ("exactly-once view", "in-order"), views),
    Check("I7", ("one-instance", "single-writer"), instances),
    Check("I8", ("durable",), states),
    Check("I9", ("kept-alive",), healing),
    Check("I9", ("kept-alive", "unknown-is-said"), calm),
    Check("I9", ("balanced",), balance),
)


def check(records: Iterable[Record], *, waking: float = WAKING_SECONDS) -> list[Violation]:
    """What a history breaks, the earliest first; `waking` as for `History`."""
    history = History(records, waking)
    found = [violation for one in CHECKS for violation in one.find(history)]
    return sorted(found, key=lambda violation: violation.record.at)
