"""What callers were told, command by command; the audit compares it with the journal and the view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from aecorpy.demo.booking import BookingEvent
from aecorpy.demo.payments.file import Payment


class Answer(Enum):
    """What a caller knows of a command: *acknowledged*: it is done; *no*: nothing happened; *unknown*: it may have."""

    ACKNOWLEDGED = "acknowledged"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Told:
    """One command and what its caller was told.

    Args:
        command_id: the id that was sent along; it lies beside the events in the journal.
        booking_id: to which booking.
        events: what the command appends if it is done.
        answer: what the caller was told.
        found: of an unknown one: whether it was done, as the caller found out by looking; None if it did not look.
    """

    command_id: str
    booking_id: str
    events: tuple[BookingEvent, ...]
    answer: Answer
    found: bool | None = None


@dataclass(slots=True)
class Ledger:
    """The commands of one run.

    Args:
        run: what all ids of the run begin with.
        told: what callers were told, by command id, in the order of the answers.
        surprises: answers that the caller had not expected, as text.
        given_up: why bookings were left where they are, as text, by how many.
        queries: how many queries were answered.
        clients: for whom bookings were sent.
        payments: those written into the payments' file, by id.
        bad_lines: what else was written there, without the ends of the lines.
    """

    run: str
    told: dict[str, Told] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)
    given_up: dict[str, int] = field(default_factory=dict)
    queries: int = 0
    clients: set[str] = field(default_factory=set)
    payments: dict[str, Payment] = field(default_factory=dict)
    bad_lines: list[bytes] = field(default_factory=list)

    def count(self, answer: Answer) -> int:
        """How many commands were answered so."""
        return sum(told.answer is answer for told in self.told.values())

    def give_up(self, reason: str) -> None:
        """Count a booking that is left where it is."""
        self.given_up[reason] = self.given_up.get(reason, 0) + 1

    def by_booking(self) -> dict[str, list[Told]]:
        """What was told of each booking, in order."""
        bookings: dict[str, list[Told]] = {}
        for told in self.told.values():
            bookings.setdefault(told.booking_id, []).append(told)
        return bookings

    def acknowledged_events(self) -> Iterator[BookingEvent]:
        """The events that callers were told are in the journal."""
        for told in self.told.values():
            if told.answer is Answer.ACKNOWLEDGED:
                yield from told.events
