"""Random sequences of commands on one booking, against a model that knows nothing of events."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aecorpy import EntityEvent
from aecorpy.demo.booking import Booking, BookingRow, BookingsByClient, Seat, Ticket
from aecorpy.testing import START, scenario

SEATS = st.lists(st.builds(Seat, st.sampled_from("AB"), st.integers(1, 6)), max_size=12).map(tuple)
TIMES = st.none() | st.integers(-3, 6).map(lambda hours: START + timedelta(hours=hours))


class BookingMachine(RuleBasedStateMachine):
    """The model is a dict with what a box office would write on a card; `ok` says whether it would agree."""

    def __init__(self) -> None:
        super().__init__()
        self.scenario = scenario(Booking, "b-1")
        self.card: dict[str, Any] = {"status": "nothing"}
        self.now = START

    def does(self, ok: bool, method: Any, *args: Any) -> bool:
        outcome = self.scenario.at(self.now).when(method, *args)
        assert (outcome.error is None) == ok, f"{outcome!r}, the card says {self.card}"
        if not ok:
            assert outcome.events == ()
            assert outcome.error is not None
            outcome.expect_rejection(type(outcome.error))  # type: ignore[arg-type]  # or it is none, which fails
        self.scenario = outcome.then()
        return ok

    def status_is(self, *statuses: str) -> bool:
        return self.card["status"] in statuses

    @rule(hours=st.integers(0, 3))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(seats=SEATS)
    def place(self, seats: tuple[Seat, ...]) -> None:
        fits = 1 <= len(seats) <= 10 and len(set(seats)) == len(seats)
        if self.does(fits and self.status_is("nothing"), Booking.place, "c-1", "x-1", seats):
            self.card = {"status": "awaiting confirmation", "seats": set(seats)}

    @rule(price=st.sampled_from(["0", "0.00", "12.50"]), until=TIMES, spoil=st.booleans(), data=st.data())
    def confirm(self, price: str, until: datetime | None, spoil: bool, data: st.DataObject) -> None:
        seats = data.draw(st.permutations(sorted(self.card.get("seats", ()), key=repr)))
        if spoil:
            seats = data.draw(st.sampled_from([seats[1:], [*seats, *seats], [*seats, Seat("Z", 1)]]))
        fits = len(seats) == len(self.card.get("seats", ())) and set(seats) == self.card.get("seats")
        in_time = until is None or until > self.now
        tickets = tuple([Ticket(seat, Decimal(price)) for seat in seats])
        if self.does(fits and in_time and self.status_is("awaiting confirmation"), Booking.confirm, tickets, until):
            status = "settled" if Decimal(price) == 0 else "confirmed"
            self.card.update(status=status, until=until, total=Decimal(price) * len(seats))

    @rule(ending=st.sampled_from(["deny", "cancel"]))
    def deny_or_cancel(self, ending: str) -> None:
        method, after = (Booking.deny, "denied") if ending == "deny" else (Booking.cancel, "cancelled")
        ok = self.status_is("awaiting confirmation") or (ending == "cancel" and self.status_is("confirmed"))
        if self.does(ok, method, "because"):
            self.card["status"] = after

    @rule(payment=st.sampled_from(["p-1", "p-2"]))
    def receive_payment(self, payment: str) -> None:
        if self.does(self.status_is("confirmed"), Booking.receive_payment, payment):
            self.card.update(status="settled", payment=payment)

    @rule()
    def expire(self) -> None:
        until = self.card.get("until")
        ok = self.status_is("confirmed") and until is not None and self.now >= until
        if self.does(ok, Booking.expire):
            self.card["status"] = "expired"

    @invariant()
    def status_agrees(self) -> None:
        outcome = self.scenario.when(Booking.status)
        if self.status_is("nothing"):
            assert outcome.error is not None
        else:
            assert outcome.reply.value == self.card["status"]

    @invariant()
    def view_agrees(self) -> None:
        row: BookingRow | None = None
        for seq_nr, event in enumerate(self.scenario.events, 1):
            row = BookingsByClient().apply(row, EntityEvent("b-1", seq_nr, event, 0, seq_nr, START))
        if row is None:
            assert self.status_is("nothing")
            return
        assert (row.status, row.seats) == (self.card["status"], len(self.card["seats"]))
        until = self.card.get("until") if self.status_is("confirmed") else None
        assert (row.total, row.expires_at) == (self.card.get("total"), until)
        assert (row.payment_id, row.events) == (self.card.get("payment"), len(self.scenario.events))


BookingMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestBookingMachine = BookingMachine.TestCase
