"""The audit finds what the demo says never happens. A check that no fault can make fail proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aecorpy import Cause, EntityEvent, Metadata
from aecorpy.demo.audit import Audit, audited
from aecorpy.demo.booking import (
    BookingCancelled,
    BookingConfirmed,
    BookingEvent,
    BookingExpired,
    BookingPaid,
    BookingPlaced,
    BookingRow,
    BookingsByClient,
    BookingSettled,
    Seat,
    Ticket,
)
from aecorpy.demo.ledger import Answer, Ledger, Told
from aecorpy.demo.processes import CONFIRMATION

PLACED = BookingPlaced("c-1", "x-1", (Seat("A", 1),))
CONFIRMED = BookingConfirmed((Ticket(Seat("A", 1), Decimal(0)),))
COMMANDS: tuple[tuple[BookingEvent, ...], ...] = ((PLACED,), (CONFIRMED, BookingSettled()))
Stored = EntityEvent[BookingEvent]


class Run:
    """A booking that was placed and confirmed, as ledger, journal and view say; tests change one of them."""

    def __init__(self) -> None:
        ids = [f"r-1/{number}" for number in (1, 2)]
        told = [Told(*one, Answer.ACKNOWLEDGED) for one in zip(ids, ["r-1"] * 2, COMMANDS, strict=True)]
        self.ledger = Ledger("r", {one.command_id: one for one in told})
        sent = [(event, one.command_id) for one in told for event in one.events]
        self.events = [_stored(event, seq_nr, sent_as) for seq_nr, (event, sent_as) in enumerate(sent, 1)]
        self.rows = {"r-1": _row(self.events)}

    def answered(self, command_id: str, answer: Answer) -> None:
        self.ledger.told[command_id] = replace(self.ledger.told[command_id], answer=answer)

    def audit(self) -> Audit:
        return audited(self.ledger, {"r-1": self.events} if self.events else {}, self.rows)


def _stored(event: BookingEvent, seq_nr: int, command_id: str) -> Stored:
    raw = Metadata(command_id).encode()
    return EntityEvent("r-1", seq_nr, event, 0, seq_nr, datetime(2026, 1, 1, tzinfo=UTC), raw)


def _row(events: Sequence[Stored]) -> BookingRow:
    view, row = BookingsByClient(), None
    for event in events:
        row = view.apply(row, event)
    assert row is not None
    return row


def test_a_clean_run() -> None:
    audit = Run().audit()
    assert audit.is_clean
    assert (audit.acked, audit.in_journal, audit.in_view, audit.lost, audit.duplicated) == (3, 3, 3, 0, 0)


@pytest.mark.parametrize("found", [True, False])
@pytest.mark.parametrize("done", [True, False])
def test_what_a_caller_found_by_looking_must_be_so(found: bool, done: bool) -> None:
    run = Run()
    run.ledger.told["r-1/2"] = replace(run.ledger.told["r-1/2"], answer=Answer.UNKNOWN, found=found)
    if not done:
        run.events = run.events[:1]
        run.rows = {"r-1": _row(run.events)}
    audit = run.audit()
    assert audit.is_clean is (found is done)
    assert (audit.lost > 0, audit.duplicated > 0) == (found and not done, done and not found)
    assert (audit.unknown, audit.unknown_done) == (1, int(done))


def _lose_last_in_journal_and_view(run: Run) -> None:
    run.events.pop()
    run.rows["r-1"] = _row(run.events)


def _lose_everything(run: Run) -> None:
    run.events, run.rows = [], {}


def _lose_row(run: Run) -> None:
    run.rows = {}


def _view_misses_one(run: Run) -> None:
    run.rows["r-1"] = _row(run.events[:-1])


def _view_has_wrong_status(run: Run) -> None:
    run.rows["r-1"] = replace(run.rows["r-1"], status="cancelled")


def _double_in_journal_and_view(run: Run) -> None:
    run.events.append(_stored(BookingSettled(), 4, "r-1/2"))
    run.rows["r-1"] = replace(run.rows["r-1"], events=4)


def _view_counts_twice(run: Run) -> None:
    run.rows["r-1"] = replace(run.rows["r-1"], events=4)


def _refused_but_there(run: Run) -> None:
    run.answered("r-1/2", Answer.NO)


def _nobody_sent_it(run: Run) -> None:
    del run.ledger.told["r-1/2"]


@pytest.mark.parametrize(
    ("fault", "lost", "duplicated"),
    [
        (_lose_last_in_journal_and_view, 1, 0),
        (_lose_everything, 3, 0),
        (_lose_row, 3, 0),
        (_view_misses_one, 1, 0),
        (_view_has_wrong_status, 1, 0),
        (_double_in_journal_and_view, 0, 1),
        (_view_counts_twice, 0, 1),
        (_refused_but_there, 0, 2),
        (_nobody_sent_it, 0, 2),
    ],
)
def test_faults_are_found(fault: Callable[[Run], None], lost: int, duplicated: int) -> None:
    run = Run()
    fault(run)
    audit = run.audit()
    assert not audit.is_clean
    assert (audit.lost, audit.duplicated) == (lost, duplicated), audit.findings


def test_a_gap_in_the_sequence_numbers_is_found() -> None:
    run = Run()
    run.events = [replace(event, seq_nr=event.seq_nr + 1) for event in run.events]
    assert "sequence numbers are [2, 3, 4]" in str(run.audit().findings)


@pytest.mark.parametrize("done", [True, False])
def test_an_unknown_outcome_may_be_there_or_not(done: bool) -> None:
    run = Run()
    run.answered("r-1/2", Answer.UNKNOWN)
    if not done:
        run.events = run.events[:1]
        run.rows["r-1"] = _row(run.events)
    audit = run.audit()
    assert audit.is_clean, audit.findings
    assert (audit.acked, audit.in_journal, audit.in_view) == (1, 1, 1)
    assert (audit.unknown, audit.unknown_done) == (1, done)


def test_an_unknown_outcome_is_not_there_by_half_nor_twice() -> None:
    run = Run()
    run.answered("r-1/2", Answer.UNKNOWN)
    _lose_last_in_journal_and_view(run)
    assert run.audit().lost == 1
    run = Run()
    run.answered("r-1/2", Answer.UNKNOWN)
    _double_in_journal_and_view(run)
    assert run.audit().duplicated == 1


# --- what went on by itself

SOLD = BookingConfirmed((Ticket(Seat("A", 1), Decimal(9)),))
CAUSE = Cause(CONFIRMATION, "booking-1", 7, 1)
EXPIRE, PAY = "expiry/r-1", "payment/p-1"


class Reacted(Run):
    """A booking that was placed, and what followed by itself: `led` has each event with what led to it."""

    def __init__(self, *led: tuple[BookingEvent, Cause | str]) -> None:
        super().__init__()
        del self.ledger.told["r-1/2"]
        self.events = self.events[:1]
        for event, by in led:
            raw = Metadata(cause=by) if isinstance(by, Cause) else Metadata(by)
            stored = _stored(event, len(self.events) + 1, "")
            self.events.append(replace(stored, raw_metadata=raw.encode()))
        self.rows = {"r-1": _row(self.events)}


@pytest.mark.parametrize(
    "led",
    [
        [(CONFIRMED, CAUSE), (BookingSettled(), CAUSE)],
        [(SOLD, CAUSE), (BookingPaid("p-1"), PAY), (BookingSettled(), PAY)],
        [(SOLD, CAUSE), (BookingExpired(), EXPIRE)],
    ],
)
def test_reactions_are_counted_by_themselves(led: list[tuple[BookingEvent, Cause | str]]) -> None:
    audit = Reacted(*led).audit()
    assert audit.is_clean, audit.findings
    assert (audit.acked, audit.in_journal, audit.in_view, audit.reactions) == (1, 1, 1, len(led))


@pytest.mark.parametrize(
    ("led", "duplicated"),
    [
        ([(SOLD, CAUSE), (SOLD, CAUSE)], 1),
        ([(SOLD, CAUSE), (BookingPaid("p-1"), PAY), (BookingPaid("p-1"), PAY)], 1),
        ([(SOLD, CAUSE._replace(consumer="Other"))], 1),
        ([(SOLD, CAUSE), (BookingPaid("p-2"), PAY)], 1),
        ([(SOLD, CAUSE), (BookingExpired(), "expiry/r-2")], 1),
        ([(BookingCancelled("ill"), CAUSE)], 1),
    ],
)
def test_what_no_reaction_may_do_is_found(led: list[tuple[BookingEvent, Cause | str]], duplicated: int) -> None:
    run = Reacted(*led[:1])
    for event, by in led[1:]:
        raw = Metadata(cause=by) if isinstance(by, Cause) else Metadata(by)
        run.events.append(replace(_stored(event, len(run.events) + 1, ""), raw_metadata=raw.encode()))
    audit = run.audit()
    assert not audit.is_clean
    assert audit.duplicated == duplicated, audit.findings
