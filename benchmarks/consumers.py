"""What the node processes of `benchmarks.projections` run: views of notes, and processes that note when they live.

The coroutine functions with a node and options are called when the node has started; see `Options.on_start`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aecorpy import ClusterNode, EntityEvent, SqlView, Table, TableView
from aecorpy.processing.process import Process, ProcessContext
from benchmarks.life_spans import LifeJournal
from journal.contract import Transaction
from tests.cluster.notes import Written, notes
from tests.cluster.program import Options

TAGS = 16
NOTES, SEEN = "Notes", "Seen"
AT_ONCE, PATIENT, FAILING = "AtOnce", "Patient", "Failing"
JOBS = 6
FAILURES = 20
STEP_SECONDS = 0.05
FIRST_FAILURE, FAILURE_PAUSE = 0.5, 0.05

STEPS_TABLE = """
CREATE TABLE job_step (
    deployment text NOT NULL, name text NOT NULL, number bigint NOT NULL, epoch bigint NOT NULL, process text NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class NoteRow:
    """How often a note was written, and what last."""

    note: str
    written: int
    text: str


class Notes(TableView[NoteRow, Written]):
    """A row per note, updated by each event, exactly once."""

    entity = notes(TAGS)
    table = Table(NoteRow, "note_row")

    def apply(self, row: NoteRow | None, event: EntityEvent[Written]) -> NoteRow | None:
        """Count, and keep the last text."""
        return NoteRow(event.entity_key, 1 if row is None else row.written + 1, event.payload.id)


class Seen(SqlView[Written]):
    """A row for each event, so that a repetition can be seen, and a sum for each tag, by increments."""

    entity = notes(TAGS)

    async def create(self, transaction: Transaction) -> None:
        """Both tables. No key keeps repetitions out of the first one: they are to be counted."""
        await transaction.execute(
            'CREATE TABLE IF NOT EXISTS seen_event (shard int NOT NULL, "offset" bigint NOT NULL)'
        )
        await transaction.execute("CREATE TABLE IF NOT EXISTS seen_sum (shard int PRIMARY KEY, events bigint NOT NULL)")

    async def apply(self, transaction: Transaction, events: Sequence[EntityEvent[Written]]) -> None:
        """Append the rows, and raise the sums."""
        counts: dict[int, int] = {}
        for event in events:
            counts[event.shard] = counts.get(event.shard, 0) + 1
        await transaction.execute_many("INSERT INTO seen_event VALUES ($1, $2)", [(e.shard, e.offset) for e in events])
        await transaction.execute_many(
            "INSERT INTO seen_sum AS s VALUES ($1, $2) ON CONFLICT (shard) DO UPDATE SET events = s.events + $2",
            sorted(counts.items()),
        )


async def view(node: ClusterNode, options: Options) -> None:
    """The view of rows."""
    await node.distribute(NOTES, Notes())


async def upheaval(node: ClusterNode, options: Options) -> None:
    """The view of events, processes that may move at once, and such that wait for the lease of a lost node."""
    journal = LifeJournal(Path(options.folder), options.process)
    await node.distribute(SEEN, Seen())
    for deployment, patient in ((AT_ONCE, False), (PATIENT, True)):
        jobs = [_stepping(f"job-{number}", journal) for number in range(JOBS)]
        await node.processing.start(deployment, jobs, patient=patient)


async def failing(node: ClusterNode, options: Options) -> None:
    """Processes that raise once in each program, one after the other."""
    journal = LifeJournal(Path(options.folder), options.process)
    failed: set[str] = set()
    jobs = [_failing(f"job-{number}", journal, failed) for number in range(FAILURES)]
    await node.processing.start(FAILING, jobs, patient=False)


def _stepping(name: str, journal: LifeJournal) -> Process:
    async def steps(context: ProcessContext) -> None:
        with journal.life(context):
            while True:
                number = context.cursor + 1
                async with context.transaction(cursor=number) as transaction:
                    await transaction.execute(
                        "INSERT INTO job_step VALUES ($1, $2, $3, $4, $5)",
                        *(context.deployment, context.name, number, context.epoch, journal.process),
                    )
                await asyncio.sleep(STEP_SECONDS)

    return Process.of(name, steps)


def _failing(name: str, journal: LifeJournal, failed: set[str]) -> Process:
    async def fails_once(context: ProcessContext) -> None:
        with journal.life(context):
            if name not in failed:
                await asyncio.sleep(FIRST_FAILURE + context.number * FAILURE_PAUSE)
                failed.add(name)
                raise RuntimeError("fails once, to see how soon it runs again")
            await asyncio.get_running_loop().create_future()

    return Process.of(name, fails_once)
