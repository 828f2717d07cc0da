"""How fast old events are worked through beside what a node has to do now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MOST_REST = 1.0


class Pace:
    """Turns for a view's processes on one node that build it anew: few at a time, small steps, a rest after each.

    A step's computing is what commands wait for, so a step is small. Most of its time it waits for the store, and
    another one may compute meanwhile.

    Args:
        batch: the most events in a step.
        rest: how long to rest after a step, relative to how long it took.
        at_once: how many steps may be under way.
    """

    def __init__(self, batch: int = 60, rest: float = 0.4, at_once: int = 1) -> None:
        self.batch = batch
        self._rest = rest
        self._free = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One step; others of this pace wait."""
        clock = asyncio.get_running_loop().time
        async with self._free:
            began = clock()
            yield
            await asyncio.sleep(min(MOST_REST, self._rest * (clock() - began)))
