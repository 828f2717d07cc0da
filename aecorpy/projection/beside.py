"""A process of a projection: its tags' part of the generation that serves, and of the one that is built beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from aecorpy.errors import AecorError, Fenced, JournalError, text_of
from aecorpy.pauses import Retry
from aecorpy.processing.ending import end_all
from aecorpy.processing.process import Process, ProcessContext, RunningProcess, TaskProcess, task_named
from aecorpy.projection.contract import Projection
from aecorpy.projection.effects import settle_effects
from aecorpy.projection.generations import (
    Build,
    Generation,
    Generations,
    consumer_beside,
    read_generations,
    seconds_now,
    table_beside,
)
from aecorpy.projection.pace import Pace
from aecorpy.projection.runner import ProjectionRunner
from aecorpy.projection.switch import FROZEN_LIMIT, REST, Switch, thaw
from journal.contract import Database
from journal.events import EventJournal
from journal.tagging import EventTag

BUILDER_PAUSES = Retry(0.5, 30.0)
STANDING_LOOK = 0.1

_log = logging.getLogger(__name__)


class OtherVersionServes(AecorError):
    """The program does not have the version of a view that serves, nor the one that is being built."""

    def __init__(self, name: str, serving: int, versions: Sequence[int]) -> None:
        has = " and ".join(map(str, versions))
        todo = (
            f"deploy the newer program, or go back to the former version, `aecorpy projections back … {name}`"
            if max(versions) < serving
            else f"give `distribute` the former version (`former=`), or rebuild, `aecorpy projections rebuild … {name}`"
        )
        super().__init__(f"version {serving} of view {name!r} serves, and this program has {has}: {todo}")
        self.name, self.serving, self.versions = name, serving, tuple(versions)


@dataclass(frozen=True, slots=True)
class View:
    """What all processes of a view on one node have in common.

    Args:
        name: the deployment's, and the serving consumer's.
        programs: the versions of the projection that this program has, the newest first.
        journal, database: where events come from, and where all else is.
        tags: all of the view's.
        draw: random numbers in [0, 1), which spread pauses.
        pace: of what is built beside.
    """

    name: str
    programs: tuple[Projection[Any], ...]
    journal: EventJournal[Any]
    database: Database
    tags: tuple[EventTag, ...]
    draw: Callable[[], float]
    pace: Pace

    def of(self, generation: Generation) -> Projection[Any] | None:
        """What fills a generation; None when this program has not got its version."""
        return next((one for one in self.programs if one.version == generation.version), None)

    async def generations(self) -> Generations:
        """What there is of the view now."""
        seen = await read_generations(self.database, self.name)
        if seen is None:
            raise AecorError(f"projection {self.name!r} was removed from the database")
        return seen


class ViewProcess(Process):
    """One process of a view.

    Args:
        name: the process's.
        view: of what.
        tags: its tags.
    """

    def __init__(self, name: str, view: View, tags: Sequence[EventTag]) -> None:
        super().__init__(name)
        self._view = view
        self._tags = tuple(tags)
        self._serving: ProjectionRunner[Any] | None = None
        self._builder: _Builder | None = None

    def details(self) -> dict[str, Any]:
        """What is worth knowing from outside: of the serving generation, and of the one that is built."""
        found = {"handled": 0, "trouble": {}} if self._serving is None else self._serving.details()
        return found if self._builder is None else {**found, "beside": self._builder.details()}

    async def run(self, context: ProcessContext) -> RunningProcess:
        """See `Process.run`."""
        return TaskProcess(task_named(self._go_on(context.epoch), self.name))

    async def _go_on(self, epoch: int) -> None:
        while True:
            seen = await self._view.generations()
            serving = self._view.of(seen.serving)
            build = seen.building
            building = None if build is None else self._view.of(build.generation)
            if serving is None and building is None:
                versions = [one.version for one in self._view.programs]
                raise OtherVersionServes(self._view.name, seen.serving.version, versions)
            self._builder = None
            if build is not None and building is not None:
                self._builder = _Builder(self._view, self._tags, build, building, epoch)
            beside = [] if self._builder is None else self._builder.parts()
            await _until_one_ends([self._serve(seen, serving, epoch), *beside], self.name)

    async def _serve(self, seen: Generations, projection: Projection[Any] | None, epoch: int) -> None:
        """Follow the journal with the serving generation; return when what is to be run has changed."""
        if projection is None:
            _log.warning(
                "view %r: version %d serves, which this program has not got: its tables stay as they are",
                self._view.name,
                seen.serving.version,
            )
            await self._until_other(seen, stands=False)
            return
        if not seen.switching:
            try:
                await self._follow(seen, projection, epoch)
            except Fenced:
                seen = await self._view.generations()
                if not seen.switching:
                    raise
        await self._until_other(seen, stands=True)

    async def _follow(self, seen: Generations, projection: Projection[Any], epoch: int) -> None:
        view, number = self._view, seen.serving.number
        if projection.generation != number:
            projection = projection.at(number, "")
        ahead = await settle_effects(view.name, projection, view.journal, view.database, self._tags, seen)
        self._serving = ProjectionRunner(
            view.name, projection, view.journal, view.database, self._tags, draw=view.draw, epoch=epoch, effects=ahead
        )
        others = projection.beside(view.database, self._tags)
        await _until_one_ends([self._serving.run(), *([] if others is None else [others()])], self.name)

    async def _until_other(self, seen: Generations, *, stands: bool) -> None:
        """Return when another generation serves, or the one that `stands` still for the switch does not any more."""
        while True:
            now = await self._view.generations()
            if now.serving != seen.serving or (stands and not now.switching):
                return
            if now.building is not None and now.building.frozen_at is not None:
                time = await seconds_now(self._view.database)
                if time - now.building.frozen_at > 3 * FROZEN_LIMIT:  # whoever drives it is gone
                    await thaw(self._view.database, self._view.name, now.building.frozen_at, time + REST)
            await asyncio.sleep(STANDING_LOOK)


class _Builder:
    """One process's part of a generation that is built beside. Its failures end nothing but its own tries."""

    def __init__(
        self, view: View, tags: Sequence[EventTag], build: Build, projection: Projection[Any], epoch: int
    ) -> None:
        self._view = view
        self._tags = list(tags)
        self._number = number = build.generation.number
        self._tables = build.generation.tables
        self._plain = projection.tables()
        self._projection = projection.at(number, table_beside("", number))
        self._epoch = epoch
        self._error: str | None = None
        self._consumer = consumer_beside(view.name, number)
        self._switch: Switch | None = None
        if view.tags[0] in self._tags:
            self._switch = Switch(view.name, view.database, view.journal.store, view.tags, tags, epoch)
        self._runner: ProjectionRunner[Any] = ProjectionRunner(
            self._consumer,
            self._projection,
            view.journal,
            view.database.relaxed(),  # nobody has been told of it; the switch makes it lasting
            self._tags,
            draw=view.draw,
            epoch=epoch,
            pace=view.pace,
            effects=None,
        )

    def details(self) -> dict[str, Any]:
        error = self._error or (None if self._switch is None else self._switch.error)
        return {**self._runner.details(), "generation": self._number, "error": error}

    def parts(self) -> list[Coroutine[Any, Any, None]]:
        """What is to be run; each returns when this generation is not built any more."""
        return [self._build()] if self._switch is None else [self._build(), self._switch.drive(self._number)]

    async def _build(self) -> None:
        failures = 0
        while True:
            failure = await self._try()
            try:
                if not (await self._view.generations()).builds(self._number):
                    return
            except JournalError as error:
                failure = error
            if isinstance(failure, Fenced):
                raise failure
            failures += 1
            self._error = text_of(failure)
            _log.error("view %r: generation %d cannot be built now: %s", self._view.name, self._number, self._error)
            await asyncio.sleep(BUILDER_PAUSES.pause(failures, self._view.draw()))

    async def _try(self) -> Exception:
        try:
            if sorted(self._tables) != sorted(self._plain):
                raise AecorError("its tables are not those that the rebuild began with: raise its version")
            await self._claim()
            self._error = None
            await self._runner.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the serving generation goes on
            return error
        return AecorError("it ended by itself")

    async def _claim(self) -> None:
        """Take the tags that are not ours yet under this epoch; they may be, as epochs outlive instances."""
        stored = await self._view.database.offsets.read(self._consumer)
        there = {str(tag): stored[str(tag)].epoch if str(tag) in stored else 0 for tag in self._tags}
        if taken := [tag for tag, epoch in there.items() if epoch != self._epoch]:
            await self._view.database.offsets.claim(self._consumer, taken, self._epoch)


async def _until_one_ends(parts: Sequence[Coroutine[Any, Any, None]], name: str) -> None:
    """Run all; when one ends, end the others, and raise what it failed with."""
    tasks = [task_named(part, name) for part in parts]
    ended: set[asyncio.Task[None]] = set()
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        given_up = any(task.cancelled() for task in ended)
        await end_all(tasks)
        failures = [error for task in tasks if not task.cancelled() and (error := task.exception()) is not None]
    for failure in failures:
        raise failure
    if given_up:
        raise AecorError(f"{name}: what it runs raised CancelledError by itself, though nobody cancelled it")
