"""The demo's callers are honest: what they are told counts, whatever the store does."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from aecorpy import AecorError, ClusterNode, EntityRefs, Unavailable
from aecorpy.demo.booking import Booking, BookingPlaced, BookingStatus, Seat, Ticket
from aecorpy.demo.booking.rejections import BookingIsDenied
from aecorpy.demo.caller import Caller, LifeEnds
from aecorpy.demo.catching_up import caught_up
from aecorpy.demo.concert import Concert
from aecorpy.demo.ending import ENDS, Ending
from aecorpy.demo.ledger import Answer, Ledger
from aecorpy.demo.look import Look
from aecorpy.demo.patience import Patience
from aecorpy.demo.payments import PaymentsFile
from aecorpy.demo.processes import run_processes
from aecorpy.demo.stopping import StopWish
from aecorpy.demo.tickets import Plan, Sender, check, heads
from aecorpy.management.look import DeploymentSeen, TagSeen
from aecorpy.processing.states import Control, Registration
from aecorpy.projection.progress import ViewBehind
from journal.memory import MemoryDatabase
from tests.faulty_store import Fault, FaultyDatabase, fenced, lost_after, lost_before, unavailable
from tests.waiting import eventually

SEATS = (Seat("A", 1),)
PLACED = BookingPlaced("c-1", "x-1", SEATS)


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def faulty() -> FaultyDatabase:
    return FaultyDatabase(MemoryDatabase(clock=_now))


async def sent(plan: Plan, database: FaultyDatabase, stop: StopWish, advance: Callable[[int], None]) -> Ledger:
    """What callers on a node of their own were told, when all has come to its end."""
    async with ClusterNode("tickets", journal=database, entities=[Booking, Concert]) as node:
        followed = await run_processes(node, plan.payments, lambda: 0.5)
        sender = Sender(plan, node, node.refs(Booking), stop)
        await sender.announce()
        await sender.send(advance)
        missing = await Ending(database, plan.run, plan.payments, followed).comes(20.0)
        assert missing is None
        return sender.ledger


@pytest.mark.parametrize(
    "faults", [[unavailable], [lost_before], [lost_after], [unavailable, lost_before, lost_after, Fault]]
)
async def test_a_run_on_a_bad_store_is_audited_clean(
    faults: list[Callable[[], Fault]], faulty: FaultyDatabase, tmp_path: Path
) -> None:
    random = Random(1)
    for _ in range(60):
        faulty.on("append", *[Fault() for _ in range(random.randint(0, 3))], random.choice(faults)())
    for _ in range(10):
        faulty.on("commit", *[Fault() for _ in range(random.randint(0, 20))], random.choice(faults)())
    plan = Plan(faulty, "r", bookings=100, callers=50, random=random, payments=tmp_path / "payments")
    before = await heads(faulty)
    ledger = await sent(plan, faulty, StopWish(), lambda _: None)
    faulty.heal()
    audit = await check(plan, ledger, before)
    assert ledger.surprises == []
    assert audit.is_clean, audit.findings
    assert audit.acked > 0
    assert audit.bookings == sum(audit.ends.values()) == 100
    assert min(audit.ends[end] for end in ENDS) > 0
    assert (audit.payments > 0, audit.refused > 0, audit.seats > 0) == (True, True, True)
    assert audit.unknown == ledger.count(Answer.UNKNOWN)
    looked = [told.found for told in ledger.told.values() if told.answer is Answer.UNKNOWN]
    assert looked.count(True) == audit.unknown_done
    assert None not in looked
    assert ledger.given_up == {}
    if faults == [lost_before]:
        assert audit.unknown > audit.unknown_done == 0
    elif faults == [lost_after]:
        assert audit.unknown == audit.unknown_done > 0


async def test_a_wish_to_stop_leaves_the_rest_of_the_bookings(faulty: FaultyDatabase, tmp_path: Path) -> None:
    stop, done = StopWish(), 0

    def advance(bookings: int) -> None:
        nonlocal done
        done += bookings
        if done == 20:
            stop.set(signal.SIGINT)

    plan = Plan(faulty, "r", bookings=10_000, callers=16, random=Random(2), payments=tmp_path / "payments")
    plan = replace(plan, seconds_to_pay=1.0)  # those that are left expire
    before = await heads(faulty)
    ledger = await sent(plan, faulty, stop, advance)
    audit = await check(plan, ledger, before)
    assert stop.exit_code == 130
    assert len(ledger.by_booking()) < 100
    assert audit.is_clean, audit.findings


class Desk:
    """A caller of one booking on a node."""

    def __init__(self, node: ClusterNode, bookings: EntityRefs[Booking], path: Path) -> None:
        self.node = node
        self.ledger = Ledger("r")
        self._bookings, self._stop = bookings, StopWish()
        self._file = PaymentsFile(path)
        self._patience = Patience(self._stop, lambda: 0.5, seconds=0.3)
        self.caller = self._caller(None)

    def looks(self) -> None:
        self.caller = self._caller(Look(self._bookings, self.node.journal(Booking), self._patience))

    def _caller(self, look: Look | None) -> Caller:
        return Caller(self._bookings, "r-1", self.ledger, self._patience, self._stop, self._file, look)

    def answers(self) -> list[Answer]:
        return [told.answer for told in self.ledger.told.values()]


@pytest.fixture
async def desk(faulty: FaultyDatabase, tmp_path: Path) -> AsyncIterator[Desk]:
    async with ClusterNode("tickets", journal=faulty) as node:
        yield Desk(node, await node.deploy(Booking), tmp_path / "payments")


async def _place(desk: Desk) -> None:
    await desk.caller.does(lambda booking: booking.place("c-1", "x-1", SEATS), PLACED)


async def test_not_now_is_asked_again(desk: Desk, faulty: FaultyDatabase) -> None:
    faulty.on("append", unavailable(), unavailable())
    await _place(desk)
    assert desk.answers() == [Answer.ACKNOWLEDGED]
    await desk.caller.sees(BookingStatus.AWAITING_CONFIRMATION)
    assert desk.ledger.queries == 1


async def test_not_now_for_too_long_ends_a_life(desk: Desk, faulty: FaultyDatabase) -> None:
    faulty.always("append", unavailable())
    with pytest.raises(LifeEnds):
        await _place(desk)
    assert desk.answers() == [Answer.NO]
    assert desk.ledger.given_up == {"Unavailable": 1}


async def test_unknown_is_not_asked_again(desk: Desk, faulty: FaultyDatabase) -> None:
    faulty.on("append", lost_after())
    with pytest.raises(LifeEnds):
        await _place(desk)
    assert desk.answers() == [Answer.UNKNOWN]
    assert desk.ledger.given_up == {"OutcomeUnknown": 1}


@pytest.mark.parametrize(("fault", "done"), [(lost_before, False), (lost_after, True)])
async def test_unknown_is_looked_at_and_repeated_only_if_it_was_not_done(
    desk: Desk, faulty: FaultyDatabase, fault: Callable[[], Fault], done: bool
) -> None:
    desk.looks()
    faulty.on("append", fault())
    await _place(desk)
    assert desk.answers() == ([Answer.UNKNOWN] if done else [Answer.UNKNOWN, Answer.ACKNOWLEDGED])
    assert [told.found for told in desk.ledger.told.values()] == ([True] if done else [False, None])
    assert [event.seq_nr async for event in desk.node.journal(Booking).read("r-1")] == [1]
    await desk.caller.sees(BookingStatus.AWAITING_CONFIRMATION)


async def test_answers_that_nobody_expected_are_written_down(desk: Desk) -> None:
    await _place(desk)
    with pytest.raises(LifeEnds):
        await _place(desk)
    with pytest.raises(LifeEnds):
        await desk.caller.is_refused(BookingIsDenied, lambda booking: booking.cancel("ill"))
    with pytest.raises(LifeEnds):
        await desk.caller.sees(BookingStatus.SETTLED)
    again, cancelled, status = desk.ledger.surprises
    assert again.startswith("booking r-1, command 2: was rejected with BookingAlreadyExists() instead of appending")
    assert cancelled == "booking r-1, command 3: was answered with None instead of BookingIsDenied"
    assert status == "booking r-1, command 3: is cancelled instead of settled"


async def test_waiting_for_what_comes_by_itself(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await _place(desk)
    desk.ledger.queries = 0

    async def confirm() -> None:
        await eventually(lambda: desk.ledger.queries > 0)
        await desk.node.refs(Booking)("r-1").confirm((Ticket(SEATS[0], Decimal(1)),))

    confirming = asyncio.ensure_future(confirm())
    awaiting, confirmed = BookingStatus.AWAITING_CONFIRMATION, BookingStatus.CONFIRMED
    assert await desk.caller.waits(awaiting, confirmed, BookingStatus.DENIED) is confirmed
    await confirming
    with pytest.raises(LifeEnds):
        await desk.caller.waits(awaiting, BookingStatus.DENIED)
    monkeypatch.setattr("aecorpy.demo.caller.COMES_WITHIN", 0.0)
    with pytest.raises(LifeEnds):
        await desk.caller.waits(confirmed, BookingStatus.SETTLED)
    assert desk.ledger.surprises == [
        "booking r-1, command 1: is confirmed instead of denied",
        "booking r-1, command 1: is still confirmed after 0 s",
    ]


async def test_a_fenced_shard_is_opened_anew_and_asked_again(desk: Desk, faulty: FaultyDatabase) -> None:
    faulty.on("append", fenced())
    await _place(desk)
    assert desk.answers() == [Answer.ACKNOWLEDGED]


async def test_a_technical_no_is_written_down(desk: Desk) -> None:
    with pytest.raises(LifeEnds):
        await desk.caller.does(lambda booking: booking.place("c-1", "x-1", 7), PLACED)  # type: ignore[arg-type]
    assert desk.answers() == [Answer.NO]
    assert desk.ledger.surprises[0].startswith("booking r-1, command 1: failed with CommandFailed(")


class Followed:
    """A view that has seen so many events, and catches up after so many looks.

    Args:
        looks: after how many it has caught up; None for never.
        control: what management wants of it.
        failing: why its next event cannot be handled.
    """

    def __init__(self, looks: int | None, control: Control | None = None, failing: str | None = None) -> None:
        self._left = looks
        self._control = control or Control()
        self._tag = TagSeen("booking-0", 2, 3, 1.0, 1 if failing else 0, failing)

    async def status(self) -> DeploymentSeen:
        """How far it is."""
        return DeploymentSeen(Registration("View", "projection", ("booking-0",)), self._control, (), (self._tag,))

    async def caught_up(self, within: float = 10.0, /) -> None:
        """Count down."""
        await asyncio.sleep(0)
        if self._left is None:
            raise ViewBehind("View", {"booking-0": (2, 3)}, within)
        if self._left:
            self._left -= 1
            raise ViewBehind("View", {"booking-0": (2, 3)}, within)


async def test_waiting_for_a_view_ends_when_it_has_all() -> None:
    await caught_up(Followed(3))


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (Followed(None, Control(True, 1, 0, "its policy", "poison")), "the view is paused by its policy: poison"),
        (Followed(None, failing="ValueError: no"), "the view does not catch up: ValueError: no"),
        (Followed(None), "the view does not catch up: no event in 0.05 s"),
    ],
)
async def test_waiting_for_a_view_that_does_not_come(view: Followed, message: str) -> None:
    with pytest.raises(AecorError, match=message):
        await caught_up(view, limit=0.05)


async def test_patience_ends_with_a_wish_to_stop() -> None:
    stop, sent = StopWish(), 0

    async def away() -> None:
        nonlocal sent
        sent += 1
        if sent == 2:
            stop.set(signal.SIGTERM)
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        await Patience(stop, lambda: 0.0).through(away)
    assert (sent, stop.exit_code) == (2, 143)
