"""Ctrl-C as a wish: the first one asks the program to come to an end, the second one makes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aecorpy.cli.wishes import SIGNALS, EndWish


class StopWish(EndWish):
    """Whether somebody asked to stop."""

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as shells have it: 130 for Ctrl-C."""
        return 128 + (self.signal or 0)


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
