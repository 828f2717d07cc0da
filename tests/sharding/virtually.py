"""Tests on virtual time: each is run for some seeds, which decide the order of whatever is ready at the same time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from tests.simulation.loop import SimLoop

SEEDS = range(4)


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run the coroutine function `test` on virtual time, for several seeds."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        for seed in SEEDS:
            loop = SimLoop(seed, max_time=600.0)
            try:
                loop.run_until_complete(test(*args, **kwargs))
                assert loop.reported == [], f"seed {seed}"
                assert not loop.pending(), f"seed {seed}"
            finally:
                loop.close()

    return run


async def until(condition: Callable[[], Any], within: float = 30.0) -> float:
    """Wait until a condition holds; returns how many virtual seconds that took."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    while not condition():
        assert loop.time() - start < within, f"not within {within} s"
        await asyncio.sleep(0.01)
    return loop.time() - start
