"""Nodes of a simulation: what callbacks belong to, and what can be frozen or crash as one."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

WORLD: Final = "world"  # owns what belongs to no node: the test itself, the network, the stores


class Clock:
    """A machine's clocks as functions of virtual time.

    Attributes:
        rate: its seconds per virtual second; 1.001 is a clock that runs fast by 0.1 %.
        start: what its monotonic clock shows at virtual time 0. Differs by machine, so that comparing those of two
            machines is noticed.
        wall_offset: by how many seconds its wall clock is ahead; may be changed at any time, as clocks are set.
    """

    def __init__(self, *, rate: float = 1.0, start: float = 0.0, wall_offset: float = 0.0) -> None:
        if rate <= 0:
            raise ValueError(f"a clock goes forward, not at rate {rate}")
        self.rate, self.start, self.wall_offset = rate, start, wall_offset

    def monotonic(self, now: float) -> float:
        """What it shows at virtual time `now`."""
        return self.start + now * self.rate

    def when(self, shown: float) -> float:
        """The first virtual time at which it shows `shown` or more."""
        now = (shown - self.start) / self.rate
        # Rounding must not let a timer fire while its own clock still shows less: who asks again would do so for ever.
        while self.monotonic(now) < shown:
            now += math.ulp(shown) / self.rate
        return now


class Node:
    """One life of a node: from its start to its crash.

    Attributes:
        name: the same in all its lives.
        life: 1, 2, 3, …
        clock: what its timers go by.
        frozen: its callbacks are set aside: as with SIGSTOP, or a long stop of the garbage collector.
        dead: it has crashed; nothing of it will run again.
        aside: what would have run while it was frozen, in order.
        tasks: its tasks by number, in the order of their creation.
    """

    def __init__(self, name: str, life: int, clock: Clock) -> None:
        self.name, self.life, self.clock = name, life, clock
        self.frozen = False
        self.dead = False
        self.aside: list[asyncio.Handle] = []
        self.tasks: WeakValueDictionary[int, asyncio.Task[Any]] = WeakValueDictionary()

    def __repr__(self) -> str:
        state = " dead" if self.dead else " frozen" if self.frozen else ""
        return f"<{self}{state}>"

    def __str__(self) -> str:
        return self.name if self.life == 1 else f"{self.name}/{self.life}"

    @property
    def pending(self) -> list[asyncio.Task[Any]]:
        """Its tasks that have not ended."""
        return [task for task in self.tasks.values() if not task.done()]


NODE: contextvars.ContextVar[Node] = contextvars.ContextVar("node")


def current_node() -> Node | None:
    """The node on whose behalf the caller runs; None for the world outside."""
    return NODE.get(None)


def where(tasks: Mapping[str, list[asyncio.Task[Any]]]) -> str:
    """A line per task: its node, its name, and the place at which it waits."""
    return "\n".join(f"  {node}: {place(task)}" for node, some in tasks.items() for task in some)


def place(task: asyncio.Task[Any]) -> str:
    """The task's name, and the innermost place at which it waits."""
    coroutine: Any = task.get_coro()
    while True:
        inner = getattr(coroutine, "cr_await", None)
        if inner is None or not hasattr(inner, "cr_frame"):
            break
        coroutine = inner
    frame = getattr(coroutine, "cr_frame", None)
    if frame is None:
        return f"{task.get_name()} ({coroutine!r})"
    code = frame.f_code
    return f"{task.get_name()} in {code.co_qualname} ({code.co_filename.rpartition('/')[2]}:{frame.f_lineno})"
