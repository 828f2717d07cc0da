"""Timers as entities: one for each id, whose events say what became of it.

>>> class Reminders(Schedule[Reminder]):
...     missed = Drop(after=timedelta(hours=1))
>>> reminders = await node.schedule(Reminders)
>>> await reminders("booking-7").at(when, Reminder("b-7"))
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar

from aecorpy.command import command, query
from aecorpy.entity import Entity
from aecorpy.errors import Rejection
from aecorpy.fold import Fold, Folded, Impossible, Next
from aecorpy.schedule.missed import Late, Missed, is_dropped
from journal.codec import event

P = TypeVar("P")

PENDING: Final = "pending"
FIRED: Final = "fired"
DROPPED: Final = "dropped"
CANCELLED: Final = "cancelled"


@event("TimerScheduled")
@dataclass(frozen=True, slots=True)
class Scheduled(Generic[P]):
    """A timer was set for `due`."""

    due: datetime
    payload: P


@event("TimerFired")
@dataclass(frozen=True, slots=True)
class Fired(Generic[P]):
    """It was due, and `at` is when that was noticed, by the database's clock: never before `due`."""

    due: datetime
    payload: P
    at: datetime


@event("TimerDropped")
@dataclass(frozen=True, slots=True)
class Dropped(Generic[P]):
    """It was due, but that was noticed too late, `at`."""

    due: datetime
    payload: P
    at: datetime


@event("TimerCancelled")
@dataclass(frozen=True, slots=True)
class Cancelled:
    """It will not fire."""


TimerEvent: TypeAlias = Scheduled[P] | Fired[P] | Dropped[P] | Cancelled


@dataclass(frozen=True, slots=True)
class Timer(Generic[P]):
    """A timer as it is.

    Args:
        due: when it is to fire, in UTC.
        payload: what it was set with.
        outcome: `pending`, `fired`, `dropped` or `cancelled`.
    """

    due: datetime
    payload: P
    outcome: str = PENDING


class AlreadyScheduled(Rejection):
    """A timer of this id was set before, for another time or with another payload.

    Args:
        due: when that one is, or was, to fire.
    """

    def __init__(self, due: datetime) -> None:
        super().__init__(due)
        self.due = due


class TimerCancelled(Rejection):
    """The timer was set before, as it is now, and cancelled since; an id is used once."""


class NotScheduled(Rejection):
    """There is no timer of this id."""


class NaiveTime(Rejection):
    """A time without zone says nothing of when; see `aecorpy.schedule.instant`."""


def _after(timer: Timer[Any] | None, happened: Any) -> Folded[Timer[Any] | None]:
    if isinstance(happened, Scheduled):
        if timer is None:
            return Next(Timer(happened.due, happened.payload))
    elif timer is not None and timer.outcome == PENDING:
        match happened:
            case Fired():
                return Next(replace(timer, outcome=FIRED))
            case Dropped():
                return Next(replace(timer, outcome=DROPPED))
            case Cancelled():
                return Next(replace(timer, outcome=CANCELLED))
    return Impossible("a timer is set once, and then fires, is dropped or is cancelled, once")


class Schedule(Entity[Timer[P] | None, Scheduled[P] | Fired[P] | Dropped[P] | Cancelled], Generic[P]):
    """Timers with payloads of type `P`, each of which fires once. Subclass it, and start it by `ClusterNode.schedule`.

    A timer is an entity, its key is the id. That it fired is an event (`Fired`), and who wants to act on it is a
    `ProcessManager` or another projection with `entity = …`, which get it at least once, or exactly once.

    Class attributes:
        missed: what becomes of timers that could not fire at their time: they fire `Late`, or are dropped (`Drop`).
    """

    missed: ClassVar[Missed] = Late()
    fold = Fold[Any, Any](None, _after)
    rejections = (AlreadyScheduled, TimerCancelled, NotScheduled, NaiveTime)
    idle_seconds = 2.0  # it is needed when it is set and when it fires, and there may be a million

    @command
    async def at(self, due: datetime, payload: P) -> None:
        """Set the timer; if it was set just so before, do nothing. What is past already is due at once.

        Args:
            due: when to fire, with a zone; fires at the first millisecond not before it at which it can.
            payload: what `Fired` brings along.

        Raises:
            AlreadyScheduled: it was set before, and otherwise.
            TimerCancelled: it was set so before, and then cancelled.
            NaiveTime: `due` has no zone.
        """
        if due.utcoffset() is None:
            raise NaiveTime(f"{due} has no zone")
        due = due.astimezone(UTC)
        timer = self.state
        if timer is None:
            self.append(Scheduled(due, payload))
        elif (timer.due, timer.payload) != (due, payload):
            raise AlreadyScheduled(timer.due)
        elif timer.outcome == CANCELLED:
            raise TimerCancelled()

    @command
    async def cancel(self) -> bool:
        """Keep the timer from firing.

        Returns:
            whether it will not fire by this or an earlier cancelling; False when it fired or was dropped before.

        Raises:
            NotScheduled: it was never set.
        """
        if self.state is None:
            raise NotScheduled()
        if self.state.outcome == PENDING:
            self.append(Cancelled())
        return self.state.outcome == CANCELLED

    @query
    async def look(self) -> Timer[P] | None:
        """The timer as it is; None if it was never set."""
        return self.state

    @command
    async def fire(self, now: datetime) -> bool:
        """What the schedule's own processes send when the timer is due; before that, or a second time, it does nothing.

        Args:
            now: the time by the database's clock.

        Returns:
            whether it has been decided by this, as fired or dropped.
        """
        timer = self.state
        if timer is None or timer.outcome != PENDING or now < timer.due:
            return False
        dropped = is_dropped(self.missed, now - timer.due)
        self.append((Dropped if dropped else Fired)(timer.due, timer.payload, now))
        return True
