"""Projections on a simulated cluster: each runs on one node at a time, moves, and is started again where it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aecorpy import AecorError, EntityEvent, Versioned
from aecorpy.projection import Projection
from journal.errors import JournalError
from tests.checker.records import CaughtUp, Shown
from tests.simulation.errors import NodeCrashed
from tests.simulation.nodes import current_node
from tests.simulation.notes import SHARDS, Copies, Line, Lines, Noted
from tests.simulation.recording import Log, RecordedWorld

if TYPE_CHECKING:
    from aecorpy.deployment import ProjectionHandle

LINES, COPIES = "Lines", "Copies"
CAUGHT_UP_WITHIN = 15.0
LONGEST_STAY = 12.0


class Projecting:
    """The two projections of a run.

    Args:
        log: where it is recorded what they are shown.

    Attributes:
        copies: what is kept outside the database.
        enough: no more is started.
    """

    def __init__(self, log: Log) -> None:
        self.copies: dict[str, Versioned[Line]] = {}
        self.enough = False
        self._log = log
        self._made: dict[str, Callable[[], Projection[Any]]] = {LINES: Lines, COPIES: self._new_copies}

    def _new_copies(self) -> Copies:
        def shown(event: EntityEvent[Noted]) -> None:
            place = (event.shard, event.offset, event.entity_key, event.seq_nr)
            self._log(Shown(self._log.now(), COPIES, *place, str(current_node())))

        return Copies(self.copies, shown)

    async def keep(self, world: RecordedWorld) -> None:
        """Keep both running until it is enough."""
        await asyncio.gather(*[self._keep(world, name) for name in self._made])

    async def _keep(self, world: RecordedWorld, name: str) -> None:
        draws = world.loop.random(f"projecting {name}")
        while not self.enough:
            await asyncio.sleep(0.2)
            if world.running:
                where = draws.choice(sorted(world.running))
                await self._stay(world, where, name, draws.uniform(1, LONGEST_STAY), in_order=draws.random() < 0.5)

    async def _stay(self, world: RecordedWorld, where: str, name: str, seconds: float, *, in_order: bool) -> None:
        """Run it on a node for a while, and then stop it, or leave it alone: the next one has to fence it."""
        running, end = world.running[where], world.loop.now + seconds
        try:
            handle: ProjectionHandle = await world.on(where, running.node.distribute(name, self._made[name]()))
            while world.loop.now < end and not self.enough:
                if handle.ended or world.running.get(where) is not running:
                    return
                await asyncio.sleep(0.1)
            if in_order and world.running.get(where) is running:
                await world.on(where, handle.stop())
        except (NodeCrashed, AecorError, JournalError) as error:
            world.trace.say(f"{name}: {error!r}", where)

    async def catch_up(self, world: RecordedWorld) -> None:
        """Wait until both have taken in what is in the journal, but not for ever: the checker is asked then."""
        end = world.loop.now + CAUGHT_UP_WITHIN
        store = await world.memory.journal("notes", SHARDS)
        while world.loop.now < end:
            heads = {shard: head for shard, _, head in await store.heads()}
            places = [await world.memory.offsets.read(name) for name in self._made]
            if all(
                f"notes-{shard}" in place and place[f"notes-{shard}"].offset >= head
                for place in places
                for shard, head in heads.items()
            ):
                break
            await asyncio.sleep(0.2)
        for name in self._made:
            self._log(CaughtUp(world.loop.now, name))
        self.enough = True
