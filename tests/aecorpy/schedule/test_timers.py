"""What a timer decides, without node or journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from aecorpy import ClusterNode, InvalidDefinition
from aecorpy.behaviour import Behaviour
from aecorpy.schedule import (
    AlreadyScheduled,
    Cancelled,
    Drop,
    Dropped,
    Fired,
    NaiveTime,
    NotScheduled,
    Schedule,
    Scheduled,
    Timer,
    TimerCancelled,
)
from aecorpy.testing import scenario
from tests.aecorpy.samples import Counter
from tests.aecorpy.schedule.reminders import Meals, Reminder, Reminders

DUE = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
TEA = Reminder("tea", (1, 2))
SET = Scheduled(DUE, TEA)
SECOND = timedelta(seconds=1)


def test_a_timer_is_set_in_any_zone() -> None:
    there = DUE.astimezone(timezone(timedelta(hours=5)))
    scenario(Reminders).when(Reminders.at, there, TEA).expect_events(SET)
    scenario(Reminders).given(SET).when(Reminders.at, there, TEA).expect_events()
    scenario(Reminders).given(SET).when(Reminders.look).expect_reply(Timer(DUE, TEA))


def test_an_id_is_used_once() -> None:
    fired, cancelled = Fired(DUE, TEA, DUE), Cancelled()
    for rest in ((), (fired,), (cancelled,)):
        given = scenario(Reminders).given(SET, *rest)
        given.when(Reminders.at, DUE + SECOND, TEA).expect_rejection(AlreadyScheduled(DUE))
        given.when(Reminders.at, DUE, Reminder("coffee")).expect_rejection(AlreadyScheduled(DUE))
    scenario(Reminders).given(SET, fired).when(Reminders.at, DUE, TEA).expect_events()
    scenario(Reminders).given(SET, cancelled).when(Reminders.at, DUE, TEA).expect_rejection(TimerCancelled())


async def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(NaiveTime, match="has no zone"):
        await Behaviour.of(Reminders).blank("t").at(DUE.replace(tzinfo=None), TEA)


def test_it_fires_once_and_not_before_it_is_due() -> None:
    given = scenario(Reminders).given(SET)
    given.when(Reminders.fire, DUE - SECOND / 1000).expect_reply(False).expect_events()
    given.when(Reminders.fire, DUE).expect_reply(True).expect_events(Fired(DUE, TEA, DUE))
    later = DUE + timedelta(days=999)
    given.when(Reminders.fire, later).expect_reply(True).expect_events(Fired(DUE, TEA, later))
    for over in (Fired(DUE, TEA, DUE), Dropped(DUE, TEA, DUE), Cancelled()):
        scenario(Reminders).given(SET, over).when(Reminders.fire, later).expect_reply(False).expect_events()
    scenario(Reminders).when(Reminders.fire, later).expect_reply(False).expect_events()


def test_what_is_too_late_is_dropped_if_the_schedule_says_so() -> None:
    given = scenario(Meals).given(Scheduled(DUE, "soup"))
    on_time, late = DUE + 5 * SECOND, DUE + 5.001 * SECOND
    given.when(Meals.fire, on_time).expect_events(Fired(DUE, "soup", on_time))
    given.when(Meals.fire, late).expect_events(Dropped(DUE, "soup", late))


def test_a_cancelled_timer_does_not_fire_and_a_fired_one_cannot_be_cancelled() -> None:
    scenario(Reminders).given(SET).when(Reminders.cancel).expect_reply(True).expect_events(Cancelled())
    scenario(Reminders).given(SET, Cancelled()).when(Reminders.cancel).expect_reply(True).expect_events()
    for over in (Fired(DUE, TEA, DUE), Dropped(DUE, TEA, DUE)):
        scenario(Reminders).given(SET, over).when(Reminders.cancel).expect_reply(False).expect_events()
    scenario(Reminders).when(Reminders.cancel).expect_rejection(NotScheduled())


def test_what_goes_to_other_nodes_is_typed_by_the_payload() -> None:
    behaviour = Behaviour.of(Reminders)
    arguments = behaviour.arguments["at"]
    assert arguments.decode(arguments.encode(DUE, TEA)) == {"due": DUE, "payload": TEA}
    reply = behaviour.replies["look"]
    assert reply.decode(reply.encode(Timer(DUE, TEA))) == Timer(DUE, TEA)
    rejections = behaviour.rejections
    returned = rejections.decode(*rejections.encode(AlreadyScheduled(DUE)))
    assert isinstance(returned, AlreadyScheduled)
    assert returned.due == DUE
    for one in (SET, Fired(DUE, TEA, DUE), Dropped(DUE, TEA, DUE), Cancelled()):
        assert behaviour.events.decode(*behaviour.events.encode(one)) == one


class Untyped(Schedule):  # type: ignore[type-arg]
    pass


async def test_what_cannot_be_a_schedule(node: ClusterNode) -> None:
    with pytest.raises(InvalidDefinition, match="both types given"):
        await node.schedule(Untyped)
    with pytest.raises(InvalidDefinition, match="not a Schedule"):
        await node.schedule(Counter)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="use 0 or more"):
        Drop(after=timedelta(seconds=-1))
