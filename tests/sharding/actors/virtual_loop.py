"""The least event loop the engine needs, with time that jumps to the next timer."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.AbstractEventLoop):
    """Runs ready callbacks in order, and when there are none, moves its clock to the earliest timer."""

    def __init__(self) -> None:
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._now = 0.0
        self._count = 0
        self.callbacks = 0
        self.errors: list[dict[str, Any]] = []

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_closed(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run until the coroutine has ended; nothing left to run before that is a deadlock."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            task = self.create_task(coroutine)
            while not task.done():
                self._step()
            return task.result()  # type: ignore[no-any-return]
        finally:
            asyncio._set_running_loop(before)

    def _step(self) -> None:
        while not self._ready:
            when, _, timer = heapq.heappop(self._timers)  # IndexError: deadlock
            if not timer.cancelled():
                self._now = max(self._now, when)
                self._ready.append(timer)
        handle = self._ready.popleft()
        if not handle.cancelled():
            self.callbacks += 1
            handle._run()


def virtual_loop() -> VirtualLoop:
    """A new one; what it lacks of asyncio's loops raises NotImplementedError."""
    return VirtualLoop()  # type: ignore[abstract]
