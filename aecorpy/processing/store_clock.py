"""The database's clock, read often and asked seldom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from aecorpy.errors import OutcomeUnknown, Unavailable
from aecorpy.pauses import Retry
from journal.contract import Database

_PAUSES = Retry(0.05, 2.0)
_ENOUGH_SECONDS = 0.005
_TRIES = 3

_log = logging.getLogger(__name__)


class StoreClock:
    """The time by the database's clock, which is one for all nodes, whatever their machines' clocks say.

    Between two measurements it goes by the loop's clock. It is never ahead of the database's, but for what clocks drift
    apart in the meantime (0.2 ms in 2 s, at 100 millionths), and behind it by at most the time that a measurement took.

    Args:
        database: whose clock.
        time: the loop's.
        every: seconds between two measurements.
    """

    def __init__(self, database: Database, time: Callable[[], float], *, every: float = 2.0) -> None:
        self._database = database
        self._time = time
        self._every = every
        self._read: datetime | None = None
        self._read_at = 0.0

    def now(self) -> datetime:
        """The time, in UTC.

        Raises:
            RuntimeError: it was never measured.
        """
        if self._read is None:
            raise RuntimeError("the clock was never measured: await measure() first")
        return self._read + timedelta(seconds=self._time() - self._read_at)

    def seconds_until(self, instant: datetime) -> float:
        """How long until `instant`; less than 0 if it is past."""
        return (instant - self.now()).total_seconds()

    async def measure(self) -> None:
        """Ask the database, up to three times if answers are slow; then the quickest counts.

        While the database is away this waits, and `now` goes on by the last measurement.
        """
        quickest: tuple[float, datetime, float] | None = None
        for _ in range(_TRIES):
            measured = await self._measured()
            if quickest is None or measured[0] < quickest[0]:
                quickest = measured
            if quickest[0] <= _ENOUGH_SECONDS:
                break
        assert quickest is not None
        # The database read its clock before the answer came: so this is at most as late as it really is.
        _, self._read, self._read_at = quickest

    async def keep(self) -> None:
        """Measure again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            await self.measure()

    async def sleep_until(self, instant: datetime) -> None:
        """Return when it is `instant`, by what is measured meanwhile, too."""
        while True:
            seconds = self.seconds_until(instant)
            if seconds <= 0:
                return
            await asyncio.sleep(min(seconds, self._every))
            if seconds > self._every:
                await self.measure()

    async def _measured(self) -> tuple[float, datetime, float]:
        failures = 0
        while True:
            asked = self._time()
            try:
                read = await self._database.now()
            except (Unavailable, OutcomeUnknown) as error:
                failures += 1
                _log.warning("the database's clock cannot be read: %s", error)
                await asyncio.sleep(_PAUSES.pause(failures, 0.5))
            else:
                answered = self._time()
                return answered - asked, read, answered
