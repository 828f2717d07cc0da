"""Looking before repeating: whether a command whose outcome is unknown was done."""

from __future__ import annotations

from contextlib import suppress

from aecorpy import EntityRefs
from aecorpy.demo.booking import Booking, BookingEvent
from aecorpy.demo.booking.rejections import BookingNotFound
from aecorpy.demo.patience import Patience
from journal.events import EventJournal


class Look:
    """Asks the booking, then its journal.

    The answer of the booking matters, not what it says: whoever gives it has all of the journal, and nobody from before
    can append any more. Only then the journal has the last word on what was under way.

    Args:
        bookings: the way to all bookings.
        journal: where their events lie.
        patience: for what is told "not now".
    """

    def __init__(self, bookings: EntityRefs[Booking], journal: EventJournal[BookingEvent], patience: Patience) -> None:
        self._bookings = bookings
        self._journal = journal
        self._patience = patience.for_queries()

    async def was_done(self, booking_id: str, command_id: str) -> bool:
        """Whether the command sent under that id has events in the journal.

        Raises:
            AecorError, JournalError: it cannot be told.
        """
        return await self._patience.through(lambda: self._found(booking_id, command_id))

    async def _found(self, booking_id: str, command_id: str) -> bool:
        with suppress(BookingNotFound):
            await self._bookings(booking_id).status()
        async for event in self._journal.read(booking_id):
            if event.metadata.command_id == command_id:
                return True
        return False
