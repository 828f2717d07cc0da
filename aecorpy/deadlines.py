"""Deadlines of many waiting calls with one timer, instead of a timer each."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

Waiting: TypeAlias = "tuple[float, asyncio.Future[Any], Callable[[], Exception]]"


def checked_seconds(seconds: float) -> float:
    """Return `seconds` if one can wait that long.

    Raises:
        ValueError: it is not a number.
    """
    if math.isnan(seconds):
        raise ValueError(f"a deadline of {seconds} seconds: use a number")
    return seconds


class Deadlines:
    """Fails futures whose time is over; one first-in-first-out queue per length of deadline.

    Args:
        loop: whose clock counts.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queues: dict[float, deque[Waiting]] = {}
        self._timers: dict[float, asyncio.TimerHandle] = {}
        self._outstanding = 0
        self._drained: list[asyncio.Future[None]] = []

    @property
    def outstanding(self) -> int:
        """How many calls wait for an answer."""
        return self._outstanding

    def begin(
        self, future: asyncio.Future[Any], seconds: float, expires_at: float, error: Callable[[], Exception]
    ) -> None:
        """Fail `future` with `error()` unless it is done at `expires_at`, which is `seconds` from now.

        The caller says `end` once when it waits no longer.
        """
        self._outstanding += 1
        queue = self._queues.get(seconds)
        if queue is None:
            if len(self._queues) > 1_000 + 2 * self._outstanding:  # each call has a length of its own
                self._forget_answered()
            queue = self._queues[seconds] = deque()
        while queue and queue[0][1].done():
            queue.popleft()
        if len(queue) > 1_000 + 2 * self._outstanding:  # a slow call at the head must not keep the answered behind it
            queue = self._queues[seconds] = deque(waiting for waiting in queue if not waiting[1].done())
        queue.append((expires_at, future, error))
        if seconds not in self._timers:
            self._timers[seconds] = self._loop.call_at(expires_at, self._expire, seconds)

    def end(self) -> None:
        """A caller that said `begin` waits no longer."""
        self._outstanding -= 1
        if not self._outstanding and self._drained:
            self._tell_drained()

    async def drained(self) -> None:
        """Return when no call waits."""
        if self._outstanding:
            waiter = self._loop.create_future()
            self._drained.append(waiter)
            await waiter

    def close(self) -> None:
        """Stop the timers. Calls that still wait get no deadline any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _forget_answered(self) -> None:
        for seconds in list(self._queues):
            waiting = deque(one for one in self._queues[seconds] if not one[1].done())
            if waiting:
                self._queues[seconds] = waiting
            else:
                self._timers.pop(seconds).cancel()
                del self._queues[seconds]

    def _expire(self, seconds: float) -> None:
        queue = self._queues[seconds]
        now = self._loop.time()
        while queue and (queue[0][0] <= now or queue[0][1].done()):
            _, future, error = queue.popleft()
            if not future.done():
                future.set_exception(error())
        if queue:
            self._timers[seconds] = self._loop.call_at(queue[0][0], self._expire, seconds)
        else:
            del self._timers[seconds], self._queues[seconds]

    def _tell_drained(self) -> None:
        waiting, self._drained = self._drained, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
