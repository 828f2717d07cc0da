"""The run behind `python -m aecorpy.demo`: callers book seats on a node, and an audit compares what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random

from aecorpy import ClusterNode, EntityRefs
from aecorpy.demo.audit import Audit, audited, events_since, rows_of
from aecorpy.demo.booking import Booking, BookingsByClient
from aecorpy.demo.caller import Caller, LifeEnds
from aecorpy.demo.catching_up import caught_up
from aecorpy.demo.ledger import Ledger
from aecorpy.demo.lives import draw_life, draw_wish
from aecorpy.demo.patience import Patience
from aecorpy.demo.progress import Advance
from aecorpy.demo.stopping import StopWish
from journal.contract import Database

CLUSTER = "tickets"
VIEW = "BookingsByClient"
BOOKINGS_PER_CLIENT = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do.

    Args:
        journal: where it lies, as `ClusterNode` takes it.
        run: what all ids of this run begin with; no run before it on the same store had the same.
        bookings: how many bookings to take through their lives.
        callers: how many of them at a time.
        random: draws the lives.
        now: the time.
    """

    journal: str | Database
    run: str
    bookings: int
    callers: int
    random: Random
    now: Callable[[], datetime]

    def booking(self, number: int) -> str:
        """The id of booking `number`."""
        return f"{self.run}-{number}"

    def client(self, number: int) -> str:
        """Who has booking `number`."""
        return f"{self.run}-client-{number // BOOKINGS_PER_CLIENT}"


async def heads(journal: str | Database) -> dict[int, int]:
    """The offset of each shard's last event.

    Raises:
        Unavailable: the store cannot be reached.
    """
    async with ClusterNode(CLUSTER, journal=journal) as node:
        await node.deploy(Booking)
        return {shard.shard: shard.head for shard in await node.journal(Booking).store.heads()}


async def send(plan: Plan, stop: StopWish, advance: Advance) -> Ledger:
    """Take all bookings through their lives, or as many as there is time for until somebody asks to stop."""
    ledger = Ledger(plan.run)
    patience = Patience(stop, plan.random.random)
    numbers = iter(range(plan.bookings))
    async with ClusterNode(CLUSTER, journal=plan.journal) as node:
        bookings = await node.deploy(Booking)
        await node.distribute(VIEW, BookingsByClient())
        async with asyncio.TaskGroup() as callers:
            for _ in range(plan.callers):
                callers.create_task(_live(plan, numbers, bookings, ledger, patience, stop, advance))
    return ledger


async def _live(
    plan: Plan,
    numbers: Iterator[int],
    bookings: EntityRefs[Booking],
    ledger: Ledger,
    patience: Patience,
    stop: StopWish,
    advance: Advance,
) -> None:
    """Take one booking after another through its life."""
    for number in numbers:
        if stop.is_set:
            return
        life, wish = draw_life(plan.random), draw_wish(plan.random, plan.client(number), plan.now)
        try:
            await life(Caller(bookings, plan.booking(number), ledger, patience, stop), wish)
        except LifeEnds:
            continue
        finally:
            advance(1)


async def check(plan: Plan, ledger: Ledger, before: dict[int, int]) -> Audit:
    """Audit the run on a node that starts anew, so that nothing is taken from memory and nothing is under way.

    Args:
        plan, ledger: the run.
        before: the offset of each shard's last event before it.

    Raises:
        AecorError: the view has stopped, or does not catch up.
        JournalError: the store cannot be read.
    """
    async with ClusterNode(CLUSTER, journal=plan.journal) as node:
        await node.deploy(Booking)
        view = await node.distribute(VIEW, BookingsByClient())
        journal = node.journal(Booking)
        events = await events_since(journal, before, plan.run)
        await caught_up(view.status, await journal.store.heads())
        sent = ledger.by_booking()
        clients = sorted({plan.client(number) for number in range(plan.bookings) if plan.booking(number) in sent})
        return audited(ledger, events, await rows_of(node.database, clients))
