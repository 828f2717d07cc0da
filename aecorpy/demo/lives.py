"""The lives of bookings, as callers live them: each is a short program of commands, with what they expect of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import TypeAlias

from aecorpy.demo.booking import (
    MAX_SEATS,
    Booking,
    BookingCancelled,
    BookingConfirmed,
    BookingDenied,
    BookingExpired,
    BookingPaid,
    BookingPlaced,
    BookingSettled,
    BookingStatus,
    Seat,
    Ticket,
)
from aecorpy.demo.booking.rejections import (
    BookingAlreadyExists,
    BookingIsDenied,
    BookingIsExpired,
    BookingIsNotConfirmed,
    BookingIsSettled,
    BookingNotFound,
    DuplicatePayment,
    DuplicateSeats,
    ExpiryHasPassed,
    TicketsDoNotMatch,
    TooEarlyToExpire,
    TooManySeats,
)
from aecorpy.demo.caller import Caller

ROWS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PRICES = (Decimal("19.90"), Decimal("45.00"), Decimal("120.50"))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants.

    Args:
        client_id, concert_id: who, and which concert.
        seats: where to sit.
        price: of a seat.
        now: the time.
    """

    client_id: str
    concert_id: str
    seats: tuple[Seat, ...]
    price: Decimal
    now: Callable[[], datetime]

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """A ticket for each seat."""
        return tuple([Ticket(seat, self.price) for seat in self.seats])

    @property
    def free_tickets(self) -> tuple[Ticket, ...]:
        """A ticket for each seat that costs nothing."""
        return tuple([Ticket(seat, Decimal(0)) for seat in self.seats])


Life: TypeAlias = Callable[[Caller, Wish], Awaitable[None]]


async def _placed(caller: Caller, wish: Wish) -> None:
    client, concert, seats = wish.client_id, wish.concert_id, wish.seats
    await caller.does(lambda booking: booking.place(client, concert, seats), BookingPlaced(client, concert, seats))


async def paid(caller: Caller, wish: Wish) -> None:
    """Placed, confirmed, paid; the payment comes twice."""
    tickets, payment_id = wish.tickets, f"payment of {caller.booking_id}"
    await _placed(caller, wish)
    await caller.does(lambda booking: booking.confirm(tickets), BookingConfirmed(tickets))
    await caller.does(lambda booking: booking.receive_payment(payment_id), BookingPaid(payment_id), BookingSettled())
    await caller.is_refused(DuplicatePayment, lambda booking: booking.receive_payment(payment_id))
    await caller.sees(BookingStatus.SETTLED)


async def paid_just_in_time(caller: Caller, wish: Wish) -> None:
    """Confirmed for an hour, tried to expire at once, paid."""
    tickets, payment_id = wish.tickets, f"payment of {caller.booking_id}"
    expires_at = wish.now() + timedelta(hours=1)
    await _placed(caller, wish)
    await caller.does(lambda booking: booking.confirm(tickets, expires_at), BookingConfirmed(tickets, expires_at))
    await caller.is_refused(TooEarlyToExpire, lambda booking: booking.expire())
    await caller.does(lambda booking: booking.receive_payment(payment_id), BookingPaid(payment_id), BookingSettled())
    await caller.sees(BookingStatus.SETTLED)


async def free(caller: Caller, wish: Wish) -> None:
    """A free concert: settled when it is confirmed."""
    tickets = wish.free_tickets
    await _placed(caller, wish)
    await caller.does(lambda booking: booking.confirm(tickets), BookingConfirmed(tickets), BookingSettled())
    await caller.is_refused(BookingIsSettled, lambda booking: booking.cancel("changed my mind"))
    await caller.sees(BookingStatus.SETTLED)


async def denied(caller: Caller, wish: Wish) -> None:
    """The hall says no; the client pays nevertheless."""
    await _placed(caller, wish)
    await caller.is_refused(BookingIsNotConfirmed, lambda booking: booking.receive_payment("too soon"))
    await caller.does(lambda booking: booking.deny("sold out"), BookingDenied("sold out"))
    await caller.is_refused(BookingIsDenied, lambda booking: booking.receive_payment("too late"))
    await caller.sees(BookingStatus.DENIED)


async def cancelled(caller: Caller, wish: Wish) -> None:
    """The hall mixes up the tickets, and the client gives up after they came."""
    tickets = wish.tickets
    await _placed(caller, wish)
    await caller.is_refused(TicketsDoNotMatch, lambda booking: booking.confirm(tickets[1:]))
    await caller.does(lambda booking: booking.confirm(tickets), BookingConfirmed(tickets))
    await caller.does(lambda booking: booking.cancel("ill"), BookingCancelled("ill"))
    await caller.sees(BookingStatus.CANCELLED)


async def expired(caller: Caller, wish: Wish) -> None:
    """Nobody pays in time."""
    tickets = wish.tickets
    await _placed(caller, wish)
    expires_at = await _confirmed_for_a_moment(caller, tickets, wish.now)
    while (left := (expires_at - wish.now()).total_seconds()) > 0:
        await caller.wait(left)
    await caller.does(lambda booking: booking.expire(), BookingExpired())
    await caller.is_refused(BookingIsExpired, lambda booking: booking.receive_payment("too late"))
    await caller.sees(BookingStatus.EXPIRED)


async def _confirmed_for_a_moment(caller: Caller, tickets: tuple[Ticket, ...], now: Callable[[], datetime]) -> datetime:
    for seconds in (4.0**attempt for attempt in count()):  # a moment that was over when the command came was too short
        expires_at = now() + timedelta(seconds=seconds)
        confirmed = BookingConfirmed(tickets, expires_at)
        if await caller.does_unless(ExpiryHasPassed, _confirm(confirmed), confirmed):
            break
    return expires_at


def _confirm(confirmed: BookingConfirmed) -> Callable[[Booking], Awaitable[None]]:
    return lambda booking: booking.confirm(confirmed.tickets, confirmed.expires_at)


async def confused(caller: Caller, wish: Wish) -> None:
    """A client who gets everything wrong before getting it right."""
    client, concert, seats = wish.client_id, wish.concert_id, wish.seats
    crowd = tuple([Seat("Z", number) for number in range(MAX_SEATS + 1)])
    await caller.is_refused(BookingNotFound, lambda booking: booking.cancel("which booking?"))
    await caller.is_refused(TooManySeats, lambda booking: booking.place(client, concert, crowd))
    await caller.is_refused(DuplicateSeats, lambda booking: booking.place(client, concert, seats + seats[:1]))
    await _placed(caller, wish)
    await caller.is_refused(BookingAlreadyExists, lambda booking: booking.place(client, concert, seats))
    await caller.sees(BookingStatus.AWAITING_CONFIRMATION)


LIVES: tuple[tuple[int, Life], ...] = (
    (40, paid),
    (15, paid_just_in_time),
    (10, free),
    (10, denied),
    (10, cancelled),
    (10, expired),
    (5, confused),
)


def draw_life(random: Random) -> Life:
    """One of the lives, the common ones more often."""
    return random.choices([life for _, life in LIVES], [weight for weight, _ in LIVES])[0]


def draw_wish(random: Random, client_id: str, now: Callable[[], datetime]) -> Wish:
    """What a client may want: up to five neighbouring seats somewhere."""
    row, first, wanted = random.choice(ROWS), random.randint(1, 40), random.randint(1, 5)
    seats = tuple([Seat(row, first + place) for place in range(wanted)])
    return Wish(client_id, f"concert-{random.randint(1, 20)}", seats, random.choice(PRICES), now)
