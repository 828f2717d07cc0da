"""What a concert does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from aecorpy import Entity, Fold, Folded, Impossible, Next, Snapshotting, Tagging, command, query, snapshot
from aecorpy.demo.booking.seats import Seat, Ticket
from aecorpy.demo.concert.events import ConcertAnnounced, ConcertEvent, Hall, SeatsReleased, SeatsReserved
from aecorpy.demo.concert.rejections import (
    ConcertAlreadyExists,
    ConcertNotFound,
    NothingReserved,
    OtherSeatsReserved,
    SeatsNotFound,
    SeatsTaken,
)


@dataclass(frozen=True, slots=True)
class Reservation:
    """A booking's seats: a ticket for each, and until when they are to be paid, if at some time."""

    tickets: tuple[Ticket, ...]
    expires_at: datetime | None


@snapshot("ConcertState")
@dataclass(frozen=True, slots=True)
class ConcertState:
    """A concert that exists; `reserved` is by booking."""

    hall: Hall
    price: Decimal
    seconds_to_pay: float | None
    reserved: dict[str, Reservation] = field(default_factory=dict)

    @staticmethod
    def create(event: ConcertEvent) -> Folded[ConcertState]:
        """The state after a concert's first event."""
        if isinstance(event, ConcertAnnounced):
            return Next(ConcertState(event.hall, event.price, event.seconds_to_pay))
        return Impossible("a concert begins by being announced")

    def update(self, event: ConcertEvent) -> Folded[ConcertState]:
        """The state after one more event."""
        match event:
            case SeatsReserved(booking_id, tickets, expires_at) if booking_id not in self.reserved:
                if self.taken(tuple([ticket.seat for ticket in tickets])):
                    return Impossible("a seat is reserved already")
                return Next(replace(self, reserved=self.reserved | {booking_id: Reservation(tickets, expires_at)}))
            case SeatsReleased(booking_id) if booking_id in self.reserved:
                others = {key: value for key, value in self.reserved.items() if key != booking_id}
                return Next(replace(self, reserved=others))
            case _:
                return Impossible("the concert is there, and the booking has, or has not, seats already")

    def taken(self, seats: tuple[Seat, ...]) -> tuple[Seat, ...]:
        """Those of `seats` that some booking has."""
        wanted = set(seats)
        found = {one.seat for has in self.reserved.values() for one in has.tickets if one.seat in wanted}
        return tuple([seat for seat in seats if seat in found])


class Concert(Entity[ConcertState | None, ConcertEvent]):
    """One concert; its key is the concert's id."""

    fold = Fold.optional(ConcertState.create, ConcertState.update)
    tagging = Tagging.partitioned(16)
    snapshotting = Snapshotting(every=200)
    rejections = (ConcertNotFound, ConcertAlreadyExists, SeatsNotFound, SeatsTaken, OtherSeatsReserved, NothingReserved)

    @command
    async def announce(self, hall: Hall, price: Decimal, seconds_to_pay: float | None = None) -> None:
        """Open it for bookings.

        Args:
            hall: the seats there are.
            price: of each.
            seconds_to_pay: how long a booking may keep seats without paying; None for ever.

        Raises:
            ConcertAlreadyExists: no.
        """
        if self.state is not None:
            raise ConcertAlreadyExists()
        self.append(ConcertAnnounced(hall, price, seconds_to_pay))

    @command
    async def reserve(self, booking_id: str, seats: tuple[Seat, ...]) -> Reservation:
        """Keep seats for a booking. One that has these seats already gets the same answer.

        Raises:
            ConcertNotFound, SeatsNotFound, SeatsTaken, OtherSeatsReserved: no.
        """
        concert = self._concert()
        has = concert.reserved.get(booking_id)
        if has is not None:
            if {ticket.seat for ticket in has.tickets} != set(seats):
                raise OtherSeatsReserved()
            return has
        if missing := tuple([seat for seat in seats if not concert.hall.has(seat)]):
            raise SeatsNotFound(missing)
        if taken := concert.taken(seats):
            raise SeatsTaken(taken)
        seconds = concert.seconds_to_pay
        expires_at = None if seconds is None else self.now() + timedelta(seconds=seconds)
        self.append(SeatsReserved(booking_id, tuple([Ticket(seat, concert.price) for seat in seats]), expires_at))
        return self._concert().reserved[booking_id]

    @command
    async def release(self, booking_id: str) -> None:
        """Give a booking's seats to whoever asks next.

        Raises:
            ConcertNotFound, NothingReserved: no.
        """
        if booking_id not in self._concert().reserved:
            raise NothingReserved()
        self.append(SeatsReleased(booking_id))

    @query
    async def free(self) -> int:
        """How many seats nobody has.

        Raises:
            ConcertNotFound: no.
        """
        concert = self._concert()
        return concert.hall.seats - sum(len(has.tickets) for has in concert.reserved.values())

    def _concert(self) -> ConcertState:
        if self.state is None:
            raise ConcertNotFound()
        return self.state
