"""What can happen to a concert, with the values in it. The names are those in the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from aecorpy import event
from aecorpy.demo.booking.seats import Seat, Ticket


@dataclass(frozen=True, slots=True)
class Hall:
    """Where a concert is.

    Args:
        rows: their names, a letter each.
        seats_per_row: numbered from 1.

    Raises:
        ValueError: there is no seat, or two rows have the same name.
    """

    rows: str
    seats_per_row: int

    def __post_init__(self) -> None:
        if self.seats < 1 or len(set(self.rows)) < len(self.rows):
            raise ValueError(f"a hall with rows {self.rows!r} of {self.seats_per_row} seats")

    @property
    def seats(self) -> int:
        """How many there are."""
        return len(self.rows) * self.seats_per_row

    def has(self, seat: Seat) -> bool:
        """Whether there is such a seat."""
        return len(seat.row) == 1 and seat.row in self.rows and 1 <= seat.number <= self.seats_per_row


@event("ConcertAnnounced")
@dataclass(frozen=True, slots=True)
class ConcertAnnounced:
    """Seats may be reserved from now on, at `price` each, for `seconds_to_pay` if that is given."""

    hall: Hall
    price: Decimal
    seconds_to_pay: float | None


@event("SeatsReserved")
@dataclass(frozen=True, slots=True)
class SeatsReserved:
    """A booking got seats, to be paid until `expires_at` if that is given."""

    booking_id: str
    tickets: tuple[Ticket, ...]
    expires_at: datetime | None


@event("SeatsReleased")
@dataclass(frozen=True, slots=True)
class SeatsReleased:
    """A booking gave its seats back."""

    booking_id: str


ConcertEvent: TypeAlias = ConcertAnnounced | SeatsReserved | SeatsReleased
