"""A projection as processes of the cluster: each reads a range of the tags, under the epoch of its shard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aecorpy.errors import InvalidDefinition
from aecorpy.processing.host import Recipes
from aecorpy.processing.process import Process, ProcessContext, RunningProcess, TaskProcess, task_named
from aecorpy.processing.wishes import pause
from aecorpy.processing.worker import Task
from aecorpy.projection.contract import Projection
from aecorpy.projection.runner import ProjectionRunner
from journal.contract import Database
from journal.events import EventJournal
from journal.tagging import EventTag

MOST_PROCESSES = 8


def ranges(tags: Sequence[EventTag], count: int | None) -> list[tuple[EventTag, ...]]:
    """The tags in `count` runs of neighbours, as even as can be; by default one for each tag, up to 8.

    Raises:
        InvalidDefinition: there would be more processes than tags, or none.
    """
    wanted = min(len(tags), MOST_PROCESSES) if count is None else count
    if not 1 <= wanted <= len(tags):
        raise InvalidDefinition(f"{wanted} processes for {len(tags)} tags: use 1 to {len(tags)}")
    return [tuple(tags[len(tags) * number // wanted : len(tags) * (number + 1) // wanted]) for number in range(wanted)]


class ProjectionProcesses(Recipes):
    """The processes of one projection.

    Args:
        name: the consumer, and the deployment.
        projection: what handles the events.
        journal, database: where events come from, and where offsets commit.
        tags: those of each process, by number.
        node: the name of this node.
        incarnation: tells this node's membership.
        draw: random numbers in [0, 1), which spread pauses.
    """

    def __init__(
        self,
        name: str,
        projection: Projection[Any],
        journal: EventJournal[Any],
        database: Database,
        tags: Sequence[tuple[EventTag, ...]],
        node: str,
        incarnation: Callable[[], int],
        draw: Callable[[], float],
    ) -> None:
        self.deployment = name
        self.names = tuple(_name(name, some) for some in tags)
        self._projection = projection
        self._journal = journal
        self._database = database
        self._tags = list(tags)
        self._node = node
        self._incarnation = incarnation
        self._draw = draw

    async def claim(self, number: int, epoch: int) -> Task:
        """Take the tags of a process under `epoch`; see `Recipes.claim`."""
        tags, name = self._tags[number], self.names[number]
        await self._database.offsets.claim(self.deployment, [str(tag) for tag in tags], epoch)
        runner = ProjectionRunner(
            self.deployment, self._projection, self._journal, self._database, tags, draw=self._draw, epoch=epoch
        )
        context = ProcessContext(self.deployment, name, number, self._node, epoch, self._database)
        return Task(
            _Projecting(name, runner, self._projection.beside(self._database, tags)),
            context,
            self._incarnation(),
            tuple(str(tag) for tag in tags),
            details=runner.details,
            hold=lambda error: pause(self._database, self.deployment, "its policy", str(error)),
        )


class _Projecting(Process):
    def __init__(
        self, name: str, runner: ProjectionRunner[Any], beside: Callable[[], Coroutine[Any, Any, None]] | None
    ) -> None:
        super().__init__(name)
        self._runner = runner
        self._beside = beside

    async def run(self, context: ProcessContext) -> RunningProcess:
        body = self._runner.run() if self._beside is None else _together(self._runner.run(), self._beside())
        return TaskProcess(task_named(body, self.name))


async def _together(*bodies: Coroutine[Any, Any, None]) -> None:
    """Run them until one ends, and end the others; what that one raised is raised as it is, for the worker to know."""
    tasks = [asyncio.ensure_future(body) for body in bodies]
    try:
        first, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in first:
        task.result()


def _name(deployment: str, tags: Sequence[EventTag]) -> str:
    first, last = tags[0], tags[-1]
    return str(first) if len(tags) == 1 else f"{first}..{last.shard}"
