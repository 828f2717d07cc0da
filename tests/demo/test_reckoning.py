"""The demo's reckoning finds bookings, payments and seats that are not as they must be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from aecorpy import EntityEvent
from aecorpy.demo.audit import Audit
from aecorpy.demo.booking import (
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
from aecorpy.demo.concert import ConcertAnnounced, Hall, SeatsReleased, SeatsReserved
from aecorpy.demo.ledger import Ledger
from aecorpy.demo.payments import Payment, SetAsideLine
from aecorpy.demo.reckoning import reckon

PRICE = Decimal(9)
AT = datetime(2026, 1, 1, tzinfo=UTC)
SEATS = {"b-1": Seat("A", 1), "b-2": Seat("A", 2), "b-3": Seat("A", 2), "b-4": Seat("A", 3), "b-5": Seat("A", 1)}


class Season:
    """One booking of each end, as it must be; tests change something."""

    def __init__(self) -> None:
        self.ledger = Ledger("b")
        self.ledger.payments = {"p-1": Payment("p-1", "b-1"), "p-4": Payment("p-4", "b-4")}
        self.ledger.bad_lines = [b"pay!"]
        self.aside = [_aside(b"pay!"), _aside(b"{}", "p-4")]
        self.bookings: dict[str, list[Any]] = {
            "b-1": [self.confirmed("b-1"), BookingPaid("p-1"), BookingSettled()],
            "b-2": [self.confirmed("b-2"), BookingCancelled("ill")],
            "b-3": [self.confirmed("b-3"), BookingExpired()],
            "b-4": [self.confirmed("b-4"), BookingExpired()],
            "b-5": [BookingDenied("taken")],
        }
        self.concert: list[Any] = [ConcertAnnounced(Hall("A", 3), PRICE, 1.0)]
        for booking_id in ("b-1", "b-2", "b-4"):
            self.concert.append(self.reserved(booking_id))
        self.concert += [SeatsReleased("b-2"), self.reserved("b-3"), SeatsReleased("b-3"), SeatsReleased("b-4")]

    @staticmethod
    def confirmed(booking_id: str) -> BookingConfirmed:
        return BookingConfirmed((Ticket(SEATS[booking_id], PRICE),), AT)

    @staticmethod
    def reserved(booking_id: str) -> SeatsReserved:
        return SeatsReserved(booking_id, (Ticket(SEATS[booking_id], PRICE),), AT)

    def reckoned(self) -> Audit:
        audit = Audit()
        bookings = {
            one: _events(one, [BookingPlaced("c-1", "x-1", (SEATS[one],)), *rest])
            for one, rest in self.bookings.items()
        }
        reckon(audit, self.ledger, bookings, {"x-1": _events("x-1", self.concert)}, self.aside)
        return audit


def _events(key: str, payloads: list[Any]) -> list[EntityEvent[Any]]:
    return [EntityEvent(key, number, payload, 0, number, AT) for number, payload in enumerate(payloads, 1)]


def _aside(text: bytes, payment_id: str | None = None) -> SetAsideLine:
    return SetAsideLine("payments@0", "payments", text, payment_id, "no")


def test_a_season_as_it_must_be() -> None:
    audit = Season().reckoned()
    assert audit.findings == []
    assert (audit.bookings, audit.seats, audit.payments, audit.refused) == (5, 1, 1, 1)
    assert {end.value: count for end, count in audit.ends.items()} == {
        "settled": 1,
        "cancelled": 1,
        "expired": 2,
        "denied": 1,
    }


def _has_not_ended(season: Season) -> None:
    del season.bookings["b-3"][-1]


def _impossible(season: Season) -> None:
    season.bookings["b-5"].append(BookingSettled())


def _payment_is_lost(season: Season) -> None:
    season.ledger.payments["p-5"] = Payment("p-5", "b-5")


def _refused_payment_is_lost(season: Season) -> None:
    season.aside.pop()


def _payment_counts_twice(season: Season) -> None:
    season.bookings["b-1"].insert(1, BookingPaid("p-1"))


def _payment_counts_and_is_set_aside(season: Season) -> None:
    season.aside.append(_aside(b"{}", "p-1"))


def _payment_of_nobody(season: Season) -> None:
    del season.ledger.payments["p-1"]


def _payment_at_another_booking(season: Season) -> None:
    season.ledger.payments["p-1"] = Payment("p-1", "b-2")


def _bad_line_is_lost(season: Season) -> None:
    del season.aside[0]


def _bad_line_twice(season: Season) -> None:
    season.aside.append(_aside(b"pay!"))


def _seats_are_not_released(season: Season) -> None:
    season.concert.remove(SeatsReleased("b-4"))


def _seats_are_not_reserved(season: Season) -> None:
    season.concert.remove(season.reserved("b-1"))


def _seats_are_reserved_twice(season: Season) -> None:
    season.concert.insert(-1, SeatsReserved("b-5", (Ticket(SEATS["b-5"], PRICE),), AT))


def _seats_that_there_are_not(season: Season) -> None:
    season.concert[0] = ConcertAnnounced(Hall("A", 2), PRICE, 1.0)


def _concert_of_nobody(season: Season) -> None:
    del season.concert[0]


@pytest.mark.parametrize(
    ("fault", "finding", "lost", "duplicated"),
    [
        (_has_not_ended, "b-3 is confirmed: it has not come to its end", 1, 0),
        (_impossible, "b-5: event BookingSettled() cannot follow", 0, 0),
        (_payment_is_lost, "'p-5' was written, and neither counts nor is set aside", 1, 0),
        (_refused_payment_is_lost, "b-4 has expired, although 'p-4' was not refused", 1, 0),
        (_payment_counts_twice, "'p-1' counts 2 times", 0, 1),
        (_payment_counts_and_is_set_aside, "'p-1' counts 1 times and is set aside", 0, 1),
        (_payment_of_nobody, "'p-1' counts for b-1, and nobody wrote it", 0, 1),
        (_payment_at_another_booking, "'p-1' counts for b-1, and nobody wrote it", 1, 1),
        (_bad_line_is_lost, "not set aside [b'pay!']; more: []", 0, 0),
        (_bad_line_twice, "not set aside []; more: [b'pay!']", 0, 0),
        (_seats_are_not_released, "x-1: b-4 should have 0 seats, and has 1", 0, 1),
        (_seats_are_not_reserved, "x-1: b-1 should have 1 seats, and has 0", 1, 0),
        (_seats_are_reserved_twice, "x-1: b-5 got seats that another has", 0, 2),
        (_seats_that_there_are_not, "x-1: b-4 got seats that there are not", 0, 0),
        (_concert_of_nobody, "x-1: b-1 got seats that there are not", 0, 0),
    ],
)
def test_faults_are_found(fault: Callable[[Season], None], finding: str, lost: int, duplicated: int) -> None:
    season = Season()
    fault(season)
    audit = season.reckoned()
    assert not audit.is_clean
    assert finding in "\n".join(audit.findings)
    assert (audit.lost, audit.duplicated) == (lost, duplicated), audit.findings
    assert audit.ends[BookingStatus.DENIED] <= 1
