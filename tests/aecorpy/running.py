"""A projection that runs in the test's own loop, without a cluster: for tests of what one instance does."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aecorpy import ClusterNode
from aecorpy.projection import Projection, ProjectionRunner, ProjectionStatus

_log = logging.getLogger(__name__)
_handles: list[ProjectionHandle] = []


async def run_here(node: ClusterNode, name: str, projection: Projection[Any]) -> ProjectionHandle:
    """Run `projection` on all tags, until stopped or until the test's loop ends."""
    projection.check()
    projection.bind(node.refs)
    journal = node.journal(projection.entity)
    tags = projection.entity.tagging.tags(journal.name)
    handle = ProjectionHandle(ProjectionRunner(name, projection, journal, node.database, tags, draw=lambda: 0.5))
    _handles.append(handle)
    return handle


async def stop_all() -> None:
    """Stop whatever `run_here` started and nobody stopped."""
    while _handles:
        handle = _handles.pop()
        if not handle.ended:  # such as one whose loop has ended, and itself with it
            await handle.stop()


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
