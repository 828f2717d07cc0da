"""A cluster of real processes under load: one is killed, frozen or joins, and how long callers notice it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aecorpy import ClusterNode, EntityRefs, settle_heap
from benchmarks.steady_load import SteadyLoad
from tests.cluster.ledger import ANSWERED, UNKNOWN, told
from tests.cluster.notes import Note, notes
from tests.cluster.processes import Fleet, NodeProcess, fleet
from tests.waiting import eventually

SHARDS = 300
ENTITIES = 10_000
PER_SECOND = 200
LEASE = 5.0
PROBE_SECONDS = 2.0
PROBE_PAUSE = 0.005
NODES = ("a", "b", "c")


@dataclass
class Mark:
    """Something was done to a node, at that time of CLOCK_MONOTONIC."""

    at: float
    what: str
    process: str = ""


@dataclass
class Site:
    """A cluster of three, a client of it in this process, and its load.

    Attributes:
        marks: what was done when.
        quiet: seconds of undisturbed load before a change.
    """

    fleet: Fleet
    client: EntityRefs[Note]
    load: SteadyLoad
    keys: Sequence[str]
    marks: list[Mark] = field(default_factory=list)
    quiet: float = 2.0

    def mark(self, what: str, process: str = "") -> float:
        """Note that something is done now; the time."""
        self.marks.append(Mark(time.monotonic(), what, process))
        return self.marks[-1].at

    async def warm(self, *, first: bool = False) -> None:
        """Make all entities live, wherever they are; the first time with an event each."""
        keys = iter(self.keys)

        async def touch() -> None:
            for key in keys:
                if first:
                    await self.probe(key, within=10.0)
                else:
                    await self.client(key).written()

        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(touch())

    async def probe(self, key: str, within: float = PROBE_SECONDS) -> bool:
        """One command to `key`; whether it was answered."""
        command = self.fleet.ledger.new_id("probe")
        self.fleet.ledger.note(command, UNKNOWN)
        outcome, text = await told(self.client.within(within)(key).write(command))
        self.fleet.ledger.note(command, outcome, text)
        return outcome == ANSWERED

    async def served_ms(self, shards: Collection[int], since: float) -> float:
        """Ask every one of `shards` until all have answered; milliseconds since `since`."""

        async def ask(shard: int) -> None:
            while not await self.probe(self.fleet.keys[shard]):
                await asyncio.sleep(PROBE_PAUSE)

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for shard in shards:
                group.create_task(ask(shard))
        return (time.monotonic() - since) * 1000

    async def victim(self, turn: int) -> NodeProcess:
        """A node to be harmed: every third time the coordinator's, from the first on, in between the others."""
        leading = (await self.fleet.coordinates()).options.node
        others = [name for name in NODES if name != leading]
        return self.fleet.nodes[leading if turn % 3 == 0 else others[turn % len(others)]]

    # --- what is measured

    async def kill(self, victim: NodeProcess) -> float:
        """SIGKILL until all its shards have answered, in milliseconds."""
        shards = set(self.fleet.owned()[victim.options.node])
        since = self.mark("SIGKILL", victim.name)
        victim.signal(signal.SIGKILL)
        taken = await self.served_ms(shards, since)
        await victim.ended()
        return taken

    async def freeze(self, victim: NodeProcess) -> tuple[float, float]:
        """SIGSTOP until all its shards have answered, then SIGCONT until it owns shards again, in milliseconds."""
        shards = set(self.fleet.owned()[victim.options.node])
        was = await victim.ask("incarnation")
        since = self.mark("SIGSTOP", victim.name)
        await victim.freeze()
        taken = await self.served_ms(shards, since)
        woken = self.mark("SIGCONT", victim.name)
        victim.thaw()

        async def is_another() -> bool:
            now = await victim.ask("incarnation")
            return bool(now["incarnation"] and now != was and self.fleet.is_balanced())

        async with asyncio.timeout(30):
            await eventually(is_another, within=30, what="the frozen node finds itself out, and joins anew")
        return taken, (time.monotonic() - woken) * 1000

    async def restart(self, name: str) -> None:
        """Start the node again, and wait until it has its share and all entities are live."""
        self.mark(f"start {name}")
        await self.fleet.start(name)
        await self.fleet.balanced(within=60)
        await self.warm()

    async def join(self, name: str) -> tuple[float, float]:
        """Let another node join, whose program runs already; when that began, and when it had its share."""
        node = await self.fleet.spawn(name, waits=True)
        await node.said()
        await asyncio.sleep(self.quiet)
        began = self.mark(f"join {name}", node.name)
        await node.go()
        await self.fleet.balanced(within=60)
        return began, time.monotonic()

    async def leave(self, name: str) -> tuple[float, float]:
        """SIGTERM a node; when that was, and when it had ended."""
        node = self.fleet.nodes[name]
        began = self.mark("SIGTERM", node.name)
        code = await node.terminate(30)
        if code:
            raise RuntimeError(f"{node.name} ended with {code}:\n{node.tail()}")
        return began, time.monotonic()


@asynccontextmanager
async def site(url: str, folder: Path) -> AsyncIterator[Site]:
    """Three nodes that share their shards, all entities live, and the load running."""
    async with (
        fleet(folder, url, shards=SHARDS, lease=LEASE) as processes,
        ClusterNode("fleet", journal=url, node="client", weight=0, lease_seconds=LEASE) as node,
    ):
        await processes.start(*NODES)
        await processes.balanced(within=60)
        client = await node.deploy(notes(SHARDS))
        keys = [f"note-{number}" for number in range(ENTITIES)]
        load = SteadyLoad(client, keys, processes.ledger, PER_SECOND)
        here = Site(processes, client, load, keys)
        await here.warm(first=True)
        settle_heap()
        running = asyncio.get_running_loop().create_task(load.run())
        try:
            yield here
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


@asynccontextmanager
async def sqlite_file() -> AsyncIterator[str]:
    """The URL of a journal in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/journal.db"
