"""Processes at the times of a cron expression, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aecorpy import Fenced, InvalidDefinition, OutcomeUnknown
from aecorpy.processing.cron import CronRun, CronTimes, cron
from aecorpy.processing.process import ProcessContext, claim_cursor
from aecorpy.schedule import Drop
from journal.memory import MemoryDatabase
from tests.faulty_store import FaultyDatabase, lost_after
from tests.sharding.virtually import until, virtually

START = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC)
Run = Callable[[CronRun], Awaitable[None]]


class Clockwork:
    """A process that runs every minute, and its database."""

    def __init__(self) -> None:
        time = asyncio.get_running_loop().time
        self.database = FaultyDatabase(MemoryDatabase(clock=lambda: START + timedelta(seconds=time())))
        self.epoch = 0
        self.ran: list[str] = []
        self.context: ProcessContext | None = None

    async def note(self, run: CronRun) -> None:
        """What runs."""
        self.ran.append(f"{run.due:%H:%M}")

    @asynccontextmanager
    async def running(self, body: Run | None = None, expression: str = "* * * * *", **options: Any) -> Any:
        """An instance of it, under a newer epoch."""
        self.epoch += 1
        cursor = await claim_cursor(self.database, "jobs", "job", self.epoch)
        self.context = ProcessContext("jobs", "job", 0, "node", self.epoch, self.database, cursor)
        instance = await cron("job", expression, body or self.note, **options).run(self.context)
        watched = asyncio.ensure_future(instance.watch_termination())
        try:
            yield watched
        finally:
            await instance.shutdown()
            await asyncio.wait([watched])
        await watched

    async def to_its_end(self, body: Run) -> None:
        """Let an instance run until it ends by itself."""
        async with self.running(body) as watched:
            await asyncio.wait([watched])


@virtually
async def test_it_runs_at_each_time_from_its_first_start_on() -> None:
    work = Clockwork()
    begun = asyncio.get_running_loop().time()
    async with work.running():
        assert await until(lambda: len(work.ran) == 3, 160) == pytest.approx(150, abs=0.1)
    assert work.ran == ["12:01", "12:02", "12:03"]
    assert asyncio.get_running_loop().time() - begun < 151, "stopping it is a matter of no time"


@virtually
async def test_a_new_instance_goes_on_and_makes_up_the_last_missed_time() -> None:
    work = Clockwork()
    async with work.running():
        await until(lambda: work.ran, 40)
    await asyncio.sleep(200)
    async with work.running():
        await until(lambda: len(work.ran) == 3, 70)
    assert work.ran == ["12:01", "12:04", "12:05"]


@virtually
async def test_or_drops_it() -> None:
    work = Clockwork()
    options: dict[str, Any] = {"missed": Drop(after=timedelta(seconds=10))}
    async with work.running(**options):
        await until(lambda: work.ran, 40)
    await asyncio.sleep(200)  # until 12:04:20
    async with work.running(**options):
        await until(lambda: len(work.ran) == 2, 70)
    await asyncio.sleep(65)  # until 12:06:05
    async with work.running(**options):
        await until(lambda: len(work.ran) == 3, 5)
    assert work.ran == ["12:01", "12:05", "12:06"]


@virtually
async def test_a_run_that_fails_or_is_cut_short_comes_again() -> None:
    work = Clockwork()

    async def fails(run: CronRun) -> None:
        await work.note(run)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await work.to_its_end(fails)
    async with work.running():
        await until(lambda: len(work.ran) == 3, 70)
    assert work.ran == ["12:01", "12:01", "12:02"]


@virtually
async def test_a_run_under_way_may_end_before_the_process_does_and_is_done_then() -> None:
    work = Clockwork()
    begun = asyncio.Event()

    async def slow(run: CronRun) -> None:
        begun.set()
        await asyncio.sleep(90)
        await work.note(run)

    async with work.running(slow):
        await begun.wait()
    assert work.ran == ["12:01"]
    async with work.running():
        await until(lambda: len(work.ran) == 3, 70)
    assert work.ran == ["12:01", "12:02", "12:03"], "12:02 was missed by that, and is made up"


@virtually
async def test_what_commits_with_the_run_is_once() -> None:
    work = Clockwork()

    async def body(run: CronRun) -> None:
        await work.note(run)
        async with run.transaction():
            assert not run.done
        assert run.done
        raise ValueError("after that")

    with pytest.raises(ValueError, match="after that"):
        await work.to_its_end(body)
    async with work.running():
        await until(lambda: len(work.ran) == 2, 70)
    assert work.ran == ["12:01", "12:02"]


@virtually
async def test_an_instance_that_was_taken_over_records_nothing() -> None:
    work = Clockwork()

    async def body(run: CronRun) -> None:
        await claim_cursor(work.database, "jobs", "job", 9)

    with pytest.raises(Fenced):
        await work.to_its_end(body)


@virtually
async def test_a_lost_answer_to_the_record_ends_the_instance_and_runs_nothing_twice() -> None:
    work = Clockwork()

    async def body(run: CronRun) -> None:
        await work.note(run)
        work.database.on("commit", lost_after())

    with pytest.raises(OutcomeUnknown, match="connection lost"):
        await work.to_its_end(body)
    async with work.running():
        await until(lambda: len(work.ran) == 3, 140)
    assert work.ran == ["12:01", "12:02", "12:03"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "begin", "expected"),
    [
        ("30 2 * * *", "2026-03-28 12:00", ["29 01:00", "30 00:30"]),  # 02:30 is skipped: at 03:00 instead
        ("30 2 * * *", "2026-10-24 12:00", ["25 00:30", "26 01:30"]),  # 02:30 is there twice: the first
        ("0 9 * * *", "2026-03-28 00:00", ["28 08:00", "29 07:00"]),
        ("30 * * * *", "2026-10-25 00:00", ["25 00:30", "25 01:30", "25 02:30"]),
        ("30 * * * *", "2026-03-29 00:00", ["29 00:30", "29 01:30"]),
        ("*/20 0 0 * * *", "2026-03-09 22:59:59", ["09 23:00", "09 23:00", "09 23:00", "10 23:00"]),
    ],
)
def test_times_on_days_when_clocks_change(expression: str, begin: str, expected: list[str]) -> None:
    times = CronTimes(expression, "Europe/Berlin")
    now, found = at(begin), []
    for _ in expected:
        following = times.after(now)
        assert following is not None
        assert following > now
        assert times.latest(following) == following
        found.append(f"{following:%d %H:%M}")
        now = following
    assert found == expected


def test_what_never_comes_and_what_makes_no_sense() -> None:
    assert CronTimes("0 0 29 2 *", "UTC").after(at("2026-01-01")) == at("2028-02-29")
    for expression, zone in (
        ("61 * * * *", "UTC"),
        ("* * *", "UTC"),
        ("0 0 30 2 *", "UTC"),
        ("* * * * *", "Mars/Base"),
    ):
        with pytest.raises(InvalidDefinition, match="cron"):
            cron("job", expression, Clockwork.note, zone=zone)  # type: ignore[arg-type]


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cronsim", None)
    with pytest.raises(InvalidDefinition, match=r"aecorpy\[cron\]"):
        CronTimes("* * * * *", "UTC")
