"""What a node keeps of each entity type and projection that it runs."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from aecorpy.projection import ProjectionRunner, ProjectionStatus
from aecorpy.refs import Door
from journal.events import EventJournal
from sharding.host import Population

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Deployment:
    """An entity type on this node; `journal` is None for plain actors, `refs` is the way to its instances."""

    entity: type
    door: Door
    refs: Any
    journal: EventJournal[Any] | None
    population: Population

    async def close(self) -> None:
        """Commit what is queued for the journal."""
        if self.journal is not None:
            await self.journal.close()


class ProjectionHandle:
    """A projection that runs on this node.

    Args:
        runner: what runs; it is started here, in the running loop.
    """

    def __init__(self, runner: ProjectionRunner[Any]) -> None:
        self._runner = runner
        self._task = asyncio.get_running_loop().create_task(runner.run(), name=f"projection-{runner.name}")
        self._task.add_done_callback(self._ended)

    def status(self) -> ProjectionStatus:
        """Where it is, tag by tag, and what stopped it if it does not run."""
        return self._runner.status()

    @property
    def ended(self) -> bool:
        """Whether it runs no more: it was stopped, or something ended it."""
        return self._task.done()

    async def watch_termination(self) -> None:
        """Return when it was stopped; raise what ended it otherwise."""
        try:
            await asyncio.shield(self._task)
        except asyncio.CancelledError:
            if not self._task.cancelled():
                raise

    async def stop(self) -> None:
        """Stop it; the step under way commits whole or not at all. Idempotent."""
        self._task.cancel()
        await asyncio.wait([self._task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            _log.error("projection %r ended: %s", self._runner.name, task.exception())
