"""Checks what came of bookings, payments and seats: that is not what callers did, but what went on by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from aecorpy import EntityEvent, ImpossibleEvent
from aecorpy.demo.audit import Audit, Events
from aecorpy.demo.booking import Booking, BookingExpired, BookingPaid, BookingState, BookingStatus, Seat
from aecorpy.demo.concert import ConcertAnnounced, ConcertEvent, Hall, SeatsReleased, SeatsReserved
from aecorpy.demo.ending import ENDS
from aecorpy.demo.ledger import Ledger
from aecorpy.demo.payments import SetAsideLine

ConcertEvents = Mapping[str, Sequence[EntityEvent[ConcertEvent]]]


def reckon(
    audit: Audit, ledger: Ledger, events: Events, concerts: ConcertEvents, aside: Sequence[SetAsideLine]
) -> None:
    """Write down in `audit` what came of a run, and what is wrong with it.

    Args:
        audit: where.
        ledger: what callers were told, and wrote into the payments' file.
        events: the run's events of bookings, by booking.
        concerts: the run's events of concerts, by concert.
        aside: the lines of the file that were set aside.
    """
    states = _states(audit, events)
    audit.bookings = len(states)
    audit.ends = Counter(state.status for state in states.values())
    for booking_id, state in states.items():
        if state.status not in ENDS:
            audit.find(f"{booking_id} is {state.status.value}: it has not come to its end")
    _reckon_payments(audit, ledger, events, aside)
    _reckon_expired(audit, ledger, events, aside)
    held = {concert_id: _held(audit, concert_id, found) for concert_id, found in concerts.items()}
    _reckon_seats(audit, states, held)


def _states(audit: Audit, events: Events) -> dict[str, BookingState]:
    states: dict[str, BookingState] = {}
    for booking_id, found in events.items():
        try:
            state: BookingState | None = Booking.fold.run([event.payload for event in found])
        except ImpossibleEvent as error:
            audit.find(f"{booking_id}: {error}")
            continue
        if state is not None:
            states[booking_id] = state
    return states


def _reckon_payments(audit: Audit, ledger: Ledger, events: Events, aside: Sequence[SetAsideLine]) -> None:
    """Each payment counts once, at its booking, or is set aside; each other line is set aside once."""
    counted = Counter(
        (event.payload.payment_id, booking_id)
        for booking_id, found in events.items()
        for event in found
        if isinstance(event.payload, BookingPaid)
    )
    refused = {line.payment_id for line in aside if line.payment_id is not None}
    for payment_id, payment in ledger.payments.items():
        times = counted.pop((payment_id, payment.booking_id), 0)
        audit.payments += times
        audit.refused += payment_id in refused
        if times > 1 or (times and payment_id in refused):
            also = " and is set aside" if payment_id in refused else ""
            audit.find(f"{payment_id!r} counts {times} times{also}", duplicated=max(1, times - 1))
        elif not times and payment_id not in refused:
            audit.find(f"{payment_id!r} was written, and neither counts nor is set aside", lost=1)
    for (payment_id, booking_id), times in counted.items():
        audit.find(f"{payment_id!r} counts for {booking_id}, and nobody wrote it", duplicated=times)
    bad, found = Counter(ledger.bad_lines), Counter(line.text for line in aside if line.payment_id is None)
    if bad != found:
        audit.find(
            f"lines that are no payments: written, but not set aside {[*(bad - found)]}; more: {[*(found - bad)]}"
        )


def _reckon_expired(audit: Audit, ledger: Ledger, events: Events, aside: Sequence[SetAsideLine]) -> None:
    """Nobody's booking expires whose payment was in time: if it was written at all, it was refused."""
    refused = {line.payment_id for line in aside}
    written = {payment.booking_id: payment_id for payment_id, payment in ledger.payments.items()}
    for booking_id, found in events.items():
        if any(isinstance(event.payload, BookingExpired) for event in found):
            payment_id = written.get(booking_id)
            if payment_id is not None and payment_id not in refused:
                audit.find(f"{booking_id} has expired, although {payment_id!r} was not refused")


def _held(audit: Audit, concert_id: str, events: Sequence[EntityEvent[ConcertEvent]]) -> dict[str, set[Seat]]:
    """Who has which seats of a concert in the end, as plainly as can be: not by the entity's own fold."""
    held: dict[str, set[Seat]] = {}
    hall: Hall | None = None
    for event in events:
        match event.payload:
            case ConcertAnnounced():
                hall = event.payload.hall
            case SeatsReserved(booking_id, tickets, _):
                seats = {ticket.seat for ticket in tickets}
                if twice := seats & set().union(*held.values()):
                    audit.find(f"{concert_id}: {booking_id} got seats that another has: {twice}", duplicated=1)
                if hall is None or not all(hall.has(seat) for seat in seats):
                    audit.find(f"{concert_id}: {booking_id} got seats that there are not: {seats}")
                held[booking_id] = seats
            case SeatsReleased(booking_id):
                held.pop(booking_id, None)
    if hall is not None and (taken := sum(len(seats) for seats in held.values())) > hall.seats:
        audit.find(f"{concert_id}: {taken} seats are reserved of {hall.seats}")
    return held


def _reckon_seats(
    audit: Audit, states: Mapping[str, BookingState], held: Mapping[str, Mapping[str, set[Seat]]]
) -> None:
    """The seats of each concert are those of its bookings that live."""
    living: dict[str, dict[str, set[Seat]]] = {concert_id: {} for concert_id in held}
    for booking_id, state in states.items():
        if state.status in (BookingStatus.CONFIRMED, BookingStatus.SETTLED):
            living.setdefault(state.concert_id, {})[booking_id] = set(state.seats)
    for concert_id, bookings in living.items():
        has = held.get(concert_id, {})
        for booking_id in sorted({*bookings, *has}):
            wanted, there = bookings.get(booking_id, set()), has.get(booking_id, set())
            if wanted != there:
                audit.find(
                    f"{concert_id}: {booking_id} should have {len(wanted)} seats, and has {len(there)}",
                    lost=max(0, len(wanted) - len(there)),
                    duplicated=max(0, len(there) - len(wanted)),
                )
        audit.seats += sum(len(seats) for seats in has.values())
