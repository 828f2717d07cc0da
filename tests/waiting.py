"""Waiting for something to become true, with a limit; never for time to pass."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]], within: float = ..., every: float = ..., what: str = ...
) -> T: ...
@overload
async def eventually(condition: Callable[[], T], within: float = ..., every: float = ..., what: str = ...) -> T: ...
async def eventually(
    condition: Callable[[], T | Awaitable[T]], within: float = 10.0, every: float = 0.01, what: str = ""
) -> T:
    """Ask `condition` until its answer is true, and return that answer.

    Args:
        condition: a function or coroutine function; what it raises is raised here at once.
        within: seconds after which to give up. Asked at least once, and once more at the end.
        every: seconds between two questions.
        what: what is waited for, for the message.

    Raises:
        AssertionError: it did not become true in time; the message has the last answer.
    """
    clock = asyncio.get_running_loop().time
    limit = clock() + within
    while True:
        last_chance = clock() >= limit
        answer = condition()
        value: T = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if last_chance:
            name = what or getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"not true within {within} s: {name}; last answer: {value!r}")
        await asyncio.sleep(every)
