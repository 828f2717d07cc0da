"""Ctrl-C as a wish: the first one asks the program to come to an end, the second one makes it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopWish:
    """Whether somebody asked to stop.

    Attributes:
        signal: the signal by which that was asked, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._wished = asyncio.Event()

    @property
    def is_set(self) -> bool:
        """Whether to stop."""
        return self._wished.is_set()

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as shells have it: 130 for Ctrl-C."""
        return 128 + (self.signal or 0)

    def set(self, number: int) -> None:
        """Ask to stop because of the signal `number`."""
        self.signal = number
        self._wished.set()

    async def within(self, seconds: float) -> bool:
        """Wait for `seconds`, or until somebody asks to stop; whether somebody did."""
        try:
            async with asyncio.timeout(seconds):
                await self._wished.wait()
        except TimeoutError:
            return False
        return True


@contextmanager
def stop_wish(say: Callable[[str], None]) -> Iterator[StopWish]:
    """A wish that Ctrl-C and SIGTERM set for the running task. After that, another one cancels the task.

    Args:
        say: tells the user what happens.
    """
    loop, task, wish = asyncio.get_running_loop(), asyncio.current_task(), StopWish()
    assert task is not None, "a coroutine runs in a task"

    def on_signal(number: int) -> None:
        if wish.is_set:
            task.cancel()
        else:
            say("stopping: what is under way is finished and checked (again to give up)")
            wish.set(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield wish
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
