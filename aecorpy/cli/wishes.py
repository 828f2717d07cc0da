"""SIGTERM and Ctrl-C: the first one asks a program to come to an end in order, the second one ends it at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class EndWish:
    """Whether somebody asked this process to end.

    Attributes:
        signal: by which signal; None while nobody has.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._loop = asyncio.get_running_loop()
        self._wished = asyncio.Event()

    @property
    def is_set(self) -> bool:
        """Whether to end."""
        return self.signal is not None

    def set(self, number: int) -> None:
        """Ask to end. May be called from a handler of signals."""
        self.signal = number
        self._loop.call_soon_threadsafe(self._wished.set)

    async def wait(self) -> None:
        """Return when somebody asked."""
        await self._wished.wait()

    async def within(self, seconds: float) -> bool:
        """Wait for `seconds`, or until somebody asks; whether somebody did."""
        try:
            async with asyncio.timeout(seconds):
                await self._wished.wait()
        except TimeoutError:
            return False
        return True


@contextmanager
def end_wish(at_once: Callable[[], object] = lambda: None) -> Iterator[EndWish]:
    """A wish that the first signal sets. The second one ends the process with 128 and its number.

    The handlers are Python's own, not the loop's: the second signal must end a process whose loop is stuck, too.

    Args:
        at_once: called before the process ends at once.
    """
    wish = EndWish()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if wish.is_set:
            at_once()
            os._exit(128 + number)
        wish.set(number)

    before: dict[int, Any] = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
