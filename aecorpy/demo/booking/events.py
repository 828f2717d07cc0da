"""What can happen to a booking. The names are those in the journal: classes may be renamed, these may not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from aecorpy import event
from aecorpy.demo.booking.seats import Seat, Ticket


@event("BookingPlaced")
@dataclass(frozen=True, slots=True)
class BookingPlaced:
    """A client asked for seats."""

    client_id: str
    concert_id: str
    seats: tuple[Seat, ...]


@event("BookingConfirmed")
@dataclass(frozen=True, slots=True)
class BookingConfirmed:
    """The hall granted the seats, at most until `expires_at` if that is given."""

    tickets: tuple[Ticket, ...]
    expires_at: datetime | None = None


@event("BookingDenied")
@dataclass(frozen=True, slots=True)
class BookingDenied:
    """The hall refused."""

    reason: str


@event("BookingCancelled")
@dataclass(frozen=True, slots=True)
class BookingCancelled:
    """The client gave it up."""

    reason: str


@event("BookingExpired")
@dataclass(frozen=True, slots=True)
class BookingExpired:
    """Nobody paid in time, so the seats are free again."""


@event("BookingPaid")
@dataclass(frozen=True, slots=True)
class BookingPaid:
    """The money came in."""

    payment_id: str


@event("BookingSettled")
@dataclass(frozen=True, slots=True)
class BookingSettled:
    """All is done: the seats are the client's."""


BookingEvent: TypeAlias = (
    BookingPlaced | BookingConfirmed | BookingDenied | BookingCancelled | BookingExpired | BookingPaid | BookingSettled
)
