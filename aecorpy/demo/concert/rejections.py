"""The ways in which a concert says no."""

from __future__ import annotations

from dataclasses import dataclass

from aecorpy import Rejection
from aecorpy.demo.booking.seats import Seat


class ConcertNotFound(Rejection):
    """There is no such concert."""


class ConcertAlreadyExists(Rejection):
    """The concert's id is taken."""


@dataclass(eq=False)
class SeatsNotFound(Rejection):
    """The hall has no such seats."""

    seats: tuple[Seat, ...]


@dataclass(eq=False)
class SeatsTaken(Rejection):
    """Other bookings have these seats."""

    seats: tuple[Seat, ...]


class OtherSeatsReserved(Rejection):
    """The booking has seats at this concert already, and not these."""


class NothingReserved(Rejection):
    """The booking has no seats at this concert."""
