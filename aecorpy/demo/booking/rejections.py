"""The ways in which a booking says no."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aecorpy import Rejection
from aecorpy.demo.booking.seats import Seat


class BookingAlreadyExists(Rejection):
    """The booking's id is taken."""


class BookingNotFound(Rejection):
    """There is no such booking."""


class NoSeats(Rejection):
    """A booking is for at least one seat."""


@dataclass(eq=False)
class TooManySeats(Rejection):
    """More seats than one booking may have."""

    asked: int
    limit: int


@dataclass(eq=False)
class DuplicateSeats(Rejection):
    """Seats that were asked for twice."""

    seats: tuple[Seat, ...]


@dataclass(eq=False)
class TicketsDoNotMatch(Rejection):
    """The tickets are not for exactly the seats of the booking."""

    missing: tuple[Seat, ...]
    unexpected: tuple[Seat, ...]


@dataclass(eq=False)
class ExpiryHasPassed(Rejection):
    """A booking cannot be confirmed until a time that is over."""

    expires_at: datetime


class BookingIsNotConfirmed(Rejection):
    """It still waits for its confirmation."""


class BookingIsConfirmed(Rejection):
    """It is confirmed already."""


class BookingIsDenied(Rejection):
    """It was denied."""


class BookingIsCancelled(Rejection):
    """It was cancelled."""


class BookingIsExpired(Rejection):
    """It has expired."""


class BookingIsSettled(Rejection):
    """It is settled."""


class BookingIsPaid(Rejection):
    """It was paid with another payment."""


@dataclass(eq=False)
class DuplicatePayment(Rejection):
    """This very payment was received before."""

    payment_id: str


@dataclass(eq=False)
class TooEarlyToExpire(Rejection):
    """The seats are the client's until `expires_at`."""

    expires_at: datetime


class BookingDoesNotExpire(Rejection):
    """It was confirmed without a time by which to pay."""
