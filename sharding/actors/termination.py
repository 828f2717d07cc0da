"""The end of an engine: everybody exits, and who does not is named."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thespian.actors import ActorExitRequest

if TYPE_CHECKING:
    from sharding.actors.engine import Engine

__all__ = ["ShutdownReport", "Termination"]

_log = logging.getLogger("sharding.actors")


@dataclass(frozen=True, slots=True)
class ShutdownReport:
    """What was left when the time for a shutdown was over.

    Attributes:
        hung_actors: actors that had not exited.
        hung_tasks: actors whose cancelled tasks had not ended.
    """

    hung_actors: tuple[str, ...] = ()
    hung_tasks: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was left."""
        return not (self.hung_actors or self.hung_tasks)


class Termination:
    """One engine's shutdown, which happens once however often it is asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._root_empty = asyncio.Event()
        self._over = asyncio.Event()
        self._when_over: list[Callable[[], None]] = []
        self._task: asyncio.Task[ShutdownReport] | None = None

    @property
    def begun(self) -> bool:
        """Whether it has been asked for."""
        return self._task is not None

    def begin(self, timeout: float) -> asyncio.Task[ShutdownReport]:
        """Start it; calling it again gives the same task."""
        if self._task is None:
            self._task = self._engine.loop.create_task(self._stop_all(timeout))
        return self._task

    async def _stop_all(self, timeout: float) -> ShutdownReport:
        engine = self._engine
        end = engine.loop.time() + timeout
        for cell in list(engine.root.children or ()):
            cell.accept(ActorExitRequest(), engine.address)
        if engine.root.children:
            self._root_empty.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._root_empty.wait(), timeout)
        hung_tasks = await engine.leaving.wait(max(0.0, end - engine.loop.time()))
        report = ShutdownReport(tuple(cell.name for cell in engine.root.children or ()), tuple(hung_tasks))
        if not report.clean:
            _log.error("not everything had ended after %s s: %s", timeout, report)
        self._over.set()
        for call in self._when_over:
            call()
        return report

    def root_emptied(self) -> None:
        """The last top-level actor is gone."""
        self._root_empty.set()

    def when_over(self, call: Callable[[], None]) -> None:
        """Call this on the loop at the end."""
        self._when_over.append(call)

    async def wait(self) -> None:
        """Wait for the end, whoever asks for it."""
        await self._over.wait()
        assert self._task is not None, "over, so it was begun"
        await asyncio.wait([self._task])
