"""What fires one part of a schedule, on virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aecorpy import CommandFailed, Unavailable
from aecorpy.schedule import firing as module
from aecorpy.schedule import pending
from aecorpy.schedule.firing import Firing
from journal.memory import MemoryDatabase
from tests.aecorpy.schedule.reminders import Reminders
from tests.faulty_store import FaultyDatabase, lost_after, unavailable
from tests.sharding.virtually import until, virtually

START = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = pending(Reminders)


class Part:
    """A part of a schedule, with timers that say when they were told."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self.ahead = 0.0
        self.begun = self.clock()
        self.database = FaultyDatabase(MemoryDatabase(clock=self.clock))
        self.firing = Firing(self.database, TABLE.spec, 3, self._fire, lambda one: one.create_table(TABLE.spec))
        self.told: list[tuple[str, float]] = []
        self.fails: Tally[str] = Tally()
        self.under_way = self.most_under_way = 0
        self.seconds = 0.0

    def clock(self) -> datetime:
        """The database's."""
        return START + timedelta(seconds=self._time() + self.ahead)

    async def _fire(self, key: str, now: datetime) -> bool:
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        try:
            await asyncio.sleep(self.seconds)
            if self.fails[key] > 0:
                self.fails[key] -= 1
                raise Unavailable("no owner") if self.fails[key] % 2 else CommandFailed("Reminders", key, "fire", "bug")
            self.told.append((key, round((self.clock() - self.begun).total_seconds(), 3)))
            await self._rows(gone=(key,))
            self.firing.over(key)
            return True
        finally:
            self.under_way -= 1

    async def _rows(self, put: tuple[Any, ...] = (), gone: tuple[str, ...] = ()) -> None:
        async with self.database.inner.transaction() as transaction:
            await transaction.put_rows(TABLE.spec, put)
            await transaction.delete_rows(TABLE.spec, gone)

    def was_told(self, place: int, key: str, seconds: float) -> bool:
        """Whether the timer was told then, to the millisecond."""
        told, when = self.told[place]
        return told == key and abs(when - seconds) <= 0.001

    async def set(self, *timers: tuple[str, float], part: int = 3, noticed: bool = True) -> None:
        """Timers that are due in so many seconds from the beginning."""
        await self.database.inner.create_table(TABLE.spec)
        dues = [(key, self.begun + timedelta(seconds=seconds)) for key, seconds in timers]
        await self._rows(tuple((key, due, part) for key, due in dues))
        for key, due in dues if noticed else ():
            self.firing.noticed(key, due)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.firing.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled(), task.exception()


@virtually
async def test_each_is_told_at_its_millisecond() -> None:
    part = Part()
    await part.set(("past", -5), ("b", 2.345), ("far", 40.001))
    await part.set(("another's", 1), part=2, noticed=False)
    async with part.running():
        await asyncio.sleep(1)
        await part.set(("a", 1.5), ("now", 0.5))
        await until(lambda: len(part.told) == 5, 60)
    assert [key for key, _ in part.told] == ["past", "now", "a", "b", "far"]
    assert dict(part.told)["a"] == pytest.approx(1.5, abs=0.001)
    assert dict(part.told)["b"] == pytest.approx(2.345, abs=0.001)
    assert dict(part.told)["far"] == pytest.approx(40.001, abs=0.001)


@virtually
async def test_the_databases_clock_counts_and_is_followed_when_it_is_set() -> None:
    part = Part()
    await part.set(("a", 30), ("b", 60))
    async with part.running():
        await asyncio.sleep(10)
        part.ahead = 25.0
        await until(lambda: part.told, 6)
        assert part.told[0][0] == "a"
        part.ahead = 0.0
        await until(lambda: len(part.told) == 2, 60)
    assert part.was_told(1, "b", 60)


@virtually
async def test_one_that_cannot_be_told_is_told_again_and_keeps_no_other_waiting() -> None:
    part = Part()
    part.fails["bad"] = 4
    await part.set(("bad", 1), ("good", 1.001))
    async with part.running():
        await until(lambda: len(part.told) == 2, 60)
    (first, when), (second, last) = part.told
    assert (first, second) == ("good", "bad")
    assert when == pytest.approx(1.001, abs=0.001)
    assert 3 < last < 5, "after pauses of 0.2, 0.4, 0.8 and 1.6 s"


@virtually
async def test_while_the_store_is_away_what_is_in_memory_fires_and_the_rest_later() -> None:
    part = Part()
    await part.set(("near", 4), ("far", 20))
    async with part.running():
        await asyncio.sleep(1)
        part.database.always("now", unavailable())
        await until(lambda: part.told, 10)
        assert part.was_told(0, "near", 4)
        await until(lambda: len(part.told) == 2, 60)
        part.database.heal()
    assert part.was_told(1, "far", 20)


@virtually
async def test_rows_that_were_written_unnoticed_are_found_at_once_when_that_may_be() -> None:
    part = Part()
    async with part.running():
        await asyncio.sleep(1)
        await part.set(("a", 1.5), noticed=False)
        part.firing.unsure()
        await until(lambda: part.told, 2)
    assert part.was_told(0, "a", 1.5)


@virtually
async def test_it_waits_for_a_store_that_is_away_at_the_start() -> None:
    part = Part()
    part.database.on("create_table", unavailable(), lost_after())
    part.database.on("now", unavailable(), unavailable())
    await part.set(("a", 0))
    async with part.running():
        await until(lambda: part.told, 10)


def test_more_than_memory_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_IN_MEMORY", 20)
    monkeypatch.setattr(module, "MOST_UNDER_WAY", 7)

    @virtually
    async def run() -> None:
        part = Part()
        part.seconds = 0.1
        await part.set(*[(f"t{number:03}", number / 100) for number in range(300)], noticed=False)
        async with part.running():
            await asyncio.sleep(0.5)
            await part.set(*[(f"u{number:03}", 0.5 + number / 100) for number in range(300)])
            await until(lambda: len(part.told) == 600, 60)
        assert Tally(key for key, _ in part.told).most_common(1)[0][1] == 1
        assert part.most_under_way == 7

    run()
