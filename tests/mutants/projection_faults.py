"""Faults in projections and their offsets."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from aecorpy.processing.worker import Task
from aecorpy.projection import TableView
from aecorpy.projection.distributed import ProjectionProcesses
from journal.contract import Database
from journal.memory.offsets import MemoryOffsets
from journal.records import ConsumerOffset, OffsetMove
from tests.mutants.mutant import Patch, replaced


def _apart(original: Any) -> Any:
    async def handle(self: TableView[Any, Any], database: Any, step: Any) -> None:
        await original(self, database, replace(step, moves=()))
        await database.offsets.commit(step.consumer, step.moves, step.epoch)

    return handle


offset_apart: Patch = replaced(TableView, "handle", _apart)


def _unfenced(_: Any) -> Any:
    def move(
        self: MemoryOffsets, consumer: str, moves: Sequence[OffsetMove], epoch: int, moved: dict[Any, Any]
    ) -> None:
        for tag, _before, after in moves:
            stored = moved.get((consumer, tag)) or self._offsets.get((consumer, tag)) or ConsumerOffset(tag, 0, epoch)
            moved[consumer, tag] = stored._replace(offset=after)

    return move


unfenced_offsets: Patch = replaced(MemoryOffsets, "move", _unfenced)


class _Unclaimed:
    """Another object, of which nothing can be claimed."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def claim(self, consumer: str, tags: Sequence[str], epoch: int) -> None:
        """Do nothing."""


class _Joining(_Unclaimed):
    @property
    def offsets(self) -> Any:
        """The offsets, as they are."""
        return _Unclaimed(self._inner.offsets)


def _joining_in(original: Any) -> Any:
    """Who starts takes the epoch that is there, instead of a newer one."""

    async def claim(self: ProjectionProcesses, number: int, epoch: int) -> Task:
        stored = await self._view.database.offsets.read(self.deployment)
        held = [stored[str(tag)].epoch for tag in self._tags[number] if str(tag) in stored]
        other = copy.copy(self)
        if held:
            other._view = replace(self._view, database=cast(Database, _Joining(self._view.database)))
        task: Task = await original(other, number, max(held, default=epoch))
        return task

    return claim


started_twice: Patch = replaced(ProjectionProcesses, "claim", _joining_in)
