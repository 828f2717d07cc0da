"""What a booking remembers, as a fold of its events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum

from aecorpy import Folded, Impossible, Next, snapshot
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
from aecorpy.demo.booking.seats import Seat, Ticket


class BookingStatus(Enum):
    """Where a booking is in its life."""

    AWAITING_CONFIRMATION = "awaiting confirmation"
    CONFIRMED = "confirmed"
    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SETTLED = "settled"


@snapshot("BookingState")
@dataclass(frozen=True, slots=True)
class BookingState:
    """A booking that exists."""

    client_id: str
    concert_id: str
    seats: tuple[Seat, ...]
    status: BookingStatus = BookingStatus.AWAITING_CONFIRMATION
    tickets: tuple[Ticket, ...] = ()
    expires_at: datetime | None = None
    payment_id: str | None = None

    @property
    def total(self) -> Decimal:
        """What the tickets cost together."""
        return sum((ticket.price for ticket in self.tickets), Decimal(0))

    @property
    def is_covered(self) -> bool:
        """Whether nothing is left to pay."""
        return self.payment_id is not None or self.total == 0

    @staticmethod
    def create(event: BookingEvent) -> Folded[BookingState]:
        """The state after a booking's first event."""
        if isinstance(event, BookingPlaced):
            return Next(BookingState(event.client_id, event.concert_id, event.seats))
        return Impossible("a booking begins by being placed")

    def update(self, event: BookingEvent) -> Folded[BookingState]:
        """The state after one more event."""
        match self.status, event:
            case BookingStatus.AWAITING_CONFIRMATION, BookingConfirmed(tickets, expires_at):
                confirmed = replace(self, status=BookingStatus.CONFIRMED, tickets=tickets, expires_at=expires_at)
                return Next(confirmed)
            case BookingStatus.AWAITING_CONFIRMATION, BookingDenied():
                return Next(replace(self, status=BookingStatus.DENIED))
            case BookingStatus.AWAITING_CONFIRMATION | BookingStatus.CONFIRMED, BookingCancelled():
                return Next(replace(self, status=BookingStatus.CANCELLED))
            case BookingStatus.CONFIRMED, BookingExpired():
                return Next(replace(self, status=BookingStatus.EXPIRED))
            case BookingStatus.CONFIRMED, BookingPaid(payment_id):
                return Next(replace(self, payment_id=payment_id))
            case BookingStatus.CONFIRMED, BookingSettled() if self.is_covered:
                return Next(replace(self, status=BookingStatus.SETTLED))
            case _:
                return Impossible(f"the booking is {self.status.value}")
