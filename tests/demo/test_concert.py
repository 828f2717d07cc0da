"""Every command of a concert, and every way in which it says no."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from aecorpy import Rejection
from aecorpy.demo.booking import Seat, Ticket
from aecorpy.demo.concert import (
    Concert,
    ConcertAnnounced,
    Hall,
    Reservation,
    SeatsReleased,
    SeatsReserved,
    rejections,
)
from aecorpy.testing import START, scenario

HALL = Hall("AB", 3)
PRICE = Decimal("9.50")
A1, A2, B3 = Seat("A", 1), Seat("A", 2), Seat("B", 3)
UNTIL = START + timedelta(seconds=60)

nothing = scenario(Concert, "x-1")
announced = nothing.given(ConcertAnnounced(HALL, PRICE, 60.0))


def reserved(booking_id: str, *seats: Seat, until: datetime | None = UNTIL) -> SeatsReserved:
    return SeatsReserved(booking_id, tuple([Ticket(seat, PRICE) for seat in seats]), until)


half = announced.given(reserved("b-1", A1, A2))


def test_announcing() -> None:
    nothing.when(Concert.announce, HALL, PRICE, 60.0).expect_events(ConcertAnnounced(HALL, PRICE, 60.0))
    announced.when(Concert.announce, HALL, PRICE).expect_rejection(rejections.ConcertAlreadyExists())


def test_reserving_answers_with_the_tickets_and_until_when_they_are_to_be_paid() -> None:
    event = reserved("b-1", A1, B3)
    outcome = announced.when(Concert.reserve, "b-1", (A1, B3)).expect_events(event)
    outcome.expect_reply(Reservation(event.tickets, UNTIL))
    for_ever = nothing.given(ConcertAnnounced(HALL, PRICE, None))
    for_ever.when(Concert.reserve, "b-1", (A1,)).expect_events(reserved("b-1", A1, until=None))


def test_reserving_the_same_again_changes_nothing() -> None:
    outcome = half.at(START + timedelta(hours=1)).when(Concert.reserve, "b-1", (A2, A1)).expect_events()
    outcome.expect_reply(Reservation(reserved("b-1", A1, A2).tickets, UNTIL))


def test_seats_are_given_once() -> None:
    half.when(Concert.reserve, "b-2", (B3, A2)).expect_rejection(rejections.SeatsTaken((A2,)))
    half.when(Concert.reserve, "b-1", (A2, B3)).expect_rejection(rejections.OtherSeatsReserved())
    half.when(Concert.reserve, "b-2", (B3,)).expect_events(reserved("b-2", B3))


def test_seats_that_are_released_are_free() -> None:
    free = half.when(Concert.release, "b-1").expect_events(SeatsReleased("b-1")).then()
    free.when(Concert.reserve, "b-2", (A1, A2)).expect_events(reserved("b-2", A1, A2))
    free.when(Concert.release, "b-1").expect_rejection(rejections.NothingReserved())
    free.when(Concert.free).expect_reply(6)
    half.when(Concert.free).expect_reply(4)


@pytest.mark.parametrize("seat", [Seat("C", 1), Seat("A", 4), Seat("A", 0), Seat("AB", 1), Seat("", 1)])
def test_seats_that_there_are_not(seat: Seat) -> None:
    announced.when(Concert.reserve, "b-1", (A1, seat)).expect_rejection(rejections.SeatsNotFound((seat,)))


def test_a_concert_that_was_never_announced() -> None:
    nothing.when(Concert.reserve, "b-1", (A1,)).expect_rejection(rejections.ConcertNotFound())
    nothing.when(Concert.release, "b-1").expect_rejection(rejections.ConcertNotFound())
    nothing.when(Concert.free).expect_rejection(rejections.ConcertNotFound())


def test_events_that_cannot_follow() -> None:
    nothing.expect_impossible(reserved("b-1", A1), SeatsReleased("b-1"))
    half.expect_impossible(
        ConcertAnnounced(HALL, PRICE, None), reserved("b-1", B3), reserved("b-2", A1), SeatsReleased("b-2")
    )


@pytest.mark.parametrize(("rows", "seats"), [("", 3), ("A", 0), ("AA", 1)])
def test_halls_that_there_are_not(rows: str, seats: int) -> None:
    with pytest.raises(ValueError, match="a hall with rows"):
        Hall(rows, seats)


def test_every_rejection_is_declared() -> None:
    defined = [found for found in vars(rejections).values() if isinstance(found, type) and issubclass(found, Rejection)]
    assert set(Concert.rejections) == set(defined) - {Rejection}
