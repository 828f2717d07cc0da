"""What `python -m aecorpy.demo` does with bookings: callers send them, and an audit compares what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

from aecorpy import ClusterNode, EntityRefs, Retry
from aecorpy.demo.audit import Audit, audited, events_since, rows_of
from aecorpy.demo.booking import Booking, BookingsByClient
from aecorpy.demo.caller import Caller, LifeEnds
from aecorpy.demo.catching_up import caught_up
from aecorpy.demo.concert import Concert
from aecorpy.demo.ledger import Ledger
from aecorpy.demo.lives import draw_life
from aecorpy.demo.look import Look
from aecorpy.demo.patience import Patience
from aecorpy.demo.payments import PaymentsFile, set_aside
from aecorpy.demo.processes import VIEW
from aecorpy.demo.progress import Advance
from aecorpy.demo.reckoning import reckon
from aecorpy.demo.season import Season, season
from aecorpy.demo.stopping import StopWish
from journal.contract import Database

CLUSTER = "tickets"
BOOKINGS_PER_CLIENT = 10
PAUSES = Retry(0.02, 0.5)  # a shard that lost its node is back soon


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do.

    Args:
        journal: where it lies, as `ClusterNode` takes it.
        run: what all ids of this run begin with; no run before it on the same store had the same.
        bookings: how many bookings to take through their lives; None: as many as there is time for.
        callers: how many of them at a time.
        random: draws the lives.
        payments: the file of payments; it goes with the run.
        seconds_to_pay: how long the usual concerts keep seats.
    """

    journal: str | Database
    run: str
    bookings: int | None
    callers: int
    random: Random
    payments: Path
    seconds_to_pay: float = 5.0

    @property
    def season(self) -> Season:
        """The concerts."""
        return season(self.run, self.seconds_to_pay)

    def booking(self, number: int) -> str:
        """The id of booking `number`."""
        return f"{self.run}-{number}"

    def client(self, number: int) -> str:
        """Who has booking `number`."""
        return f"{self.run}-client-{number // BOOKINGS_PER_CLIENT}"


def client_node(journal: str | Database, name: str | None = None) -> ClusterNode:
    """A node of the bookings' cluster that only calls."""
    return ClusterNode(CLUSTER, journal=journal, node=name, weight=0)


@dataclass(frozen=True, slots=True)
class Heads:
    """The offset of each shard's last event, of bookings and of concerts."""

    bookings: Mapping[int, int]
    concerts: Mapping[int, int]


async def heads(journal: str | Database) -> Heads:
    """Where the journals are.

    Raises:
        Unavailable: the store cannot be reached.
    """
    async with client_node(journal) as node:
        found = []
        for entity in (Booking, Concert):
            await node.deploy(entity)
            found.append({shard.shard: shard.head for shard in await node.journal(entity).store.heads()})
        return Heads(*found)


class Sender:
    """Takes bookings through their lives, several at a time, and writes down what callers are told.

    Args:
        plan: what to do.
        node: from where; `Booking` and `Concert` are deployed there.
        bookings: the way to them.
        stop: whether somebody asked to stop.

    Attributes:
        ledger: what callers were told.
    """

    def __init__(self, plan: Plan, node: ClusterNode, bookings: EntityRefs[Booking], stop: StopWish) -> None:
        self.ledger = Ledger(plan.run)
        self._plan = plan
        self._journal = node.journal(Booking)
        self._bookings = bookings
        self._stop = stop
        self._season = plan.season
        self._concerts = node.refs(Concert)
        self._file = PaymentsFile(plan.payments)
        self._patience = Patience(stop, plan.random.random, pauses=PAUSES)
        self._enough = False

    async def announce(self) -> None:
        """Announce the concerts, without which nothing can be booked.

        Raises:
            JournalError: the store is away for too long.
        """
        await self._season.announce(self._concerts, self._patience)

    async def send(self, advance: Advance) -> None:
        """Take all bookings through their lives, or as many as come up before there is enough.

        Args:
            advance: called with 1 after each.
        """
        numbers = iter(count() if self._plan.bookings is None else range(self._plan.bookings))
        async with asyncio.TaskGroup() as callers:
            for _ in range(self._plan.callers):
                callers.create_task(self._live(numbers, advance))

    def enough(self) -> None:
        """Begin no more."""
        self._enough = True

    def caller(self, booking_id: str, client_id: str) -> Caller:
        """A caller for one booking more."""
        self.ledger.clients.add(client_id)
        look = Look(self._bookings, self._journal, self._patience)
        return Caller(self._bookings, booking_id, self.ledger, self._patience, self._stop, self._file, look)

    async def _live(self, numbers: Iterator[int], advance: Advance) -> None:
        """Take one booking after another through its life."""
        plan = self._plan
        for number in numbers:
            if self._stop.is_set or self._enough:
                return
            life, wish = draw_life(plan.random, self._season, plan.client(number))
            try:
                await life(self.caller(plan.booking(number), wish.client_id), wish)
            except LifeEnds:
                continue
            finally:
                advance(1)


async def check(plan: Plan, ledger: Ledger, before: Heads) -> Audit:
    """Audit the run from a node that starts anew, so that nothing is taken from memory and nothing is under way.

    Args:
        plan, ledger: the run.
        before: where the journals were before it.

    Raises:
        AecorError: the view has stopped, or does not catch up.
        JournalError: the store cannot be read.
    """
    async with ClusterNode(CLUSTER, journal=plan.journal) as node:
        for entity in (Booking, Concert):
            await node.deploy(entity)
        view = await node.distribute(VIEW, BookingsByClient())
        events = await events_since(node.journal(Booking), before.bookings, plan.run)
        concerts = await events_since(node.journal(Concert), before.concerts, plan.run)
        await caught_up(view)
        audit = audited(ledger, events, await rows_of(node.database, sorted(ledger.clients)))
        reckon(audit, ledger, events, concerts, await set_aside(node.database, plan.payments))
        return audit
