"""A node with bookings and concerts on a memory that can be told to fail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aecorpy import ClusterNode, EntityRefs
from aecorpy.demo.booking import Booking, BookingStatus, Seat
from aecorpy.demo.concert import Concert, Hall
from tests.waiting import eventually

HALL = Hall("ABCD", 10)
A1, A2, B3 = Seat("A", 1), Seat("A", 2), Seat("B", 3)
PRICE = Decimal("9.50")


def now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def box_office(database: Any, **options: Any) -> ClusterNode:
    """A node that takes bookings."""
    return ClusterNode("tickets", journal=database, entities=[Booking, Concert], **{"ask_seconds": 5.0, **options})


async def becomes(bookings: EntityRefs[Booking], booking_id: str, *statuses: BookingStatus) -> BookingStatus:
    """Wait until a booking has one of `statuses`."""

    async def there() -> BookingStatus | None:
        status = await bookings(booking_id).status()
        return status if status in statuses else None

    found = await eventually(there, what=f"{booking_id} is {statuses}")
    assert found is not None
    return found


async def events_of(node: ClusterNode, entity: type[Any], key: str) -> Sequence[Any]:
    """An entity's events."""
    return [event.payload async for event in node.journal(entity).read(key)]
