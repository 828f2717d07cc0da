"""The process manager between bookings and concerts: what is placed gets seats, or a no; what ends gives them back."""

from __future__ import annotations

from contextlib import suppress

from aecorpy import Commands, EntityEvent, ProcessManager, Retry
from aecorpy.demo.booking import Booking, BookingCancelled, BookingEvent, BookingExpired, BookingPlaced
from aecorpy.demo.booking.rejections import BookingIsCancelled, ExpiryHasPassed
from aecorpy.demo.concert import Concert
from aecorpy.demo.concert.rejections import ConcertNotFound, NothingReserved, SeatsNotFound, SeatsTaken


class Confirmation(ProcessManager[BookingEvent]):
    """Reserves the seats of each booking and confirms it, or denies it; releases the seats when it ends unpaid.

    A client may cancel at any moment, so each command to the booking may come too late. The seats are released all the
    same: the cancellation is an event behind the one that is being handled.
    """

    entity = Booking
    on_failure = Retry(0.1, 2.0)

    async def on_event(self, event: EntityEvent[BookingEvent], commands: Commands) -> None:
        """React to one event of a booking."""
        match event.payload:
            case BookingPlaced():
                await self._place(event.entity_key, event.payload, commands)
            case BookingCancelled() | BookingExpired():
                concert_id = await commands.to(Booking)(event.entity_key).concert()
                with suppress(NothingReserved, ConcertNotFound):  # it was cancelled before it could be denied
                    await commands.to(Concert)(concert_id).release(event.entity_key)

    async def _place(self, booking_id: str, placed: BookingPlaced, commands: Commands) -> None:
        booking, concert = commands.to(Booking)(booking_id), commands.to(Concert)(placed.concert_id)
        try:
            reservation = await concert.reserve(booking_id, placed.seats)
        except (ConcertNotFound, SeatsNotFound, SeatsTaken) as no:
            with suppress(BookingIsCancelled):
                await booking.deny(str(no))
            return
        try:
            await booking.confirm(reservation.tickets, reservation.expires_at)
        except BookingIsCancelled:
            pass  # the next event releases the seats
        except ExpiryHasPassed:
            with suppress(BookingIsCancelled):
                await booking.deny("it could not be confirmed in time")
            with suppress(NothingReserved):
                await concert.release(booking_id)
