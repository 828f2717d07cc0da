"""The bookings of each client, as a table to query."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from aecorpy import EntityEvent, Table, TableView
from aecorpy.demo.booking.entity import Booking
from aecorpy.demo.booking.events import (
    BookingCancelled,
    BookingConfirmed,
    BookingDenied,
    BookingEvent,
    BookingExpired,
    BookingPaid,
    BookingPlaced,
    BookingSettled,
)
from aecorpy.demo.booking.state import BookingStatus


@dataclass(frozen=True, slots=True)
class BookingRow:
    """One booking.

    Args:
        seats: how many.
        total: what they cost; None before the confirmation.
        expires_at: until when it is to be paid; None when it is not, or not any more.
        events: how many events this row has taken in.
    """

    booking_id: str
    client_id: str
    concert_id: str
    seats: int
    status: str = BookingStatus.AWAITING_CONFIRMATION.value
    total: Decimal | None = None
    expires_at: datetime | None = None
    payment_id: str | None = None
    events: int = 1

    def after(self, event: BookingEvent) -> BookingRow:
        """The row after one more event."""
        row = self._with(event)
        pays = row.status == BookingStatus.CONFIRMED.value
        return replace(row, expires_at=row.expires_at if pays else None, events=self.events + 1)

    def _with(self, event: BookingEvent) -> BookingRow:
        match event:
            case BookingConfirmed(tickets, expires_at):
                total = sum((ticket.price for ticket in tickets), Decimal(0))
                return replace(self, status=BookingStatus.CONFIRMED.value, total=total, expires_at=expires_at)
            case BookingDenied():
                return replace(self, status=BookingStatus.DENIED.value)
            case BookingCancelled():
                return replace(self, status=BookingStatus.CANCELLED.value)
            case BookingExpired():
                return replace(self, status=BookingStatus.EXPIRED.value)
            case BookingPaid(payment_id):
                return replace(self, payment_id=payment_id)
            case BookingSettled():
                return replace(self, status=BookingStatus.SETTLED.value)
            case BookingPlaced():
                raise ValueError(f"booking {self.booking_id!r} was placed twice")


class BookingsByClient(TableView[BookingRow, BookingEvent]):
    """A row per booking: `BookingsByClient.table.rows(database, client_id="c-1")` gives one client's.

    By `expires_at` those are found whose time is over.
    """

    entity = Booking
    table = Table(BookingRow, "bookings_by_client", indexes=("client_id", "expires_at"))

    def apply(self, row: BookingRow | None, event: EntityEvent[BookingEvent]) -> BookingRow:
        """The row of the event's booking after it."""
        payload = event.payload
        if row is not None:
            return row.after(payload)
        if isinstance(payload, BookingPlaced):
            return BookingRow(event.entity_key, payload.client_id, payload.concert_id, len(payload.seats))
        raise ValueError(f"booking {event.entity_key!r} has {payload!r} before it was placed")
