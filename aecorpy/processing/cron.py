"""A process that does something at the times of a cron expression, by the clocks of a place.

>>> async def report(run: CronRun) -> None:
...     await send_report(run.due)
>>> cron("report", "0 6 * * MON-FRI", report, zone="Europe/Berlin")

Needs the extra `cron` (`pip install aecorpy[cron]`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from aecorpy.errors import InvalidDefinition
from aecorpy.processing.process import Process, ProcessContext
from aecorpy.processing.store_clock import StoreClock
from aecorpy.schedule.missed import Late, Missed, is_dropped
from journal.contract import Transaction

if TYPE_CHECKING:
    from cronsim import CronSim

MEASURE_SECONDS = 30.0

_log = logging.getLogger(__name__)


class CronRun:
    """One run that is due.

    Args:
        context: of the process's instance.
        due: the time of the expression at which it runs, in UTC.
    """

    def __init__(self, context: ProcessContext, due: datetime) -> None:
        self.context = context
        self.due = due

    @property
    def done(self) -> bool:
        """Whether it is recorded as done, so that it does not come again."""
        return self.context.cursor >= _cursor(self.due)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that also records the run as done: what commits with it happens exactly once.

        Raises:
            Fenced, OutcomeUnknown: as `ProcessContext.transaction`.
        """
        return self.context.transaction(cursor=_cursor(self.due))


class CronTimes:
    """The times of a cron expression.

    Args:
        expression: five fields as in crontab (minute, hour, day of month, month, day of week), or six with seconds
            first.
        zone: by whose clocks, such as "Europe/Berlin".

    Raises:
        InvalidDefinition: the expression or the zone is none, or the extra `cron` is not installed.
    """

    def __init__(self, expression: str, zone: str) -> None:
        try:
            from cronsim import CronSim, CronSimError
        except ImportError as error:
            raise InvalidDefinition("cron needs a package of its own: pip install 'aecorpy[cron]'") from error
        self._expression = expression
        self._sim: type[CronSim] = CronSim
        try:
            self._zone = ZoneInfo(zone)
            CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))
        except (CronSimError, ValueError, KeyError, OSError) as error:
            raise InvalidDefinition(f"cron {expression!r} in {zone!r}: {error}") from error

    def after(self, instant: datetime) -> datetime | None:
        """The first time after `instant`, in UTC; None if there is none any more."""
        return self._first(instant.astimezone(self._zone))

    def latest(self, instant: datetime) -> datetime | None:
        """The last time that is not after `instant`, in UTC; None if there was none."""
        # With a fraction of a second, the whole second before it counts, too.
        return self._first(instant.astimezone(self._zone).replace(microsecond=1), reverse=True)

    def _first(self, local: datetime, *, reverse: bool = False) -> datetime | None:
        found = next(self._sim(self._expression, local, reverse=reverse), None)
        return None if found is None else found.astimezone(UTC)


def cron(
    name: str,
    expression: str,
    run: Callable[[CronRun], Awaitable[None]],
    *,
    zone: str = "UTC",
    missed: Missed | None = None,
) -> Process:
    """A process that awaits `run` at the times of a cron expression, by the database's clock.

    It begins with the first time after its first start ever. A run counts as done when it returns, or when the
    transaction of `CronRun.transaction` commits; one that ended otherwise, or raised, comes again. Runs never overlap.
    Of several times that passed while nothing ran, or while a run took long, only the last counts.

    Args:
        name: unique in its deployment; a process of another name begins anew.
        expression: see `CronTimes`; five fields as in crontab, or six with seconds first.
        run: what to do; when the process is to stop, the run under way may end.
        zone: by whose clocks. Where these are set forward, a fixed time that they skip comes right after the gap; where
            they are set back, it comes once; times with `*` go on hour by hour. That is what Debian's cron does.
        missed: what becomes of a time that passed: it is made up (`Late()`, the default), or dropped if that
            would be later than so much (`Drop`).

    Raises:
        InvalidDefinition: the expression or the zone is none, or the extra `cron` is not installed.
    """
    times, wish = CronTimes(expression, zone), Late() if missed is None else missed

    async def handle(one: CronRun) -> None:
        await run(one)
        if not one.done:
            await _record(one)

    return Process.each(name, lambda context: _runs(context, times, wish), handle)


async def _runs(context: ProcessContext, times: CronTimes, missed: Missed) -> AsyncIterator[CronRun]:
    clock = StoreClock(context.database, asyncio.get_running_loop().time, every=MEASURE_SECONDS)
    await clock.measure()
    if context.cursor == 0:
        await _record(CronRun(context, clock.now()))
    while (due := times.after(datetime.fromtimestamp(context.cursor, UTC))) is not None:
        await clock.sleep_until(due)
        now = clock.now()
        run = CronRun(context, max(due, times.latest(now) or due))
        if is_dropped(missed, now - run.due):
            _log.warning("process %s: the run of %s is dropped, it is %s now", context.name, run.due, now)
            await _record(run)
        else:
            yield run


async def _record(run: CronRun) -> None:
    async with run.transaction():
        pass


def _cursor(instant: datetime) -> int:
    return int(instant.timestamp())
