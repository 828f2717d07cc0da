"""What a booking does."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from aecorpy import Entity, Fold, Rejection, Snapshotting, Tagging, command, query
from aecorpy.demo.booking.events import (
    BookingCancelled,
    BookingConfirmed,
    BookingDenied,
    BookingEvent,
    BookingExpired,
    BookingPaid,
    BookingPlaced,
    BookingSettled,
)
from aecorpy.demo.booking.rejections import (
    BookingAlreadyExists,
    BookingDoesNotExpire,
    BookingIsCancelled,
    BookingIsConfirmed,
    BookingIsDenied,
    BookingIsExpired,
    BookingIsNotConfirmed,
    BookingIsPaid,
    BookingIsSettled,
    BookingNotFound,
    DuplicatePayment,
    DuplicateSeats,
    ExpiryHasPassed,
    NoSeats,
    TicketsDoNotMatch,
    TooEarlyToExpire,
    TooManySeats,
)
from aecorpy.demo.booking.seats import MAX_SEATS, Seat, Ticket
from aecorpy.demo.booking.state import BookingState, BookingStatus

_REJECTION_WHEN: dict[BookingStatus, type[Rejection]] = {
    BookingStatus.AWAITING_CONFIRMATION: BookingIsNotConfirmed,
    BookingStatus.CONFIRMED: BookingIsConfirmed,
    BookingStatus.DENIED: BookingIsDenied,
    BookingStatus.CANCELLED: BookingIsCancelled,
    BookingStatus.EXPIRED: BookingIsExpired,
    BookingStatus.SETTLED: BookingIsSettled,
}


class Booking(Entity[BookingState | None, BookingEvent]):
    """A client's booking of seats for one concert; its key is the booking's id."""

    fold = Fold.optional(BookingState.create, BookingState.update)
    tagging = Tagging.partitioned(64)
    snapshotting = Snapshotting(every=100)
    rejections = (
        *_REJECTION_WHEN.values(),
        BookingAlreadyExists,
        BookingNotFound,
        NoSeats,
        TooManySeats,
        DuplicateSeats,
        TicketsDoNotMatch,
        ExpiryHasPassed,
        BookingIsPaid,
        DuplicatePayment,
        TooEarlyToExpire,
        BookingDoesNotExpire,
    )

    @command
    async def place(self, client_id: str, concert_id: str, seats: tuple[Seat, ...]) -> None:
        """Ask for seats.

        Raises:
            BookingAlreadyExists, NoSeats, TooManySeats, DuplicateSeats: no.
        """
        if self.state is not None:
            raise BookingAlreadyExists()
        if not seats:
            raise NoSeats()
        if len(seats) > MAX_SEATS:
            raise TooManySeats(asked=len(seats), limit=MAX_SEATS)
        if twice := tuple(seat for seat, times in Counter(seats).items() if times > 1):
            raise DuplicateSeats(twice)
        self.append(BookingPlaced(client_id, concert_id, seats))

    @command
    async def confirm(self, tickets: tuple[Ticket, ...], expires_at: datetime | None = None) -> None:
        """Grant the seats, with a ticket for each. A free booking settles at once.

        Args:
            tickets: one for each seat, in any order.
            expires_at: from then on the booking may be made to expire if it is not paid; None for never.

        Raises:
            BookingNotFound, BookingIs…: it does not wait for confirmation.
            TicketsDoNotMatch, ExpiryHasPassed: no.
        """
        booking = self._booking(BookingStatus.AWAITING_CONFIRMATION)
        _check_tickets(booking, tickets)
        if expires_at is not None and expires_at <= self.now():
            raise ExpiryHasPassed(expires_at)
        self.append(BookingConfirmed(tickets, expires_at))
        if self._booking(BookingStatus.CONFIRMED).is_covered:
            self.append(BookingSettled())

    @command
    async def deny(self, reason: str) -> None:
        """Refuse the seats.

        Raises:
            BookingNotFound, BookingIs…: it does not wait for confirmation.
        """
        self._booking(BookingStatus.AWAITING_CONFIRMATION)
        self.append(BookingDenied(reason))

    @command
    async def cancel(self, reason: str) -> None:
        """Give the booking up.

        Raises:
            BookingNotFound, BookingIs…: it has come to its end already.
        """
        self._booking(BookingStatus.AWAITING_CONFIRMATION, BookingStatus.CONFIRMED)
        self.append(BookingCancelled(reason))

    @command
    async def receive_payment(self, payment_id: str) -> None:
        """Take the money for all tickets, which settles the booking. Late money counts until the booking expires.

        Raises:
            DuplicatePayment, BookingIsPaid: it is paid, with this payment or another one.
            BookingNotFound, BookingIs…: it is not confirmed, or has come to its end.
        """
        paid_with = None if self.state is None else self.state.payment_id
        if paid_with == payment_id:
            raise DuplicatePayment(payment_id)
        if paid_with is not None:
            raise BookingIsPaid()
        self._booking(BookingStatus.CONFIRMED)
        self.append(BookingPaid(payment_id), BookingSettled())

    @command
    async def expire(self) -> None:
        """Free the seats because nobody paid in time.

        Raises:
            BookingDoesNotExpire, TooEarlyToExpire: its time is not over.
            BookingNotFound, BookingIs…: it is not confirmed, or has come to its end.
        """
        expires_at = self._booking(BookingStatus.CONFIRMED).expires_at
        if expires_at is None:
            raise BookingDoesNotExpire()
        if self.now() < expires_at:
            raise TooEarlyToExpire(expires_at)
        self.append(BookingExpired())

    @query
    async def status(self) -> BookingStatus:
        """Where the booking is in its life.

        Raises:
            BookingNotFound: nowhere.
        """
        return self._booking(*BookingStatus).status

    @query
    async def concert(self) -> str:
        """For which concert it is; that never changes.

        Raises:
            BookingNotFound: for none.
        """
        return self._booking(*BookingStatus).concert_id

    def _booking(self, *allowed: BookingStatus) -> BookingState:
        """The booking, if its status is one of `allowed`; otherwise the rejection that says what it is."""
        if self.state is None:
            raise BookingNotFound()
        if self.state.status not in allowed:
            raise _REJECTION_WHEN[self.state.status]()
        return self.state


def _check_tickets(booking: BookingState, tickets: tuple[Ticket, ...]) -> None:
    booked, ticketed = Counter(booking.seats), Counter(ticket.seat for ticket in tickets)
    if booked != ticketed:
        raise TicketsDoNotMatch(tuple(booked - ticketed), tuple(ticketed - booked))
