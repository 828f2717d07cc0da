"""The lives of bookings, as callers live them: each is a short program of commands, with what they expect of them.

Callers place, pay and cancel; they neither confirm, nor deny, nor let expire: that goes on by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from aecorpy.demo.booking import (
    MAX_SEATS,
    BookingCancelled,
    BookingExpired,
    BookingPlaced,
    BookingStatus,
    Seat,
)
from aecorpy.demo.booking.rejections import (
    BookingAlreadyExists,
    BookingIsDenied,
    BookingIsExpired,
    BookingIsSettled,
    BookingNotFound,
    DuplicateSeats,
    TooEarlyToExpire,
    TooManySeats,
)
from aecorpy.demo.caller import Caller, LifeEnds
from aecorpy.demo.season import Announced, Season

AWAITING, CONFIRMED = BookingStatus.AWAITING_CONFIRMATION, BookingStatus.CONFIRMED
DENIED, CANCELLED = BookingStatus.DENIED, BookingStatus.CANCELLED
EXPIRED, SETTLED = BookingStatus.EXPIRED, BookingStatus.SETTLED


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants.

    Args:
        client_id, concert_id: who, and which concert.
        seats: where to sit.
        times: how often their bank sends a payment.
        pause: seconds between the halves of the line that it writes; None for none.
    """

    client_id: str
    concert_id: str
    seats: tuple[Seat, ...]
    times: int = 1
    pause: float | None = None


Life: TypeAlias = Callable[[Caller, Wish], Awaitable[None]]
Concerts: TypeAlias = Callable[[Season], Sequence[Announced]]


async def _placed(caller: Caller, wish: Wish) -> None:
    client, concert, seats = wish.client_id, wish.concert_id, wish.seats
    await caller.does(lambda booking: booking.place(client, concert, seats), BookingPlaced(client, concert, seats))


async def _confirmed(caller: Caller, wish: Wish) -> None:
    """Placed, and confirmed; where the seats are taken, that is the end of it."""
    await _placed(caller, wish)
    if await caller.waits(AWAITING, CONFIRMED, DENIED, EXPIRED) is not CONFIRMED:  # it may have been so for a moment
        raise LifeEnds


def _payment(caller: Caller) -> str:
    return f"payment of {caller.booking_id}"


async def paid(caller: Caller, wish: Wish) -> None:
    """Placed, confirmed, paid; some payments come twice, or in two pieces."""
    await _confirmed(caller, wish)
    await caller.pays(_payment(caller), times=wish.times, pause=wish.pause)
    await caller.waits(CONFIRMED, SETTLED, EXPIRED)


async def paid_just_in_time(caller: Caller, wish: Wish) -> None:
    """Somebody tries to make it expire at once, and the bank writes nonsense before it pays."""
    await _confirmed(caller, wish)
    await caller.does_unless((TooEarlyToExpire, BookingIsExpired), lambda booking: booking.expire(), BookingExpired())
    await caller.writes(b"payment of " + caller.booking_id.encode())
    await caller.pays(_payment(caller), times=wish.times, pause=wish.pause)


async def free(caller: Caller, wish: Wish) -> None:
    """A free concert: settled when it is confirmed."""
    await _placed(caller, wish)
    if await caller.waits(AWAITING, SETTLED, DENIED) is SETTLED:
        await caller.is_refused(BookingIsSettled, lambda booking: booking.cancel("changed my mind"))


async def denied(caller: Caller, wish: Wish) -> None:
    """There is no such concert; the client pays nevertheless."""
    await _placed(caller, wish)
    await caller.waits(AWAITING, DENIED)
    await caller.pays(_payment(caller))


async def cancelled(caller: Caller, wish: Wish) -> None:
    """The client gives up after the tickets came."""
    await _confirmed(caller, wish)
    if await caller.does_unless((BookingIsExpired,), lambda booking: booking.cancel("ill"), BookingCancelled("ill")):
        await caller.sees(CANCELLED)


async def cancelled_at_once(caller: Caller, wish: Wish) -> None:
    """The client gives up while the concert is being asked."""
    await _placed(caller, wish)
    late = (BookingIsDenied, BookingIsExpired)
    if await caller.does_unless(late, lambda booking: booking.cancel("oh no"), BookingCancelled("oh no")):
        await caller.sees(CANCELLED)


async def expired(caller: Caller, wish: Wish) -> None:
    """Nobody pays in time; the money comes later."""
    await _placed(caller, wish)
    if await caller.waits(AWAITING, CONFIRMED, EXPIRED, DENIED) is CONFIRMED:
        await caller.waits(CONFIRMED, EXPIRED)
        await caller.pays(_payment(caller))


async def confused(caller: Caller, wish: Wish) -> None:
    """A client who gets everything wrong before getting it right."""
    client, concert, seats = wish.client_id, wish.concert_id, wish.seats
    crowd = tuple([Seat("Z", number) for number in range(MAX_SEATS + 1)])
    await caller.is_refused(BookingNotFound, lambda booking: booking.cancel("which booking?"))
    await caller.is_refused(TooManySeats, lambda booking: booking.place(client, concert, crowd))
    await caller.is_refused(DuplicateSeats, lambda booking: booking.place(client, concert, seats + seats[:1]))
    await _placed(caller, wish)
    await caller.is_refused(BookingAlreadyExists, lambda booking: booking.place(client, concert, seats))
    await caller.waits(AWAITING, CONFIRMED, DENIED, EXPIRED)
    await caller.pays(_payment(caller))


def _usual(season: Season) -> Sequence[Announced]:
    return season.usual


def _free(season: Season) -> Sequence[Announced]:
    return season.free


def _last_minute(season: Season) -> Sequence[Announced]:
    return season.last_minute


def _nowhere(season: Season) -> Sequence[Announced]:
    return ()


LIVES: tuple[tuple[int, Life, Concerts], ...] = (
    (40, paid, _usual),
    (15, paid_just_in_time, _usual),
    (10, free, _free),
    (5, denied, _nowhere),
    (10, cancelled, _usual),
    (5, cancelled_at_once, _usual),
    (10, expired, _last_minute),
    (5, confused, _usual),
)


def draw_life(random: Random, season: Season, client_id: str) -> tuple[Life, Wish]:
    """One of the lives, the common ones more often, and what its client wants: up to five neighbouring seats."""
    (life, concerts) = random.choices([one[1:] for one in LIVES], [weight for weight, *_ in LIVES])[0]
    among = concerts(season)
    concert = random.choice(among) if among else None
    hall = (season.usual[0] if concert is None else concert).hall
    wanted = random.randint(1, 5)
    row, first = random.choice(hall.rows), random.randint(1, hall.seats_per_row - wanted + 1)
    seats = tuple([Seat(row, first + place) for place in range(wanted)])
    times, pause = random.choice((1, 1, 1, 2)), random.choice((None, None, None, None, 0.01))
    return life, Wish(client_id, season.nowhere if concert is None else concert.concert_id, seats, times, pause)
