"""What tells the timers of one part of a schedule that they are due, beside the process that keeps their rows."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from aecorpy.errors import OutcomeUnknown, Unavailable
from aecorpy.pauses import Retry
from aecorpy.processing.store_clock import StoreClock
from aecorpy.schedule.near_timers import NearTimers
from journal.contract import Database
from journal.records import TableSpec

AHEAD = timedelta(seconds=10)
MOST_IN_MEMORY = 10_000
MOST_UNDER_WAY = 500
READ_PAUSE = 0.05  # the least time between two looks at the rows, when there are more than memory takes
PAUSES = Retry(0.2, 30.0)

_log = logging.getLogger(__name__)


class Firing:
    """Tells each timer of a part that it is due. That it fires once is the timer's own matter, however often it hears.

    Args:
        database: where the rows of pending timers are.
        table, part: which rows.
        fire: tells a timer, by id, that it is due, and what time it is; answers whether that decided it.
        prepare: creates the table where it is missing.
    """

    def __init__(
        self,
        database: Database,
        table: TableSpec,
        part: int,
        fire: Callable[[str, datetime], Awaitable[bool]],
        prepare: Callable[[Database], Awaitable[None]],
    ) -> None:
        self._database = database
        self._table = table
        self._part = part
        self._fire = fire
        self._prepare = prepare
        self._near = NearTimers(MOST_IN_MEMORY, datetime.min.replace(tzinfo=UTC))
        self._changed = asyncio.Event()
        self._short = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._failures: Counter[str] = Counter()
        self._clock: StoreClock | None = None

    # --- what the view says

    def noticed(self, key: str, due: datetime) -> None:
        """A timer was set."""
        self._near.noticed(key, due)
        self._changed.set()

    def over(self, key: str) -> None:
        """A timer's row is gone."""
        self._near.over(key)

    def unsure(self) -> None:
        """Rows may have been written of which nothing was said: read them again."""
        self._short.set()

    # --- running

    async def run(self) -> None:
        """Fire what is due, until cancelled."""
        loop = asyncio.get_running_loop()
        clock = self._clock = StoreClock(self._database, loop.time)
        await self._patiently(lambda: self._prepare(self._database))
        await clock.measure()
        self._near = NearTimers(MOST_IN_MEMORY, clock.now())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(clock.keep())
                group.create_task(self._keep_reading(clock))
                group.create_task(self._keep_firing(clock, group))
        finally:
            self._under_way.clear()
            self._clock = None

    async def _keep_firing(self, clock: StoreClock, group: asyncio.TaskGroup) -> None:
        while True:
            self._changed.clear()
            now = clock.now()
            for key in self._near.take(now, MOST_UNDER_WAY - len(self._under_way)):
                task = group.create_task(self._tell(clock, key))
                self._under_way.add(task)
                task.add_done_callback(self._told)
            if self._is_short(now):
                self._short.set()
            next_at = self._near.next_at()
            full = len(self._under_way) >= MOST_UNDER_WAY
            await self._change(None if full or next_at is None else clock.seconds_until(next_at))

    async def _change(self, within: float | None) -> None:
        try:
            async with asyncio.timeout(None if within is None else max(0.0, within)):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _told(self, task: asyncio.Task[None]) -> None:
        if len(self._under_way) >= MOST_UNDER_WAY:
            self._changed.set()
        self._under_way.discard(task)

    def _is_short(self, now: datetime) -> bool:
        return len(self._near) < MOST_IN_MEMORY // 2 and self._near.horizon < now + AHEAD / 2

    async def _tell(self, clock: StoreClock, key: str) -> None:
        try:
            decided = await self._fire(key, clock.now())
        except Exception as error:  # noqa: BLE001 - whatever keeps one timer from firing, the others must
            self._failures[key] += 1
            pause = PAUSES.pause(self._failures[key], 0.5)
            level = logging.INFO if isinstance(error, Unavailable | OutcomeUnknown) else logging.ERROR
            _log.log(level, "%s %r is due and told again in %.1f s: %s", self._table.name, key, pause, error)
            self._near.again(key, clock.now() + timedelta(seconds=pause))
            self._changed.set()
        else:
            del self._failures[key]
            self._near.answered(key, decided)

    async def _keep_reading(self, clock: StoreClock) -> None:
        while True:
            self._short.clear()
            await self._patiently(lambda: self._read(clock))
            self._changed.set()
            await asyncio.sleep(READ_PAUSE)
            try:
                async with asyncio.timeout(AHEAD.total_seconds() / 2):
                    await self._short.wait()
            except TimeoutError:
                pass

    async def _read(self, clock: StoreClock) -> None:
        """Take the rows up to the horizon into memory. What is set meanwhile is noticed by itself."""
        horizon = clock.now() + AHEAD
        self._near.extend(horizon)
        count, due = 0, horizon
        rows = self._database.scan(
            self._table, {"part": self._part}, up_to=("due", horizon), order_by="due", limit=MOST_IN_MEMORY
        )
        async for key, due, _ in rows:
            self._near.noticed(key, due)
            count += 1
        if count == MOST_IN_MEMORY:
            self._near.cut(due)

    async def _patiently(self, action: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while True:
            try:
                await action()
            except (Unavailable, OutcomeUnknown) as error:
                failures += 1
                _log.warning("%s waits for the store: %s", self._table.name, error)
                await asyncio.sleep(PAUSES.pause(failures, 0.5))
            else:
                return
