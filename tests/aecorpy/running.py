"""A projection that runs in the test's own loop, without a cluster: for tests of what one instance does."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from aecorpy import ClusterNode, OutcomeUnknown, Unavailable
from aecorpy.errors import AecorError, Fenced, JournalError, text_of
from aecorpy.projection import Projection, ProjectionRunner, TagStatus

_log = logging.getLogger(__name__)
_handles: list[ProjectionHandle] = []


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """A projection as it is now: `running`, its tags, events handled since it started, and what stopped it."""

    name: str
    running: bool
    handled: int
    tags: tuple[TagStatus, ...]
    error: str | None


async def run_here(node: ClusterNode, name: str, projection: Projection[Any]) -> ProjectionHandle:
    """Run `projection` on all tags, until stopped or until the test's loop ends."""
    projection.check()
    projection.bind(node.refs)
    handle = ProjectionHandle(node, name, projection)
    _handles.append(handle)
    return handle


async def stop_all() -> None:
    """Stop whatever `run_here` started and nobody stopped."""
    while _handles:
        handle = _handles.pop()
        if not handle.ended:  # such as one whose loop has ended, and itself with it
            await handle.stop()


class ProjectionHandle:
    """A projection that runs on a node, as one process with all its tags does.

    Args:
        node: where.
        name: the consumer.
        projection: what runs; it is started here, in the running loop.
    """

    def __init__(self, node: ClusterNode, name: str, projection: Projection[Any]) -> None:
        self._node, self._name, self._projection = node, name, projection
        self._tags = projection.entity.tagging.tags(node.journal(projection.entity).name)
        self._runner: ProjectionRunner[Any] | None = None
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"projection-{name}")
        self._task.add_done_callback(self._ended)

    async def _run(self) -> None:
        journal, database = self._node.journal(self._projection.entity), self._node.database
        epoch = await self._claimed([str(tag) for tag in self._tags])
        self._runner = ProjectionRunner(
            self._name, self._projection, journal, database, self._tags, draw=lambda: 0.5, epoch=epoch
        )
        await self._runner.run()

    async def _claimed(self, tags: list[str]) -> int:
        """The epoch under which it has taken the tags, however long the store is away."""
        offsets = self._node.database.offsets
        while True:
            try:
                stored = await offsets.read(self._name)
                epoch = 1 + max((row.epoch for row in stored.values()), default=0)
                await offsets.claim(self._name, tags, epoch)
            except (Unavailable, OutcomeUnknown, Fenced):  # fenced: a claim that was cancelled came through late
                await asyncio.sleep(0.001)
            else:
                return epoch

    def status(self) -> ProjectionStatus:
        """Where it is, tag by tag, and what stopped it if it does not run."""
        runner, error = self._runner, None
        if self._task.done() and not self._task.cancelled() and (failure := self._task.exception()) is not None:
            error = str(failure) if isinstance(failure, AecorError | JournalError) else text_of(failure)
        if runner is None:  # it has not taken its tags yet
            return ProjectionStatus(self._name, False, 0, tuple(TagStatus(str(tag), 0) for tag in self._tags), error)
        return ProjectionStatus(self._name, not self._task.done(), runner.handled, runner.tags(), error)

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
            _log.error("projection %r ended: %s", self._name, task.exception())
