"""The booking load's entities, a few of them hot, and two views that know every booking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from aecorpy import (
    Entity,
    EntityEvent,
    Fold,
    Folded,
    Next,
    Rejection,
    Snapshotting,
    SqlView,
    Table,
    TableView,
    Tagging,
    command,
    event,
    query,
    snapshot,
)
from journal.contract import Database, Transaction
from tests.checker.models import chained
from tests.checker.records import Moved
from tests.faults.setting import now

SHARDS = 24
CONCERTS = 2_000
LINES, STEPS = "ConcertLines", "BookingSteps"
PROCESSES = {LINES: 4, STEPS: 3}


@event("SeatBooked")
@dataclass(frozen=True, slots=True)
class SeatBooked:
    """A seat that the command `booking` booked.

    Attributes:
        part: which of its seats.
        by: the process that carried the command out.
        at: when it did, which is before the event was committed.
    """

    booking: str
    part: int
    by: str
    at: float

    @property
    def item(self) -> str:
        """What it adds to the concert's list of bookings."""
        return f"{self.booking}/{self.part}"


@snapshot("Bookings")
@dataclass(frozen=True, slots=True)
class Bookings:
    """All bookings of a concert, as the checker knows lists: by length and checksum."""

    value: str


class TooManySeats(Rejection):
    """Nobody gets more than two."""


def _first(booked: SeatBooked) -> Folded[Bookings]:
    return Next(Bookings(chained(None, booked.item)))


def _more(bookings: Bookings, booked: SeatBooked) -> Folded[Bookings]:
    return Next(Bookings(chained(bookings.value, booked.item)))


class Concert(Entity[Bookings | None, SeatBooked]):
    """Sells seats; every answer says what is sold by then.

    Attributes:
        by: this process, as its events call it.
    """

    fold = Fold.optional(_first, _more)
    tagging = Tagging.partitioned(SHARDS)
    snapshotting = Snapshotting(20)
    rejections = (TooManySeats,)
    by: ClassVar[str] = ""

    def _value(self) -> str:
        return "" if self.state is None else self.state.value

    @command
    async def book(self, booking: str, seats: int) -> str:
        """Book one seat or two.

        Raises:
            TooManySeats: more than that; what was appended until then is not kept.
        """
        at = now()
        for part in range(min(seats, 2)):
            self.append(SeatBooked(booking, part, Concert.by, at))
        if seats > 2:
            raise TooManySeats
        return self._value()

    @query
    async def booked(self) -> str:
        """The value, and the epoch under which this was answered."""
        return f"{self._value()} {self._runtime.epoch}"


@dataclass(frozen=True, slots=True)
class Line:
    """A concert's row in the view."""

    concert: str
    seats: int
    value: str


class ConcertLines(TableView[Line, SeatBooked]):
    """A row per concert."""

    entity = Concert
    table = Table(Line, "concert_lines")

    def apply(self, row: Line | None, event: EntityEvent[SeatBooked]) -> Line | None:
        before = row or Line(event.entity_key, 0, "")
        return Line(before.concert, before.seats + 1, chained(before.value or None, event.payload.item))


class BookingSteps(SqlView[SeatBooked]):
    """Which events came together, and where: a row for each step on each tag.

    Args:
        life: this process.
        epoch: under which it holds the consumer's process that reads a shard.
    """

    entity = Concert

    def __init__(self, life: str = "", epoch: Callable[[int], int] = lambda shard: 0) -> None:
        self._life, self._epoch = life, epoch

    async def create(self, transaction: Transaction) -> None:
        await transaction.execute(
            "CREATE TABLE IF NOT EXISTS booking_steps (shard BIGINT, first_offset BIGINT, last_offset BIGINT, "
            "events BIGINT, node TEXT, epoch BIGINT, at DOUBLE PRECISION)"
        )

    async def apply(self, transaction: Transaction, events: Sequence[EntityEvent[SeatBooked]]) -> None:
        at, rows = now(), []
        for shard, some in groupby(events, lambda one: one.shard):
            offsets = [one.offset for one in some]
            rows.append((shard, offsets[0], offsets[-1], len(offsets), self._life, self._epoch(shard), at))
        await transaction.execute_many("INSERT INTO booking_steps VALUES ($1, $2, $3, $4, $5, $6, $7)", rows)

    @staticmethod
    async def moves(database: Database) -> list[Moved]:
        """What was committed, as moves of the offset; a step that skips or repeats within itself ends elsewhere."""
        async with database.transaction() as transaction:
            rows = await transaction.fetch(
                "SELECT at, shard, first_offset, events, epoch, node FROM booking_steps ORDER BY at, first_offset"
            )
        return [
            Moved(at, STEPS, shard, first - 1, first - 1 + events, epoch, node)
            for at, shard, first, events, epoch, node in rows
        ]
