"""What an actor waits for between its turns: tasks, wake-ups, watched files."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from thespian.actors import WakeupMessage, WatchMessage

from sharding.actors.errors import ActorsError
from sharding.actors.outcome import Outcome

if TYPE_CHECKING:
    from sharding.actors.cell import Cell

__all__ = ["Waits"]

_log = logging.getLogger("sharding.actors")

Wrap = Callable[[Outcome[Any]], Any]


class Waits:
    """The waiting one actor owns; made when it first waits, ended when it exits.

    Attributes:
        tasks: running tasks, oldest first.
        wakeups: timers that have not fired, by number, with the period asked for.
        watched: file descriptors the loop reads for the actor.
    """

    __slots__ = ("_cell", "tasks", "wakeups", "watched")

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self.tasks: dict[asyncio.Future[Any], None] = {}
        self.wakeups: dict[int, tuple[asyncio.TimerHandle, Any]] = {}
        self.watched: tuple[int, ...] = ()

    def end(self) -> None:
        """The actor exits: cancel everything; tasks that clean up meanwhile belong to the engine."""
        for handle, _ in self.wakeups.values():
            handle.cancel()
        self.wakeups.clear()
        self.watch(())
        leaving = self._cell.engine.leaving
        for task in list(self.tasks):
            leaving.add(task, self._cell.name)
            task.cancel()
        self.tasks.clear()

    # ---- tasks

    def own(self, awaitable: Awaitable[Any], wrap: Wrap | None) -> asyncio.Future[Any]:
        """Run a coroutine, or take a future, as the actor's own; how it ended comes back as `wrap(outcome)`.

        Raises:
            ActorsError: the actor has exited; the coroutine is closed unrun.
        """
        engine = self._cell.engine
        if self._cell.instance is None:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            raise ActorsError(f"{self._cell.name} has exited and starts no more tasks")
        task = asyncio.ensure_future(awaitable, loop=engine.loop)
        engine.tasks += 1
        self.tasks[task] = None
        task.add_done_callback(partial(self._task_ended, wrap))
        return task

    def _task_ended(self, wrap: Wrap | None, task: asyncio.Future[Any]) -> None:
        self._cell.engine.tasks -= 1
        if task not in self.tasks:
            return  # the actor is gone; the engine waits for this one
        del self.tasks[task]
        if task.cancelled():
            outcome = Outcome[Any](None, asyncio.CancelledError())
        else:
            error = task.exception()
            outcome = Outcome(None if error else task.result(), error)
        self._cell.accept_own(self._wrapped(wrap, outcome))

    def _wrapped(self, wrap: Wrap | None, outcome: Outcome[Any]) -> Any:
        try:
            return outcome if wrap is None else wrap(outcome)
        except Exception as error:  # noqa: BLE001 - the user's function: its error reaches the actor in the outcome's place
            _log.error("%s: wrapping the outcome of a task raised", self._cell.name, exc_info=True)
            return Outcome(None, error)

    # ---- time

    def wake_after(self, seconds: float, period: Any, payload: Any) -> None:
        """Send the actor a `WakeupMessage(period, payload)` in so many seconds of loop time."""
        engine = self._cell.engine
        number = engine.next_number()
        handle = engine.loop.call_later(seconds, self._wake, number, period, payload)
        self.wakeups[number] = (handle, period)

    def _wake(self, number: int, period: Any, payload: Any) -> None:
        del self.wakeups[number]
        self._cell.accept_own(WakeupMessage(period, payload))

    # ---- files

    def watch(self, filenos: Iterable[int]) -> None:
        """Read these file descriptors for the actor until one is ready, in place of those watched before."""
        loop = self._cell.engine.loop
        for fileno in self.watched:
            loop.remove_reader(fileno)
        self.watched = tuple(filenos)
        for fileno in self.watched:
            loop.add_reader(fileno, self._ready, fileno)

    def _ready(self, fileno: int) -> None:
        # Once per turn: a file stays ready until the actor has read it, and its turn says what to watch next.
        self.watch(())
        self._cell.accept_own(WatchMessage([fileno]))
