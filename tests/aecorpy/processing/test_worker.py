"""How a worker runs its process, runs it again, and ends it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from aecorpy.errors import Fenced, Unavailable
from aecorpy.pauses import Retry
from aecorpy.processing.process import HeldProcess, Process, ProcessContext, RunningProcess
from aecorpy.processing.states import Control
from aecorpy.processing.worker import Patience, Wanted
from sharding.messages import Retire, ShardLost
from tests.aecorpy.processing.working import Desk, process
from tests.sharding.virtually import until, virtually


class Log:
    """When instances began and ended."""

    def __init__(self) -> None:
        self.began: list[float] = []
        self.ended: list[str] = []

    async def forever(self) -> None:
        """Run until cancelled."""
        self.began.append(asyncio.get_running_loop().time())
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.ended.append("cancelled")

    async def failing(self) -> None:
        """Raise at once."""
        self.began.append(asyncio.get_running_loop().time())
        raise ValueError("no luck")

    @property
    def pauses(self) -> list[float]:
        """Seconds between the beginnings."""
        return [round(later - earlier, 3) for earlier, later in pairwise(self.began)]


@virtually
async def test_a_process_that_raises_at_once_is_run_again_with_growing_pauses() -> None:
    log = Log()
    desk = Desk(process(log.failing))
    await until(lambda: len(log.began) == 11, 300)
    assert log.pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert set(desk.states) <= {"running", "waiting"}
    assert desk.reports[-1].state.error == "ValueError: no luck"
    await desk.becomes("waiting")
    assert desk.reports[-1].state.restarts == 10
    await desk.close()


@virtually
async def test_where_a_failure_came_from_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()  # played in several orders
    errors = ["no luck", "no luck", "no luck", "other luck"]

    async def body() -> None:
        raise ValueError(errors.pop(0) if errors else "other luck")

    desk = Desk(process(body))
    await until(lambda: len(caplog.records) >= 5, 60)
    assert [record.getMessage().endswith("no luck") for record in caplog.records[:5]] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert [bool(record.exc_info) for record in caplog.records[:5]] == [True, False, False, True, False]
    await desk.close()


@virtually
async def test_a_process_that_ends_at_once_is_run_again_with_growing_pauses() -> None:
    count = 0

    async def body() -> None:
        nonlocal count
        count += 1

    desk = Desk(process(body))
    assert await until(lambda: count == 4) == pytest.approx(1.4, abs=0.1)
    assert desk.reports[-1].state.error is None
    await desk.close()


@virtually
async def test_a_store_that_is_away_is_said_in_a_line_and_a_failure_with_where_it_came_from(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.clear()  # played in several orders
    errors: list[Exception] = [Unavailable("nothing listens there"), ValueError("no luck")]

    async def body() -> None:
        if errors:
            raise errors.pop(0)
        await asyncio.get_running_loop().create_future()

    desk = Desk(process(body))
    await until(lambda: desk.reports and desk.reports[-1].state.restarts == 2)
    away, failed = [one for one in caplog.records if one.name == "aecorpy.processing.worker"]
    assert (away.levelname, away.exc_info) == ("WARNING", None)
    assert away.getMessage().endswith("(jobs 0) has ended, and is started again: nothing listens there")
    assert failed.levelname == "ERROR"
    assert failed.exc_info is not None
    await desk.close()


@virtually
async def test_after_a_stable_minute_the_pauses_begin_anew() -> None:
    began: list[float] = []

    async def body() -> None:
        began.append(asyncio.get_running_loop().time())
        await asyncio.sleep(61.0 if len(began) == 4 else 0.0)
        raise ValueError("again")

    desk = Desk(process(body))
    await until(lambda: len(began) == 6, 200)
    pauses = [later - earlier for earlier, later in pairwise(began)]
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 61.2, 0.4], abs=0.01)
    await desk.close()


@virtually
async def test_a_handed_off_worker_exits_when_its_process_has_ended() -> None:
    log = Log()
    desk = Desk(process(log.forever))
    await desk.becomes("running")
    await until(lambda: log.began)
    desk.tell(Retire())
    await desk.becomes("gone")
    assert log.ended == ["cancelled"]
    assert desk.states == ["running", "stopping", "gone"]
    await desk.close()


@virtually
async def test_a_worker_in_a_pause_exits_at_once_when_handed_off() -> None:
    log = Log()
    desk = Desk(process(log.failing))
    await until(lambda: len(log.began) == 8)
    await desk.becomes("waiting")
    desk.tell(Retire())
    assert await desk.becomes("gone") < 0.1
    count = len(log.began)
    await asyncio.sleep(60)
    assert len(log.began) == count
    await desk.close()


class Mute(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("nothing to say")


@virtually
async def test_a_process_whose_error_has_no_text_is_run_again_as_any_other() -> None:
    count = 0

    async def body() -> None:
        nonlocal count
        count += 1
        raise Mute

    desk = Desk(process(body))
    await until(lambda: count == 3)
    assert desk.reports[-1].state.error == "Mute"
    await desk.close()


class Stubborn:
    """Ignores being cancelled so many times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.cancelled = 0
        self.end = asyncio.Event()

    async def __call__(self) -> None:
        while self.cancelled <= self.times:
            try:
                await self.end.wait()
                return
            except asyncio.CancelledError:
                self.cancelled += 1


@virtually
async def test_a_process_that_hangs_at_shutdown_is_cancelled_after_the_bound() -> None:
    body = Stubborn(1)
    desk = Desk(process(body), patience=Patience(stop_seconds=3.0))
    await desk.becomes("running")
    await asyncio.sleep(0.1)
    desk.tell(Retire())
    assert await desk.becomes("gone") == pytest.approx(3.0, abs=0.1)
    assert body.cancelled == 2
    await desk.close()


@virtually
async def test_a_process_that_never_stops_is_said_to_be_stuck_and_keeps_its_place() -> None:
    body = Stubborn(10)
    desk = Desk(process(body), patience=Patience(stop_seconds=3.0))
    await asyncio.sleep(0.1)
    desk.tell(Retire())
    assert await desk.becomes("stuck") == pytest.approx(6.0, abs=0.1)
    assert "only the end of its node's process ends it" in str(desk.reports[-1].state.error)
    await asyncio.sleep(30)
    assert desk.state == "stuck"
    body.end.set()
    await until(lambda: desk.state == "gone" or body.cancelled > 0)
    await desk.close()


@virtually
async def test_a_paused_process_does_not_run_until_it_is_resumed() -> None:
    log = Log()
    desk = Desk(process(log.forever), Control(paused=True, revision=4))
    await desk.becomes("paused")
    await asyncio.sleep(100)
    assert log.began == []
    desk.tell(Wanted(Control(paused=False, revision=5)))
    await desk.becomes("running")
    desk.tell(Wanted(Control(paused=True, revision=4)))  # said before, seen later
    await asyncio.sleep(10)
    assert desk.state == "running"
    desk.tell(Wanted(Control(paused=True, revision=6)))
    await desk.becomes("paused")
    assert log.ended == ["cancelled"]
    await desk.close()


@virtually
async def test_a_process_in_a_pause_can_be_paused_and_resumed() -> None:
    log = Log()
    desk = Desk(process(log.failing))
    await until(lambda: len(log.began) == 6)
    await desk.becomes("waiting")
    desk.tell(Wanted(Control(paused=True, revision=1)))
    await desk.becomes("paused")
    await asyncio.sleep(100)
    assert len(log.began) == 6
    desk.tell(Wanted(Control(paused=False, revision=2)))
    assert await until(lambda: len(log.began) == 8) == pytest.approx(0.2, abs=0.1)
    await desk.close()


@virtually
async def test_a_process_begins_anew_when_management_wants_that() -> None:
    log = Log()
    desk = Desk(process(log.forever))
    await until(lambda: log.began)
    desk.tell(Wanted(Control(revision=1, anew=1)))
    await until(lambda: len(log.began) == 2)
    assert log.ended == ["cancelled"]
    assert desk.states == ["running", "stopping", "running"]
    await desk.close()


@virtually
async def test_an_instance_that_is_not_the_newest_leaves_it_to_the_shard() -> None:
    async def body() -> None:
        raise Fenced("job", 7, 9)

    desk = Desk(process(body))
    await until(lambda: desk.shard.got)
    (lost,) = desk.shard.got
    assert isinstance(lost, ShardLost)
    assert (lost.epoch, lost.current) == (7, 9)
    await asyncio.sleep(100)
    assert desk.states == ["running", "idle"]
    await desk.close()


@virtually
async def test_a_newer_epoch_that_a_task_group_met_is_told_to_the_shard() -> None:
    async def commit() -> None:
        raise Fenced("the job", 7, 9)

    async def body() -> None:
        async with asyncio.TaskGroup() as group, asyncio.TaskGroup() as inner:
            group.create_task(asyncio.sleep(60))
            inner.create_task(commit())

    desk = Desk(process(body))
    await desk.becomes("idle")
    (lost,) = desk.shard.got
    assert isinstance(lost, ShardLost)
    assert (lost.epoch, lost.current) == (7, 9)
    await desk.close()


class Away:
    """Pauses a process as soon as the store is there again.

    Args:
        failures: how often it is away.
    """

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.asked = 0

    async def hold(self, error: BaseException) -> None:
        """Fail, or not."""
        self.asked += 1
        if self.asked <= self.failures:
            raise Unavailable("away")


@virtually
async def test_what_wants_to_be_looked_at_is_paused_for_all_once_the_store_is_there_again() -> None:
    async def body() -> None:
        raise HeldProcess("poison")

    store = Away(failures=3)
    desk = Desk(process(body), hold=store.hold)
    await until(lambda: store.asked == 4)
    await asyncio.sleep(100)
    assert (desk.state, store.asked) == ("paused", 4)
    await desk.close()


@virtually
async def test_what_was_let_run_again_meanwhile_is_not_paused_by_the_old_wish() -> None:
    runs = 0

    async def body() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise HeldProcess("poison")
        await asyncio.get_running_loop().create_future()

    store = Away(failures=1_000_000)
    desk = Desk(process(body), hold=store.hold)
    await until(lambda: store.asked == 3)
    desk.tell(Wanted(Control(revision=1)))
    await desk.becomes("running")
    await asyncio.sleep(60)
    asked = store.asked
    await asyncio.sleep(60)
    assert (desk.state, store.asked) == ("running", asked)
    await desk.close()


@virtually
async def test_a_process_that_wants_to_be_looked_at_is_paused_for_all() -> None:
    held: list[str] = []

    async def hold(error: BaseException) -> None:
        held.append(str(error))

    async def body() -> None:
        raise HeldProcess("poison")

    desk = Desk(process(body), hold=hold)
    await desk.becomes("paused")
    await until(lambda: held)
    await asyncio.sleep(100)
    assert (desk.state, held) == ("paused", ["poison"])
    await desk.close()


class ByHand(RunningProcess):
    """An instance without a task of its own."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.asked = 0

    async def watch_termination(self) -> None:
        """Until it is over."""
        await self.over.wait()

    async def shutdown(self) -> None:
        """Takes a second."""
        self.asked += 1
        await asyncio.sleep(1)
        self.over.set()


@virtually
async def test_a_process_made_by_hand_is_asked_to_end_and_waited_for() -> None:
    made: list[ByHand] = []

    class Recipe(Process):
        async def run(self, context: ProcessContext) -> RunningProcess:
            made.append(ByHand())
            return made[-1]

    desk = Desk(Recipe("by hand"))
    await until(lambda: made)
    desk.tell(Retire())
    assert await desk.becomes("gone") == pytest.approx(1.0, abs=0.1)
    assert made[0].asked == 1
    await desk.close()


@virtually
async def test_a_process_over_an_iterator_handles_each_item_and_finishes_the_one_under_way() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    handled: list[int] = []

    async def source(_: ProcessContext) -> AsyncIterator[int]:
        while True:
            yield await queue.get()

    async def handle(item: int) -> None:
        await asyncio.sleep(1)
        handled.append(item)

    desk = Desk(Process.each("drain", source, handle))
    for item in range(3):
        queue.put_nowait(item)
    await until(lambda: handled == [0, 1])
    await asyncio.sleep(0.5)
    desk.tell(Retire())
    await desk.becomes("gone")
    assert handled == [0, 1, 2]
    await desk.close()


@virtually
async def test_an_iterator_that_ends_is_taken_up_again_and_one_that_fails_says_so() -> None:
    rounds = 0

    async def source(_: ProcessContext) -> AsyncIterator[int]:
        nonlocal rounds
        rounds += 1
        yield rounds
        if rounds == 2:
            raise ValueError("broken")

    async def handle(_: int) -> None:
        await asyncio.sleep(0)

    desk = Desk(Process.each("drain", source, handle), patience=Patience(pauses=Retry(0.1, 1.0)))
    await until(lambda: rounds == 3)
    assert desk.reports[-1].state.error == "ValueError: broken"
    await desk.close()


async def test_a_process_that_blocks_the_loop_is_a_process_like_any_other_afterwards() -> None:
    blocked = 0

    async def body() -> None:
        nonlocal blocked
        blocked += 1
        time.sleep(0.05)  # noqa: ASYNC251 - this is the fault
        raise ValueError("blocked")

    desk = Desk(process(body), patience=Patience(pauses=Retry(0.01, 0.01)))
    await until(lambda: blocked == 3)
    assert desk.reports[-1].state.error == "ValueError: blocked"
    await desk.close()


def test_a_state_of_every_kind_can_be_written_and_read() -> None:
    from aecorpy.processing.states import ProcessState, state_of
    from journal.records import Note
    from tests.aecorpy.conftest import NOW

    details: dict[str, Any] = {"handled": 3, "trouble": {"a-1": (4, 2, "ValueError: \udc80")}}
    state = ProcessState("jobs", 3, "job", "node-1", 9, 12, "running", 1.5, 2, "no \ud800", ("a-1", "a-2"), details)
    note = Note(*state.note()[:3], epoch=12, revision=1, written_at=NOW)
    read = state_of(note)
    assert (read.name, read.tags, read.said_at) == ("job", ("a-1", "a-2"), NOW)
    assert read.details is not None
    assert read.details["trouble"]["a-1"][:2] == (4, 2)


@virtually
async def test_what_wants_to_be_looked_at_when_it_moves_is_paused_before_it_goes() -> None:
    """Otherwise the next node would run it again."""
    held: list[str] = []

    async def hold(error: BaseException) -> None:
        await asyncio.sleep(0.5)
        held.append(str(error))

    async def items(_: ProcessContext) -> AsyncIterator[int]:
        yield 1

    async def handle(_: int) -> None:
        await asyncio.sleep(1)
        raise HeldProcess("poison")

    desk = Desk(Process.each("job", items, handle), hold=hold)
    await desk.becomes("running")
    desk.tell(Retire())
    await desk.becomes("gone")
    assert held == ["poison"]
    await desk.close()


@virtually
async def test_what_is_about_to_be_paused_moves_all_the_same_when_the_store_is_away_for_long() -> None:
    async def body() -> None:
        raise HeldProcess("poison")

    store = Away(failures=1_000_000)
    desk = Desk(process(body), hold=store.hold)
    await until(lambda: store.asked == 3)
    desk.tell(Retire())
    assert await desk.becomes("gone") == pytest.approx(5.0, abs=0.1)
    await desk.close()
