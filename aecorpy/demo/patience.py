"""Sending a command again when the answer was "not now"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aecorpy import JournalError, OutcomeUnknown, Retry, Unavailable
from aecorpy.demo.stopping import StopWish

R = TypeVar("R")


class Patience:
    """How long, and at which pauses, a command is sent again.

    Args:
        stop: ends the waiting early.
        draw: numbers in [0, 1) that spread the pauses.
        after: the answers after which to send again. `Unavailable` says that nothing happened; after `OutcomeUnknown`
            only a command that may come twice may be repeated.
        seconds: how long in all.
        pauses: how they grow.
    """

    def __init__(
        self,
        stop: StopWish,
        draw: Callable[[], float],
        *,
        after: tuple[type[JournalError], ...] = (Unavailable,),
        seconds: float = 60.0,
        pauses: Retry = Retry(0.05, 2.0),  # noqa: B008 - immutable
    ) -> None:
        self._stop = stop
        self._draw = draw
        self._after = after
        self._seconds = seconds
        self._pauses = pauses

    def for_queries(self) -> Patience:
        """The same for what may come twice: an unknown outcome is no reason not to ask again."""
        after = (*self._after, OutcomeUnknown)
        return Patience(self._stop, self._draw, after=after, seconds=self._seconds, pauses=self._pauses)

    async def through(self, send: Callable[[], Awaitable[R]]) -> R:
        """The reply to `send()`, which is called again after each such answer.

        Raises:
            JournalError: the last such answer, when the time is over or somebody asks to stop.
        """
        clock = asyncio.get_running_loop().time
        limit, failures = clock() + self._seconds, 0
        while True:
            try:
                return await send()
            except self._after:
                failures += 1
                if clock() >= limit or await self._stop.within(self._pauses.pause(failures, self._draw())):
                    raise
