"""Deadlines of many waiting calls with one timer, instead of a timer each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

Waiting: TypeAlias = "tuple[float, asyncio.Future[Any], Callable[[], Exception]]"


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

    async def wait(self, future: asyncio.Future[Any], seconds: float, error: Callable[[], Exception]) -> Any:
        """The future's result, or `error()` raised when it has none after `seconds`."""
        self._watch(future, seconds, error)
        self._outstanding += 1
        try:
            return await future
        finally:
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

    def _watch(self, future: asyncio.Future[Any], seconds: float, error: Callable[[], Exception]) -> None:
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = deque()
        while queue and queue[0][1].done():
            queue.popleft()
        if len(queue) > 1_000 + 2 * self._outstanding:  # a slow call at the head must not keep the answered behind it
            queue = self._queues[seconds] = deque(waiting for waiting in queue if not waiting[1].done())
        queue.append((self._loop.time() + seconds, future, error))
        if seconds not in self._timers:
            self._timers[seconds] = self._loop.call_later(seconds, self._expire, seconds)

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
