"""Concert tickets, the example of Aecor's article: a booking is placed, confirmed or denied, paid, and settled.

    (nothing) --place--> awaiting confirmation --confirm--> confirmed --receive_payment--> settled
                             |        |                     |     |
                           deny     cancel               cancel  expire          (a free booking settles when confirmed)
                             v        v                     v     v
                          denied  cancelled         cancelled    expired

Read `events` first, then `state`, `entity` and `view`.
"""

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
from aecorpy.demo.booking.seats import MAX_SEATS, Seat, Ticket
from aecorpy.demo.booking.state import BookingState, BookingStatus
from aecorpy.demo.booking.view import BookingRow, BookingsByClient

__all__ = [
    "MAX_SEATS",
    "Booking",
    "BookingCancelled",
    "BookingConfirmed",
    "BookingDenied",
    "BookingEvent",
    "BookingExpired",
    "BookingPaid",
    "BookingPlaced",
    "BookingRow",
    "BookingSettled",
    "BookingState",
    "BookingStatus",
    "BookingsByClient",
    "Seat",
    "Ticket",
]
