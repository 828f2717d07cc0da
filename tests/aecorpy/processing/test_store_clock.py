"""The database's clock, as nodes go by it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aecorpy.processing.store_clock import StoreClock
from journal.memory import MemoryDatabase
from tests.faulty_store import Fault, FaultyDatabase, unavailable
from tests.sharding.virtually import virtually

START = datetime(2026, 1, 1, tzinfo=UTC)


class Slow(Fault):
    """The answer takes a while; the clock is read half-way."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def around(self, operation: Callable[[], Awaitable[Any]]) -> Any:
        await asyncio.sleep(self.seconds / 2)
        answer = await operation()
        await asyncio.sleep(self.seconds / 2)
        return answer


def behind(clock: StoreClock) -> float:
    """Milliseconds by which it is behind the true time."""
    return (START + timedelta(seconds=asyncio.get_running_loop().time()) - clock.now()) / timedelta(milliseconds=1)


def started() -> tuple[FaultyDatabase, StoreClock]:
    time = asyncio.get_running_loop().time
    database = FaultyDatabase(MemoryDatabase(clock=lambda: START + timedelta(seconds=time())))
    return database, StoreClock(database, time)


@virtually
async def test_it_is_never_ahead_and_the_quickest_of_three_answers_counts() -> None:
    database, clock = started()
    with pytest.raises(RuntimeError, match="never measured"):
        clock.now()
    database.on("now", Slow(2.0), Slow(0.1), Slow(0.6))
    await clock.measure()
    assert behind(clock) == pytest.approx(50, abs=1)
    await asyncio.sleep(100)
    assert behind(clock) == pytest.approx(50, abs=1)
    await clock.measure()
    assert 0 <= behind(clock) < 1


@virtually
async def test_it_goes_on_while_the_database_is_away_and_sleeps_by_it() -> None:
    database, clock = started()
    await clock.measure()
    database.always("now", unavailable())
    measuring = asyncio.ensure_future(clock.measure())
    await asyncio.sleep(30)
    assert not measuring.done()
    assert behind(clock) < 1
    database.heal()
    await measuring
    until = START + timedelta(seconds=100)
    await clock.sleep_until(until)
    assert 0 <= (clock.now() - until).total_seconds() < 0.01
    await clock.sleep_until(START)
