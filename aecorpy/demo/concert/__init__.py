"""A concert and its seats, which a booking holds from the moment they are reserved until they are released."""

from aecorpy.demo.concert.entity import Concert, ConcertState, Reservation
from aecorpy.demo.concert.events import ConcertAnnounced, ConcertEvent, Hall, SeatsReleased, SeatsReserved

__all__ = [
    "Concert",
    "ConcertAnnounced",
    "ConcertEvent",
    "ConcertState",
    "Hall",
    "Reservation",
    "SeatsReleased",
    "SeatsReserved",
]
