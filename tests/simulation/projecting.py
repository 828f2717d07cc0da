"""What runs over a simulated cluster besides entities: two projections, and processes that do things once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aecorpy import ClusterNode, EntityEvent, Retry, Versioned
from aecorpy.processing.process import Process, ProcessContext
from aecorpy.processing.worker import Patience
from aecorpy.projection import Projection
from tests.checker.records import CaughtUp, Shown, Started, Stopped
from tests.simulation.nodes import current_node
from tests.simulation.notes import SHARDS, Copies, Line, Lines, Noted
from tests.simulation.recording import TICKS, Log, RecordedWorld

LINES, COPIES = "Lines", "Copies"
PROCESSES = {LINES: 4, COPIES: 3, TICKS: 5}
CAUGHT_UP_WITHIN = 30.0
PATIENCE = Patience(pauses=Retry(0.2, 3.0), stop_seconds=2.0)


class Projecting:
    """The projections and processes of a run; every node may run all of them.

    Args:
        log: where it is recorded what they are shown, and when they run.

    Attributes:
        copies: what is kept outside the database.
    """

    def __init__(self, log: Log) -> None:
        self.copies: dict[str, Versioned[Line]] = {}
        self._log = log
        self._made: dict[str, Callable[[], Projection[Any]]] = {LINES: Lines, COPIES: self._new_copies}
        self._running: dict[tuple[int, int], str] = {}

    def _new_copies(self) -> Copies:
        def shown(event: EntityEvent[Noted]) -> None:
            place = (event.shard, event.offset, event.entity_key, event.seq_nr)
            self._log(Shown(self._log.now(), COPIES, *place, str(current_node())))

        return Copies(self.copies, shown)

    async def begin(self, node: ClusterNode) -> None:
        """Let a node run its part of everything."""
        for name, make in self._made.items():
            await node.distribute(name, make(), processes=PROCESSES[name], patience=PATIENCE)
        ticks = [Process.of(f"tick-{number}", self._tick) for number in range(PROCESSES[TICKS])]
        await node.processing.start(TICKS, ticks, patient=False, patience=PATIENCE)

    async def _tick(self, context: ProcessContext) -> None:
        life = str(current_node())
        place = ("process", TICKS, context.number, life, context.epoch)
        self._log(Started(self._log.now(), *place))
        self._running[context.number, context.epoch] = life
        try:
            while True:
                await asyncio.sleep(0.4)
                async with context.transaction(cursor=context.cursor + 1):
                    pass
        finally:
            self._running.pop((context.number, context.epoch), None)
            self._log(Stopped(self._log.now(), *place))

    def all_run(self, lives: Sequence[str]) -> bool:
        """Whether each of the processes runs on one of these nodes."""
        running = {number for (number, _), life in self._running.items() if life in lives}
        return len(running) == PROCESSES[TICKS]

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
