"""The process that lets bookings expire: every moment it looks into the view for those whose time is over."""

from __future__ import annotations

import asyncio

from aecorpy import EntityRefs, OutcomeUnknown, Rejection, Unavailable
from aecorpy.demo.booking import Booking, BookingRow, BookingsByClient
from aecorpy.processing.process import Process, ProcessContext
from journal.contract import Database

EXPIRY = "Expiry"
LOOK_SECONDS = 0.25
AT_A_TIME = 64  # bookings


def expiry(bookings: EntityRefs[Booking], every: float = LOOK_SECONDS) -> Process:
    """A process that makes bookings expire, soon after their time is over by the clock of the view's database.

    Args:
        bookings: the way to them.
        every: seconds between two looks.
    """

    async def run(context: ProcessContext) -> None:
        while True:
            await expire_due(context.database, bookings)
            await asyncio.sleep(every)

    return Process.of("expiry", run)


async def expire_due(database: Database, bookings: EntityRefs[Booking]) -> int:
    """Make those bookings expire whose time is over; how many did.

    Raises:
        Unavailable: the view cannot be read.
    """
    table = BookingsByClient.table
    due: list[str] = []
    expired = 0
    async for values in database.scan(table.spec, up_to=("expires_at", await database.now()), order_by="expires_at"):
        row: BookingRow = table.row(*values)
        due.append(row.booking_id)
        if len(due) == AT_A_TIME:
            expired += await _expire(due, bookings)
            due.clear()
    return expired + await _expire(due, bookings)


async def _expire(due: list[str], bookings: EntityRefs[Booking]) -> int:
    return sum(await asyncio.gather(*[_expires(booking_id, bookings) for booking_id in due]))


async def _expires(booking_id: str, bookings: EntityRefs[Booking]) -> bool:
    """Send one command. What does not go through now does with a later look, unless the view has moved on by then."""
    try:
        await bookings.because(command_id=command_of(booking_id))(booking_id).expire()
    except (Unavailable, OutcomeUnknown):
        return False
    except Rejection:  # paid or cancelled meanwhile, or the entity's clock is behind the view's
        return False
    return True


def command_of(booking_id: str) -> str:
    """The id of the command that makes a booking expire."""
    return f"expiry/{booking_id}"
