"""Compares what callers were told with what the journal holds and what the view shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from aecorpy import EntityEvent, ImpossibleEvent
from aecorpy.demo.booking import (
    Booking,
    BookingConfirmed,
    BookingDenied,
    BookingEvent,
    BookingExpired,
    BookingPaid,
    BookingRow,
    BookingsByClient,
    BookingSettled,
    BookingState,
    BookingStatus,
)
from aecorpy.demo.expiry import command_of as expiry_command
from aecorpy.demo.ledger import Answer, Ledger, Told
from aecorpy.demo.payments import command_of as payment_command
from aecorpy.demo.processes import CONFIRMATION
from journal.contract import Database
from journal.events import EventJournal
from journal.tagging import EventTag

E = TypeVar("E")


@dataclass(slots=True)
class Audit:
    """What came of a run, in events.

    Args:
        acked: events that callers were told are committed.
        in_journal: events of callers in the journal, without those of commands whose outcome they do not know.
        in_view: events that the view's rows of the run have taken in, again without those, and without reactions.
        reactions: events of confirmation, payments and expiry in the journal.
        lost: missing in the journal, or in the view although in the journal.
        duplicated: in the journal more often than told (events of commands that were refused included), or in the view
            more often than in the journal.
        unknown: commands whose outcome callers were not told. What one found by looking must be so.
        unknown_done: of those, how many are in the journal after all.
        bookings: how many were placed.
        ends: how they ended.
        seats: how many are reserved.
        payments, refused: how many payments count, and how many were set aside.
        findings: what is wrong, as text.
    """

    acked: int = 0
    in_journal: int = 0
    in_view: int = 0
    reactions: int = 0
    lost: int = 0
    duplicated: int = 0
    unknown: int = 0
    unknown_done: int = 0
    bookings: int = 0
    ends: Counter[BookingStatus] = field(default_factory=Counter)
    seats: int = 0
    payments: int = 0
    refused: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether all agree."""
        return not self.findings and self.acked == self.in_journal == self.in_view

    def find(self, what: str, *, lost: int = 0, duplicated: int = 0) -> None:
        """Write down what is wrong."""
        self.findings.append(what)
        self.lost += lost
        self.duplicated += duplicated


Events = Mapping[str, Sequence[EntityEvent[BookingEvent]]]


async def events_since(
    journal: EventJournal[E], before: Mapping[int, int], run: str
) -> dict[str, list[EntityEvent[E]]]:
    """The events of a run's bookings or concerts, by their ids.

    Args:
        journal: where they are.
        before: the offset of each shard when the run began.
        run: what the ids begin with.
    """
    found: dict[str, list[EntityEvent[E]]] = {}
    for shard, offset in before.items():
        async for event in journal.current_events(EventTag(journal.name, shard), offset):
            if event.entity_key.startswith(run):
                found.setdefault(event.entity_key, []).append(event)
    return found


def audited(ledger: Ledger, events: Events, rows: Mapping[str, BookingRow]) -> Audit:
    """Compare a run's ledger with its events and rows.

    Args:
        ledger: what callers were told.
        events: the run's events in the journal, by booking.
        rows: the run's rows in the view, by booking.
    """
    audit = Audit(acked=sum(1 for _ in ledger.acknowledged_events()))
    told = ledger.by_booking()
    for booking_id in sorted({*told, *events, *rows}):
        found = events.get(booking_id, ())
        others = _audit_journal(audit, booking_id, told.get(booking_id, ()), found)
        _audit_view(audit, booking_id, found, others, rows.get(booking_id))
    return audit


def _audit_journal(
    audit: Audit, booking_id: str, told: Sequence[Told], found: Sequence[EntityEvent[BookingEvent]]
) -> int:
    """Compare one booking's answers with its events.

    Returns:
        how many of these are reactions, or belong to unknown outcomes.
    """
    reactions = _audit_reactions(audit, booking_id, found)
    unsure = 0
    by_command: dict[str | None, list[BookingEvent]] = {}
    for event in found:
        if event.seq_nr not in reactions:
            by_command.setdefault(event.metadata.command_id, []).append(event.payload)
    for one in told:
        there = by_command.pop(one.command_id, [])
        expected = one.events if one.answer is Answer.ACKNOWLEDGED else ()
        if one.answer is Answer.UNKNOWN:
            audit.unknown += 1
            audit.unknown_done += bool(there)
            expected = one.events if (bool(there) if one.found is None else one.found) else ()
            unsure += len(there)
        _compare(audit, f"{one.command_id} ({_told(one)})", expected, there)
    for command_id, there in by_command.items():
        _compare(audit, f"{booking_id}, which nobody sent as {command_id!r}", (), there)
    if [event.seq_nr for event in found] != [*range(1, len(found) + 1)]:
        audit.find(f"{booking_id}: its sequence numbers are {[event.seq_nr for event in found]}")
    others = unsure + len(reactions)
    audit.in_journal += len(found) - others
    return others


def _audit_reactions(audit: Audit, booking_id: str, found: Sequence[EntityEvent[BookingEvent]]) -> set[int]:
    """The sequence numbers of those events that confirmation, payments and expiry led to, each once."""
    reactions = {event.seq_nr: led for event in found if (led := _led_by(booking_id, event)) is not None}
    audit.reactions += len(reactions)
    times = Counter((led, type(event.payload)) for event in found if (led := reactions.get(event.seq_nr)))
    for (led, kind), more in times.items():
        if more > 1:
            audit.find(f"{booking_id}: {led} led to {more} × {kind.__name__}", duplicated=more - 1)
    return set(reactions)


def _led_by(booking_id: str, event: EntityEvent[BookingEvent]) -> object | None:
    """What led to an event, if that may lead to such an event; None if a caller must have."""
    metadata = event.metadata
    cause, command_id = metadata.cause, metadata.command_id or ""
    match event.payload:
        case BookingConfirmed() | BookingDenied() if cause is not None and cause.consumer == CONFIRMATION:
            return cause
        case BookingSettled() if cause is not None and cause.consumer == CONFIRMATION:
            return cause
        case BookingPaid(payment_id) if command_id == payment_command(payment_id):
            return command_id
        case BookingSettled() if command_id.startswith(payment_command("")):
            return command_id
        case BookingExpired() if command_id == expiry_command(booking_id):
            return command_id
        case _:
            return None


def _told(one: Told) -> str:
    return (
        one.answer.value if one.found is None else f"{one.answer.value}, then found {'done' if one.found else 'undone'}"
    )


def _compare(audit: Audit, what: str, expected: Sequence[BookingEvent], there: Sequence[BookingEvent]) -> None:
    lost, more = Counter(expected) - Counter(there), Counter(there) - Counter(expected)
    if lost:
        audit.find(f"{what}: not in the journal: {list(lost.elements())}", lost=lost.total())
    if more:
        audit.find(f"{what}: in the journal nevertheless: {list(more.elements())}", duplicated=more.total())


def _audit_view(
    audit: Audit, booking_id: str, found: Sequence[EntityEvent[BookingEvent]], others: int, row: BookingRow | None
) -> None:
    """Compare one booking's row with the fold of its events."""
    taken_in = 0 if row is None else row.events
    audit.in_view += taken_in - others
    if taken_in != len(found):
        difference = len(found) - taken_in
        what = f"{booking_id}: the view has taken in {taken_in} events, the journal has {len(found)}"
        audit.find(what, lost=max(0, difference), duplicated=max(0, -difference))
    elif row is not None:
        _audit_row(audit, row, [event.payload for event in found])


def _audit_row(audit: Audit, row: BookingRow, events: Sequence[BookingEvent]) -> None:
    """Compare a row that has taken in as many events as there are with their fold."""
    try:
        expected = _row(row.booking_id, events)
    except ImpossibleEvent as error:
        audit.find(f"{row.booking_id}: {error}")
        return
    if row != expected:
        audit.find(f"{row.booking_id}: the view has {row}, its events lead to {expected}", lost=1)


def _row(booking_id: str, events: Sequence[BookingEvent]) -> BookingRow:
    state: BookingState | None = Booking.fold.run(events)
    assert state is not None, "there are events"
    return BookingRow(
        booking_id,
        state.client_id,
        state.concert_id,
        len(state.seats),
        state.status.value,
        sum((ticket.price for ticket in state.tickets), Decimal(0)) if state.tickets else None,
        state.expires_at if state.status is BookingStatus.CONFIRMED else None,
        state.payment_id,
        len(events),
    )


async def rows_of(database: Database, clients: Sequence[str]) -> dict[str, BookingRow]:
    """The view's rows of `clients`, by booking."""
    rows: dict[str, BookingRow] = {}
    for client_id in clients:
        async for row in BookingsByClient.table.rows(database, client_id=client_id):
            rows[row.booking_id] = row
    return rows
