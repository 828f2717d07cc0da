"""A cluster of real processes that runs views and processes while nodes are killed, frozen, come and go.

A *job* here is a process of a deployment, or a tag of the view: whatever has an offset of its own. It runs where the
state says that its node wrote last; it runs again when its offset has moved on under a newer epoch.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aecorpy.management.look import DeploymentSeen, look
from benchmarks import consumers, life_spans
from benchmarks.filled_journal import FilledJournal, filled_journal
from benchmarks.life_spans import Faults, Step
from journal.contract import Database
from journal.records import ConsumerOffset
from tests.cluster.notes import keys_by_shard
from tests.cluster.processes import Fleet, NodeProcess, fleet
from tests.waiting import eventually

DEPLOYMENTS = (consumers.SEEN, consumers.AT_ONCE, consumers.PATIENT)
NODES = ("a", "b", "c")
APPENDS_PER_SECOND = 30  # to each tag
LOOK_SECONDS = 0.004
LIMIT = 60.0

Job = tuple[str, str]  # a deployment, and the tag or process that its offset is about


@dataclass
class Upheaval:
    """Three nodes that run the view and the processes, while events come.

    Attributes:
        fleet: the nodes.
        journal: where the events come from; held by this process, so that no node's end keeps them from coming.
        coming: appends them, until `stop`.
        ends: program and time of each kill and freeze.
    """

    fleet: Fleet
    journal: FilledJournal
    coming: asyncio.Task[None]
    stop: asyncio.Event
    ends: list[tuple[str, float]] = field(default_factory=list)

    @property
    def database(self) -> Database:
        """The journal's."""
        return self.journal.database

    async def settled(self, *names: str) -> None:
        """Return when everything runs, on all of the living nodes, or on those named."""
        nodes = [self.fleet.nodes[name] for name in names or NODES]
        living = {(await node.ask("incarnation"))["incarnation"] for node in nodes}

        async def is_so() -> bool:
            return all([_runs_on(await look(self.database, name), living) for name in DEPLOYMENTS])

        await eventually(is_so, within=LIMIT, every=0.05, what=f"everything runs on {', '.join(names or NODES)}")

    async def victim(self, turn: int) -> NodeProcess:
        """A node to be harmed: every third time the coordinator's, from the first on, in between the others."""
        leading = (await self.fleet.coordinates()).options.node
        others = [name for name in NODES if name != leading]
        return self.fleet.nodes[leading if turn % 3 == 0 else others[turn % len(others)]]

    async def kill(self, victim: NodeProcess) -> dict[str, float]:
        """SIGKILL until each of its jobs has committed again; the slowest of each deployment, in milliseconds.

        The node is started again afterwards.
        """
        jobs = await self._jobs_on(victim)
        before = await self._offsets()
        since = time.monotonic()
        victim.signal(signal.SIGKILL)
        self.ends.append((victim.name, time.monotonic()))
        taken = await self._run_again(jobs, before, since)
        await victim.ended()
        await self.fleet.start(victim.options.node)
        await self.settled()
        return taken

    async def freeze(self, victim: NodeProcess) -> dict[str, float]:
        """SIGSTOP until each of its jobs has committed again; as `kill`. The node is woken then, and joins anew."""
        jobs = await self._jobs_on(victim)
        before = await self._offsets()
        was = await victim.ask("incarnation")
        since = time.monotonic()
        await victim.freeze()
        self.ends.append((victim.name, time.monotonic()))
        taken = await self._run_again(jobs, before, since)
        victim.thaw()

        async def is_another() -> bool:
            now = await victim.ask("incarnation")
            return bool(now["incarnation"] and now != was)

        await eventually(is_another, within=LIMIT, what="the frozen node finds itself out, and joins anew")
        await self.settled()
        return taken

    async def join(self, name: str) -> None:
        """Another node comes, and has its share."""
        await self.fleet.start(name)
        await self.settled(*NODES, name)

    async def leave(self, name: str) -> None:
        """It goes (SIGTERM), and the others have its share."""
        await self._terminate(self.fleet.nodes[name])
        await self.settled()

    async def end(self) -> None:
        """Let no more events come, let the view catch up, and then all nodes end."""
        self.stop.set()
        await self.coming

        async def has_caught_up() -> bool:
            offsets = await self.database.offsets.read(consumers.SEEN)
            return sum(row.offset for row in offsets.values()) == sum(self.journal.heads)

        await eventually(has_caught_up, within=LIMIT, what="the view has caught up")
        await asyncio.gather(*(self._terminate(node) for node in self.fleet.nodes.values() if node.is_alive))

    async def faults(self, folder: Path) -> Faults:
        """Compare journals, steps and rows; when all nodes have ended."""
        lives = life_spans.spans(life_spans.read_lives(folder), self.ends)
        steps: dict[Job, list[Step]] = {}
        rows: dict[int, Counter[int]] = {}
        async with self.database.transaction() as transaction:
            for deployment, name, number, epoch in await transaction.fetch(
                "SELECT deployment, name, number, epoch FROM job_step"
            ):
                steps.setdefault((deployment, name), []).append(Step(number, epoch))
            for shard, offset, count in await transaction.fetch(
                'SELECT shard, "offset", count(*) FROM seen_event GROUP BY shard, "offset"'
            ):
                rows.setdefault(shard, Counter())[offset] = count
            sums = dict(await transaction.fetch("SELECT shard, events FROM seen_sum"))
        cursors = {job: row.offset for job, row in (await self._offsets()).items() if job[0] != consumers.SEEN}
        heads = dict(enumerate(self.journal.heads))
        return life_spans.all_of(
            [
                life_spans.faults_of_lives(lives),
                life_spans.faults_of_steps(steps, cursors),
                life_spans.faults_of_rows(rows, sums, heads),
            ]
        )

    async def _jobs_on(self, node: NodeProcess) -> set[Job]:
        found: set[Job] = set()
        for name in DEPLOYMENTS:
            seen = await look(self.database, name)
            assert seen is not None, "it was started"
            for process in seen.processes:
                if process.said is not None and process.said.node == node.options.node:
                    found |= {(name, tag) for tag in process.said.tags or (process.name,)}
        assert {name for name, _ in found} == {*DEPLOYMENTS}, f"{node.name} runs some of each: {found}"
        return found

    async def _offsets(self) -> dict[Job, ConsumerOffset]:
        every = await asyncio.gather(*(self.database.offsets.read(name) for name in DEPLOYMENTS))
        return {(name, tag): row for name, rows in zip(DEPLOYMENTS, every, strict=True) for tag, row in rows.items()}

    async def _run_again(self, jobs: set[Job], before: dict[Job, ConsumerOffset], since: float) -> dict[str, float]:
        claimed: dict[Job, int] = {}
        slowest: dict[str, float] = {}
        waiting = set(jobs)
        async with asyncio.timeout(LIMIT):
            while waiting:
                await asyncio.sleep(LOOK_SECONDS)
                offsets, now = await self._offsets(), time.monotonic()
                for job in sorted(waiting):
                    row = offsets[job]
                    if row.epoch > before[job].epoch and row.offset > claimed.setdefault(job, row.offset):
                        waiting.discard(job)
                        slowest[job[0]] = (now - since) * 1000
        return slowest

    async def _terminate(self, node: NodeProcess) -> None:
        code = await node.terminate(30)
        if code:
            raise RuntimeError(f"{node.name} ended with {code}:\n{node.tail()}")


@asynccontextmanager
async def upheaval(url: str, folder: Path, lease: float) -> AsyncIterator[Upheaval]:
    """Everything runs on three nodes, and events come, until the block ends or `Upheaval.end`."""
    async with filled_journal(url, consumers.TAGS) as journal:
        async with journal.database.transaction() as transaction:
            await transaction.execute(consumers.STEPS_TABLE)
        on_start = f"{consumers.__name__}:upheaval"
        async with fleet(folder, url, shards=consumers.TAGS, lease=lease, hosts=False, on_start=on_start) as processes:
            keys = [keys[0] for keys in keys_by_shard(consumers.TAGS)]
            stop = asyncio.Event()
            coming = asyncio.create_task(journal.keep_appending(keys, APPENDS_PER_SECOND, stop))
            here = Upheaval(processes, journal, coming, stop)
            try:
                await processes.start(*NODES)
                await here.settled()
                yield here
            except BaseException:
                print(processes.logs(), file=sys.stderr)
                raise
            finally:
                coming.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await coming


def _runs_on(seen: DeploymentSeen | None, living: set[int]) -> bool:
    if seen is None or not seen.running:
        return False
    return {process.said.incarnation for process in seen.processes if process.said is not None} == living
