"""Bookings whose time is over by the clock of the view's database expire, and no others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from aecorpy import ClusterNode, EntityRefs
from aecorpy.demo.booking import Booking, BookingExpired, BookingsByClient, BookingStatus, Ticket
from aecorpy.demo.expiry import EXPIRY, command_of, expire_due, expiry
from aecorpy.pauses import Retry
from aecorpy.processing.worker import Patience
from aecorpy.projection.handle import DistributedProjection
from aecorpy.testing import START
from journal.memory import MemoryDatabase
from tests.demo.stage import A1, PRICE, becomes, box_office, events_of
from tests.faulty_store import Fault, FaultyDatabase, lost_after, lost_before, unavailable

TICKETS = (Ticket(A1, PRICE),)


class Clocks:
    """The store's, and the node's, in seconds after the beginning."""

    def __init__(self) -> None:
        self.store = self.node = 0.0

    def both(self, seconds: float) -> None:
        self.store = self.node = seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def faulty(clocks: Clocks) -> FaultyDatabase:
    return FaultyDatabase(MemoryDatabase(clock=lambda: START + timedelta(seconds=clocks.store)))


@pytest.fixture
async def node(faulty: FaultyDatabase, clocks: Clocks) -> AsyncIterator[ClusterNode]:
    async with box_office(faulty, clock=lambda: START + timedelta(seconds=clocks.node)) as node:
        yield node
        faulty.heal()


@pytest.fixture
async def view(node: ClusterNode) -> DistributedProjection:
    return await node.distribute("BookingsByClient", BookingsByClient())


async def confirmed(node: ClusterNode, **until: float | None) -> EntityRefs[Booking]:
    """Bookings that are to be paid until so many seconds after the beginning, if at some time."""
    bookings = node.refs(Booking)
    for booking_id, seconds in until.items():
        await bookings(booking_id).place("c-1", "x-1", (A1,))
        expires_at = None if seconds is None else START + timedelta(seconds=seconds)
        await bookings(booking_id).confirm(TICKETS, expires_at)
    return bookings


async def statuses(bookings: EntityRefs[Booking], *ids: str) -> list[str]:
    return [(await bookings(one).status()).value for one in ids]


async def test_those_expire_whose_time_is_over(
    node: ClusterNode, view: DistributedProjection, clocks: Clocks, faulty: FaultyDatabase
) -> None:
    bookings = await confirmed(node, a=10, b=20, c=30, d=None, e=10, f=10)
    await bookings("e").receive_payment("p-1")
    await bookings("f").cancel("ill")
    await view.caught_up()
    clocks.both(9.5)
    assert await expire_due(faulty, bookings) == 0
    clocks.both(20)
    assert await expire_due(faulty, bookings) == 2
    expected = ["expired", "expired", "confirmed", "confirmed", "settled", "cancelled"]
    assert await statuses(bookings, *"abcdef") == expected
    (event,) = [event async for event in node.journal(Booking).read("a") if isinstance(event.payload, BookingExpired)]
    assert event.metadata.command_id == command_of("a")


async def test_what_the_view_has_not_seen_yet_changes_nothing(
    node: ClusterNode, view: DistributedProjection, clocks: Clocks, faulty: FaultyDatabase
) -> None:
    bookings = await confirmed(node, a=10, b=10, c=10)
    await view.caught_up()
    gate = faulty.block("begin")  # of the view's next step
    await bookings("a").receive_payment("p-1")
    await gate.reached()
    await bookings("b").cancel("ill")
    clocks.both(11)
    assert await expire_due(faulty, bookings) == 1
    assert await expire_due(faulty, bookings) == 0
    gate.release()
    assert await statuses(bookings, *"abc") == ["settled", "cancelled", "expired"]


async def test_an_entity_whose_clock_is_behind_expires_later(
    node: ClusterNode, view: DistributedProjection, clocks: Clocks, faulty: FaultyDatabase
) -> None:
    bookings = await confirmed(node, a=10)
    await view.caught_up()
    clocks.store = 11
    assert await expire_due(faulty, bookings) == 0
    clocks.node = 10
    assert await expire_due(faulty, bookings) == 1


async def test_more_than_are_sent_at_a_time(
    node: ClusterNode,
    view: DistributedProjection,
    clocks: Clocks,
    faulty: FaultyDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aecorpy.demo.expiry.AT_A_TIME", 4)
    bookings = await confirmed(node, **{f"b{number}": 10.0 + number for number in range(11)})
    await view.caught_up()
    clocks.both(18)
    assert await expire_due(faulty, bookings) == 9


@pytest.mark.parametrize("operation", ["append", "now"])
@pytest.mark.parametrize("fault", [unavailable, lost_before, lost_after])
async def test_the_process_goes_on_whatever_the_store_does(
    node: ClusterNode,
    view: DistributedProjection,
    clocks: Clocks,
    faulty: FaultyDatabase,
    fault: Callable[[], Fault],
    operation: str,
) -> None:
    bookings = await confirmed(node, a=10, b=20, c=30)
    await view.caught_up()
    patience = Patience(pauses=Retry(0.001, 0.01))
    await node.processing.start(EXPIRY, [expiry(bookings, every=0.005)], patient=False, patience=patience)
    faulty.on(operation, fault(), fault(), Fault(), fault())
    clocks.both(21)
    for booking_id in "ab":
        await becomes(bookings, booking_id, BookingStatus.EXPIRED)
        expired = [event for event in await events_of(node, Booking, booking_id) if event == BookingExpired()]
        assert len(expired) == 1
    assert await statuses(bookings, "c") == ["confirmed"]
