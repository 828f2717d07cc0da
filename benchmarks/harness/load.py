"""Closed-loop load: so many callers, each of which sends its next command when the last one was answered."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import NamedTuple


class Load(NamedTuple):
    """What the callers saw: how many answers in how many seconds, and each answer's latency in seconds, sorted."""

    seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """The latency, in milliseconds, that `percent` of the answers did not exceed."""
        place = max(0, math.ceil(len(self.latencies) * percent / 100) - 1)
        return self.latencies[place] * 1000


async def closed_loop(
    callers: int, seconds: float, command: Callable[[int], Awaitable[object]], warm_up: float = 0.3
) -> Load:
    """Run `command(caller)` in a loop in each of `callers` tasks.

    Args:
        callers: number of tasks, numbered from 0.
        seconds: how long answers are counted.
        command: one command and its answer; what it raises ends the measurement.
        warm_up: seconds before that, in which answers are not counted.
    """
    began = perf_counter() + warm_up
    ends = began + seconds
    latencies: list[float] = []

    async def call(caller: int) -> None:
        sent = perf_counter()
        while sent < ends:
            await command(caller)
            answered = perf_counter()
            if began <= sent and answered <= ends:
                latencies.append(answered - sent)
            sent = answered

    async with asyncio.TaskGroup() as group:
        for caller in range(callers):
            group.create_task(call(caller))
    if not latencies:
        raise RuntimeError(f"no command was answered within {seconds} s")
    return Load(seconds, sorted(latencies))
