"""Bookings get seats, or a no, by themselves; and give them back when they end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from aecorpy import ClusterNode, EntityRefs, OutcomeUnknown, Retry, Unavailable
from aecorpy.demo.booking import (
    Booking,
    BookingCancelled,
    BookingConfirmed,
    BookingDenied,
    BookingPlaced,
    BookingStatus,
    Seat,
    Ticket,
)
from aecorpy.demo.concert import Concert, SeatsReleased, SeatsReserved
from aecorpy.demo.confirmation import Confirmation
from aecorpy.projection.handle import DistributedProjection
from journal.memory import MemoryDatabase
from tests.demo.stage import A1, A2, B3, HALL, PRICE, becomes, box_office, events_of, now
from tests.faulty_store import Fault, FaultyDatabase, lost_after, lost_before, unavailable
from tests.waiting import eventually

CONFIRMED, DENIED, SETTLED = BookingStatus.CONFIRMED, BookingStatus.DENIED, BookingStatus.SETTLED


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores, and entities that cannot be reached, are tried again at once."""
    monkeypatch.setattr("aecorpy.projection.runner.STORE_PAUSES", Retry(0.001, 0.01))


@pytest.fixture
def faulty() -> FaultyDatabase:
    return FaultyDatabase(MemoryDatabase(clock=now))


@pytest.fixture
async def node(faulty: FaultyDatabase) -> AsyncIterator[ClusterNode]:
    async with box_office(faulty) as node:
        yield node
        faulty.heal()


async def announced(node: ClusterNode, *, price: Decimal = PRICE, seconds: float | None = 600.0) -> EntityRefs[Booking]:
    """Bookings, and the concert x-1."""
    await node.refs(Concert)("x-1").announce(HALL, price, seconds)
    return node.refs(Booking)


async def confirming(node: ClusterNode) -> DistributedProjection:
    """Let it go on by itself."""
    return await node.distribute("Confirmation", Confirmation())


async def free(node: ClusterNode) -> int:
    """How many seats of x-1."""
    return await node.refs(Concert)("x-1").free()


async def test_what_is_placed_gets_its_seats_and_is_confirmed(node: ClusterNode) -> None:
    bookings = await announced(node)
    await confirming(node)
    before = now()
    await bookings("b-1").place("c-1", "x-1", (A1, B3))
    await becomes(bookings, "b-1", CONFIRMED)
    _, confirmed = await events_of(node, Booking, "b-1")
    assert isinstance(confirmed, BookingConfirmed)
    assert confirmed.tickets == (Ticket(A1, PRICE), Ticket(B3, PRICE))
    assert confirmed.expires_at is not None
    assert before <= confirmed.expires_at - timedelta(seconds=600) <= now()
    assert await events_of(node, Concert, "x-1") == [
        (await events_of(node, Concert, "x-1"))[0],
        SeatsReserved("b-1", confirmed.tickets, confirmed.expires_at),
    ]


@pytest.mark.parametrize(
    ("concert", "seat", "reason"),
    [
        ("x-1", A2, "SeatsTaken(seats=(Seat(row='A', number=2),))"),
        ("x-1", Seat("Z", 1), "SeatsNotFound(seats=(Seat(row='Z', number=1),))"),
        ("x-2", A1, "ConcertNotFound"),
    ],
)
async def test_what_gets_no_seats_is_denied(node: ClusterNode, concert: str, seat: Seat, reason: str) -> None:
    bookings = await announced(node)
    await node.refs(Concert)("x-1").reserve("b-0", (A2,))
    await confirming(node)
    await bookings("b-1").place("c-1", concert, (seat,))
    await becomes(bookings, "b-1", DENIED)
    assert (await events_of(node, Booking, "b-1"))[1:] == [BookingDenied(reason)]
    assert await free(node) == HALL.seats - 1


async def test_a_free_concert_settles_at_once(node: ClusterNode) -> None:
    bookings = await announced(node, price=Decimal(0))
    await confirming(node)
    await bookings("b-1").place("c-1", "x-1", (A1,))
    await becomes(bookings, "b-1", SETTLED)


async def test_a_booking_that_ends_gives_its_seats_back(node: ClusterNode) -> None:
    bookings = await announced(node, seconds=0.05)
    handle = await confirming(node)
    for booking_id, seat in [("b-1", A1), ("b-2", A2)]:
        await bookings(booking_id).place("c-1", "x-1", (seat,))
        await becomes(bookings, booking_id, CONFIRMED, DENIED)
    await bookings("b-3").place("c-1", "x-3", (B3,))
    await becomes(bookings, "b-3", DENIED)
    await handle.caught_up()
    taken = HALL.seats - await free(node)
    for booking_id in ("b-1", "b-2"):
        if await bookings(booking_id).status() is CONFIRMED:
            await bookings(booking_id).cancel("ill")
    await handle.caught_up()
    released = [event for event in await events_of(node, Concert, "x-1") if isinstance(event, SeatsReleased)]
    assert len(released) >= taken
    assert await free(node) == HALL.seats


async def test_a_booking_that_was_cancelled_at_once_keeps_nothing(node: ClusterNode) -> None:
    bookings = await announced(node)
    await bookings("b-1").place("c-1", "x-1", (A1, A2))
    await bookings("b-1").cancel("oh no")
    await bookings("b-2").place("c-1", "x-2", (A1,))
    await bookings("b-2").cancel("oh no")
    await (await confirming(node)).caught_up()
    placed, cancelled = await events_of(node, Booking, "b-1")
    assert (type(placed), type(cancelled)) == (BookingPlaced, BookingCancelled)
    assert await free(node) == HALL.seats


async def test_too_late_to_be_confirmed(node: ClusterNode) -> None:
    bookings = await announced(node, seconds=0.0)
    handle = await confirming(node)
    await bookings("b-1").place("c-1", "x-1", (A1,))
    await becomes(bookings, "b-1", DENIED)
    await handle.caught_up()
    assert (await events_of(node, Booking, "b-1"))[1:] == [BookingDenied("it could not be confirmed in time")]
    assert await free(node) == HALL.seats


async def _rush(bookings: EntityRefs[Booking], count: int) -> list[str]:
    """Place so many bookings, of which several want each seat."""
    ids = [f"b-{number}" for number in range(count)]
    for number, booking_id in enumerate(ids):
        await bookings(booking_id).place("c-1", "x-1", (Seat("ABCD"[number % 4], number % 5 + 1),))
        if number % 6 == 0:
            await bookings(booking_id).cancel("oh no")
    return ids


async def _seats_are_those_of_confirmed_bookings(node: ClusterNode, ids: list[str]) -> None:
    held: dict[str, Seat] = {}
    for event in (await events_of(node, Concert, "x-1"))[1:]:
        if isinstance(event, SeatsReleased):
            del held[event.booking_id]
        else:
            (ticket,) = event.tickets
            assert ticket.seat not in held.values()
            held[event.booking_id] = ticket.seat
    bookings = node.refs(Booking)
    statuses = {booking_id: await bookings(booking_id).status() for booking_id in ids}
    assert BookingStatus.AWAITING_CONFIRMATION not in statuses.values()
    assert {one for one, status in statuses.items() if status is CONFIRMED} == set(held)
    assert DENIED in statuses.values()
    assert len(held) >= 15


@pytest.mark.parametrize("operation", ["append", "commit", "offsets_read", "read_entity"])
@pytest.mark.parametrize("fault", [unavailable, lost_before, lost_after])
async def test_whatever_the_store_does_seats_are_given_once(
    node: ClusterNode, faulty: FaultyDatabase, fault: Callable[[], Fault], operation: str
) -> None:
    bookings = await announced(node)
    ids = await _rush(bookings, 40)
    handle = await confirming(node)
    faulty.on(operation, *[make() for _ in range(8) for make in (fault, Fault, fault, Fault, Fault)])

    async def done() -> bool:
        try:
            await handle.caught_up()
        except (Unavailable, OutcomeUnknown):
            return False
        return True

    await eventually(done)
    faulty.heal()
    await _seats_are_those_of_confirmed_bookings(node, ids)


async def test_a_confirmation_that_begins_anew_changes_nothing(faulty: FaultyDatabase) -> None:
    async with box_office(faulty) as node:
        ids = await _rush(await announced(node), 24)
        await (await confirming(node)).caught_up()
        before = [await events_of(node, Booking, one) for one in ids] + [await events_of(node, Concert, "x-1")]
        tags = {str(tag): 0 for tag in Booking.tagging.tags(node.journal(Booking).name)}
    async with faulty.transaction() as transaction:
        await transaction.place_offsets("Confirmation", tags)
    async with box_office(faulty) as node:
        await (await confirming(node)).caught_up()
        after = [await events_of(node, Booking, one) for one in ids] + [await events_of(node, Concert, "x-1")]
    assert after == before
