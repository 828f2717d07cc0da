"""Every command of a booking, and every way in which it says no."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from aecorpy import Rejection
from aecorpy.demo.booking import (
    MAX_SEATS,
    Booking,
    BookingCancelled,
    BookingConfirmed,
    BookingDenied,
    BookingEvent,
    BookingExpired,
    BookingPaid,
    BookingPlaced,
    BookingSettled,
    BookingState,
    BookingStatus,
    Seat,
    Ticket,
    rejections,
)
from aecorpy.testing import START, Outcome, Scenario, scenario

A1, A2, B7 = Seat("A", 1), Seat("A", 2), Seat("B", 7)
TICKETS = (Ticket(A1, Decimal("45.50")), Ticket(A2, Decimal("45.50")))
FREE = (Ticket(A1, Decimal("0.00")), Ticket(A2, Decimal(0)))
LATER = START + timedelta(hours=2)

nothing = scenario(Booking, "b-1")
placed = nothing.given(BookingPlaced("c-1", "x-1", (A1, A2)))
confirmed = placed.given(BookingConfirmed(TICKETS))
offered = placed.given(BookingConfirmed(TICKETS, LATER))
denied = placed.given(BookingDenied("sold out"))
cancelled = confirmed.given(BookingCancelled("ill"))
expired = offered.given(BookingExpired())
paid = confirmed.given(BookingPaid("p-1"), BookingSettled())
free = placed.given(BookingConfirmed(FREE), BookingSettled())

BookingScenario = Scenario[BookingState | None, BookingEvent]
Command = Callable[[BookingScenario], Outcome[BookingState | None, BookingEvent, Any]]


def place(begin: BookingScenario) -> Outcome[BookingState | None, BookingEvent, None]:
    return begin.when(Booking.place, "c-1", "x-1", (A1, A2))


def confirm(begin: BookingScenario) -> Outcome[BookingState | None, BookingEvent, None]:
    return begin.when(Booking.confirm, TICKETS)


def deny(begin: BookingScenario) -> Outcome[BookingState | None, BookingEvent, None]:
    return begin.when(Booking.deny, "sold out")


def cancel(begin: BookingScenario) -> Outcome[BookingState | None, BookingEvent, None]:
    return begin.when(Booking.cancel, "ill")


def pay(begin: BookingScenario) -> Outcome[BookingState | None, BookingEvent, None]:
    return begin.when(Booking.receive_payment, "p-1")


def expire(begin: BookingScenario) -> Outcome[BookingState | None, BookingEvent, None]:
    return begin.at(LATER).when(Booking.expire)


def status(begin: BookingScenario) -> Outcome[BookingState | None, BookingEvent, BookingStatus]:
    return begin.when(Booking.status)


def test_placing_and_confirming() -> None:
    place(nothing).expect_events(BookingPlaced("c-1", "x-1", (A1, A2))).expect_reply(None).expect_state(
        BookingState("c-1", "x-1", (A1, A2))
    )
    confirm(placed).expect_events(BookingConfirmed(TICKETS)).expect_state(
        BookingState("c-1", "x-1", (A1, A2), BookingStatus.CONFIRMED, TICKETS)
    )


def test_tickets_may_come_in_any_order_and_with_an_expiry() -> None:
    turned = TICKETS[::-1]
    placed.when(Booking.confirm, turned, LATER).expect_events(BookingConfirmed(turned, LATER))


def test_a_free_booking_settles_when_it_is_confirmed() -> None:
    outcome = placed.when(Booking.confirm, FREE, expires_at=LATER)
    outcome.expect_events(BookingConfirmed(FREE, LATER), BookingSettled())
    assert outcome.state is not None
    assert (outcome.state.status, outcome.state.total) == (BookingStatus.SETTLED, Decimal(0))


def test_a_payment_pays_and_settles_together() -> None:
    outcome = pay(confirmed).expect_events(BookingPaid("p-1"), BookingSettled())
    assert outcome.state is not None
    assert (outcome.state.status, outcome.state.payment_id) == (BookingStatus.SETTLED, "p-1")
    assert outcome.state.total == Decimal("91.00")


def test_a_late_payment_counts_until_the_booking_expires() -> None:
    pay(offered.at(LATER + timedelta(days=1))).expect_events(BookingPaid("p-1"), BookingSettled())


def test_denying_cancelling_and_expiring() -> None:
    deny(placed).expect_events(BookingDenied("sold out"))
    cancel(placed).expect_events(BookingCancelled("ill"))
    cancel(confirmed).expect_events(BookingCancelled("ill"))
    expire(offered).expect_events(BookingExpired())


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        (placed, BookingStatus.AWAITING_CONFIRMATION),
        (confirmed, BookingStatus.CONFIRMED),
        (denied, BookingStatus.DENIED),
        (cancelled, BookingStatus.CANCELLED),
        (expired, BookingStatus.EXPIRED),
        (paid, BookingStatus.SETTLED),
        (free, BookingStatus.SETTLED),
    ],
)
def test_status(begin: BookingScenario, expected: BookingStatus) -> None:
    status(begin).expect_reply(expected).expect_events()


COMMANDS_AFTER_PLACING: list[Command] = [confirm, deny, cancel, pay, expire]
ENDS: list[tuple[BookingScenario, Rejection]] = [
    (denied, rejections.BookingIsDenied()),
    (cancelled, rejections.BookingIsCancelled()),
    (expired, rejections.BookingIsExpired()),
    (free, rejections.BookingIsSettled()),
]


@pytest.mark.parametrize("command", [*COMMANDS_AFTER_PLACING, status])
def test_a_booking_that_was_never_placed_is_not_found(command: Command) -> None:
    command(nothing).expect_rejection(rejections.BookingNotFound()).expect_state(None)


@pytest.mark.parametrize("command", COMMANDS_AFTER_PLACING)
@pytest.mark.parametrize(("begin", "rejection"), ENDS)
def test_a_booking_at_its_end_says_which(command: Command, begin: BookingScenario, rejection: Rejection) -> None:
    command(begin).expect_rejection(rejection).expect_state(begin.state)


@pytest.mark.parametrize("begin", [placed, confirmed, denied, cancelled, expired, paid, free])
def test_a_booking_is_placed_once(begin: BookingScenario) -> None:
    place(begin).expect_rejection(rejections.BookingAlreadyExists())


@pytest.mark.parametrize("command", [pay, expire])
def test_before_the_confirmation(command: Command) -> None:
    command(placed).expect_rejection(rejections.BookingIsNotConfirmed())


@pytest.mark.parametrize("command", [confirm, deny])
def test_after_the_confirmation(command: Command) -> None:
    command(confirmed).expect_rejection(rejections.BookingIsConfirmed())


def test_how_many_seats() -> None:
    seats = tuple([Seat("C", number) for number in range(MAX_SEATS + 1)])
    nothing.when(Booking.place, "c-1", "x-1", seats[:-1]).expect_events(BookingPlaced("c-1", "x-1", seats[:-1]))
    nothing.when(Booking.place, "c-1", "x-1", seats).expect_rejection(rejections.TooManySeats(asked=11, limit=10))
    nothing.when(Booking.place, "c-1", "x-1", ()).expect_rejection(rejections.NoSeats())


def test_seats_asked_for_twice() -> None:
    seats = (A1, B7, A2, A1, A2, A1)
    nothing.when(Booking.place, "c-1", "x-1", seats).expect_rejection(rejections.DuplicateSeats((A1, A2)))


@pytest.mark.parametrize(
    ("seats", "missing", "unexpected"),
    [
        ((), (A1, A2), ()),
        ((A1,), (A2,), ()),
        ((A1, B7), (A2,), (B7,)),
        ((A1, A2, B7), (), (B7,)),
        ((A1, A2, A2), (), (A2,)),
    ],
)
def test_tickets_for_other_seats(
    seats: tuple[Seat, ...], missing: tuple[Seat, ...], unexpected: tuple[Seat, ...]
) -> None:
    tickets = tuple([Ticket(seat, Decimal(5)) for seat in seats])
    placed.when(Booking.confirm, tickets).expect_rejection(rejections.TicketsDoNotMatch(missing, unexpected))


@pytest.mark.parametrize("price", ["-0.01", "NaN", "Infinity"])
def test_a_price_that_is_no_money(price: str) -> None:
    with pytest.raises(ValueError, match="cannot cost"):
        Ticket(A1, Decimal(price))


@pytest.mark.parametrize("late", [timedelta(0), timedelta(microseconds=1), timedelta(days=365)])
def test_an_expiry_that_is_over(late: timedelta) -> None:
    placed.at(LATER + late).when(Booking.confirm, TICKETS, LATER).expect_rejection(rejections.ExpiryHasPassed(LATER))


def test_expiring_before_the_time_and_without_one() -> None:
    early = offered.at(LATER - timedelta(microseconds=1))
    early.when(Booking.expire).expect_rejection(rejections.TooEarlyToExpire(LATER))
    expire(confirmed).expect_rejection(rejections.BookingDoesNotExpire())


def test_paying_twice() -> None:
    paid.when(Booking.receive_payment, "p-1").expect_rejection(rejections.DuplicatePayment("p-1"))
    paid.when(Booking.receive_payment, "p-2").expect_rejection(rejections.BookingIsPaid())


@pytest.mark.parametrize("command", [confirm, deny, cancel, expire])
def test_a_paid_booking_is_settled(command: Command) -> None:
    command(paid).expect_rejection(rejections.BookingIsSettled())


ALL_EVENTS: tuple[BookingEvent, ...] = (
    BookingPlaced("c-1", "x-1", (A1,)),
    BookingConfirmed(TICKETS),
    BookingDenied("no"),
    BookingCancelled("no"),
    BookingExpired(),
    BookingPaid("p-1"),
    BookingSettled(),
)


def test_events_that_cannot_follow() -> None:
    nothing.expect_impossible(*ALL_EVENTS[1:])
    placed.expect_impossible(ALL_EVENTS[0], *ALL_EVENTS[4:])
    confirmed.expect_impossible(*ALL_EVENTS[:3], BookingSettled())
    for end in (denied, cancelled, expired, paid, free):
        end.expect_impossible(*ALL_EVENTS)


def test_for_which_concert_it_is() -> None:
    for begin in (placed, cancelled, expired, free):
        begin.when(Booking.concert).expect_reply("x-1").expect_events()
    nothing.when(Booking.concert).expect_rejection(rejections.BookingNotFound())


def test_every_rejection_is_declared() -> None:
    defined = [found for found in vars(rejections).values() if isinstance(found, type) and issubclass(found, Rejection)]
    assert set(Booking.rejections) == set(defined) - {Rejection}
