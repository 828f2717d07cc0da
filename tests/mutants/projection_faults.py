"""Faults in projections and their offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aecorpy.projection import ProjectionRunner, TableView
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


def _joining_in(original: Any) -> Any:
    """Who starts takes the epoch that is there, instead of a newer one."""

    async def start(self: ProjectionRunner[Any]) -> None:
        stored = await self._database.offsets.read(self.name)
        if not stored:
            await original(self)
            return
        self._epoch = max(row.epoch for row in stored.values())
        await self._reread()

    return start


started_twice: Patch = replaced(ProjectionRunner, "_start", _joining_in)
