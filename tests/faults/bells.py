"""Processes that ring: each stroke is an effect in the database, and may happen once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aecorpy import ClusterNode, Retry
from aecorpy.processing.process import Process, ProcessContext
from aecorpy.processing.worker import Patience
from journal.contract import Database
from tests.checker.records import Effect, Record, Started, Stopped
from tests.faults.setting import now

BELLS, CHIMES = "bells", "chimes"  # bells wait for the end of a lost node's lease, chimes do not
COUNT = 4
PAUSE = 0.2  # seconds
PATIENCE = Patience(pauses=Retry(0.2, 2.0), stop_seconds=3.0)

_CREATE = (
    "CREATE TABLE IF NOT EXISTS strokes "
    "(name TEXT, number BIGINT, stroke BIGINT, node TEXT, epoch BIGINT, at DOUBLE PRECISION)"
)


class Ringing:
    """The processes of one node.

    Args:
        life: its process.
        record: takes the records of what starts and stops.
    """

    def __init__(self, life: str, record: Callable[[Record], None]) -> None:
        self._life = life
        self._record = record

    async def begin(self, node: ClusterNode) -> None:
        """Let the node run its part of them."""
        for name, patient in ((BELLS, True), (CHIMES, False)):
            processes = [Process.of(f"{name}-{number}", self._ring) for number in range(COUNT)]
            await node.processing.start(name, processes, patient=patient, patience=PATIENCE)

    async def _ring(self, context: ProcessContext) -> None:
        place = ("process", context.deployment, context.number, self._life, context.epoch)
        self._record(Started(now(), *place))
        try:
            while True:
                await self._stroke(context)
                await asyncio.sleep(PAUSE)
        finally:
            self._record(Stopped(now(), *place))

    async def _stroke(self, context: ProcessContext) -> None:
        stroke = context.cursor + 1
        async with context.transaction(stroke) as transaction:
            row = (context.deployment, context.number, stroke, self._life, context.epoch, now())
            await transaction.execute("INSERT INTO strokes VALUES ($1, $2, $3, $4, $5, $6)", *row)


async def create_strokes(database: Database) -> None:
    """Make the table in which they are kept, where it is missing."""
    async with database.transaction() as transaction:
        await transaction.execute(_CREATE)


async def strokes(database: Database) -> list[Effect]:
    """All strokes that were committed."""
    async with database.transaction() as transaction:
        rows = await transaction.fetch("SELECT at, name, number, node, epoch, stroke FROM strokes ORDER BY at")
    return [
        Effect(at, name, number, node, epoch, f"{number} {stroke}") for at, name, number, node, epoch, stroke in rows
    ]
