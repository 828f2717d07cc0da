"""How fast a view on two nodes takes in what is there, and how far it lags behind what comes. Real node processes."""

from __future__ import annotations

import asyncio
import bisect
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from aecorpy import ClusterNode, EntityRefs, settle_heap
from aecorpy.management.look import look
from aecorpy.processing.wishes import pause, resume
from benchmarks import consumers
from benchmarks.filled_journal import filled_journal
from journal.contract import Database
from journal.tagging import EventTag
from tests.cluster.notes import Note, keys_by_shard, notes
from tests.cluster.processes import Fleet, fleet
from tests.waiting import eventually

LOOK_SECONDS = 0.02
FINE_LOOK_SECONDS = 0.002
NOTES_PER_SHARD = 8
WARM_UP = 1.0  # seconds
LIMIT = 600.0
LEASE = 30.0  # no busy machine lets it run out


async def view_events_per_second(url: str, payload_bytes: int, events: int) -> float:
    """Events per second into the view, from its first commit to its last, of events that were there before it."""
    with tempfile.TemporaryDirectory() as folder:
        async with filled_journal(url, consumers.TAGS) as journal:
            await journal.fill(events, payload_bytes)
            database = journal.database
            await pause(database, consumers.NOTES, "benchmark", "until both nodes are there")
            async with fleet(Path(folder), url, shards=consumers.TAGS, lease=LEASE, **_runs("view")) as nodes:
                await nodes.start("a", "b")
                await settled(database, consumers.NOTES, nodes, "paused")
                await resume(database, consumers.NOTES, "benchmark", "")
                rate = await _rate(database, events)
            rows = [row async for row in consumers.Notes.table.rows(database)]
            if sum(row.written for row in rows) != events:
                raise RuntimeError("the view does not hold each event once")
            return rate


async def lag_ms(url: str, payload_bytes: int, per_second: int, seconds: float) -> list[float]:
    """From the moment at which the server stored an event until the view's commit that has it was seen, sorted.

    Commands come from this process; notes live on both nodes, as the view does, so half of its events are another
    node's. Offsets commit together with the rows, and are looked at every 2 ms, by the server's clock. So the commit of
    the event itself, and what is left of the 2 ms, are counted as lag.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with (
            fleet(Path(folder), url, shards=consumers.TAGS, lease=LEASE, **_runs("view")) as nodes,
            ClusterNode("fleet", journal=url, node="client", weight=0, lease_seconds=LEASE) as client,
        ):
            await nodes.start("a", "b")
            refs = await client.deploy(notes(consumers.TAGS))
            await settled(client.database, consumers.NOTES, nodes)
            settle_heap()
            await _send(refs, payload_bytes, per_second, WARM_UP)
            sights = Sights()
            watcher = asyncio.create_task(sights.watch(url))
            try:
                since = await client.database.now()
                await _send(refs, payload_bytes, per_second, seconds)
                store = client.journal(notes(consumers.TAGS)).store
                heads = {shard: head for shard, _, head in await store.heads()}
                await eventually(lambda: sights.reach(heads), within=30, what="the view has seen everything")
            finally:
                watcher.cancel()
                await asyncio.wait([watcher])
            events = [event for shard in heads for event in await store.read_shards({shard: 0}, heads[shard])]
    return sorted(sights.lag_ms(one.shard, one.offset, one.recorded_at) for one in events if one.recorded_at > since)


class Sights:
    """How far a view was seen to have come, shard by shard, and when by the server's clock."""

    def __init__(self) -> None:
        self._offsets: dict[int, list[int]] = {}
        self._times: dict[int, list[datetime]] = {}

    def add(self, shard: int, offset: int, at: datetime) -> None:
        """The view is at `offset`."""
        offsets = self._offsets.setdefault(shard, [])
        if not offsets or offset > offsets[-1]:
            offsets.append(offset)
            self._times.setdefault(shard, []).append(at)

    def reach(self, heads: Mapping[int, int]) -> bool:
        """Whether the view was seen at all these offsets."""
        return all(not head or self._offsets.get(shard, [0])[-1] >= head for shard, head in heads.items())

    def lag_ms(self, shard: int, offset: int, since: datetime) -> float:
        """From `since` until the view was first seen at or beyond an offset, in milliseconds."""
        place = bisect.bisect_left(self._offsets[shard], offset)
        return (self._times[shard][place] - since) / timedelta(milliseconds=1)

    async def watch(self, url: str) -> None:
        """Look, until cancelled."""
        connection = await asyncpg.connect(url)
        try:
            statement = await connection.prepare(
                f"SELECT tag, position, clock_timestamp() FROM aecorpy_offset WHERE consumer = '{consumers.NOTES}'"
            )
            while True:
                for tag, position, at in await statement.fetch():
                    self.add(EventTag.parse(tag).shard, position, at)
                await asyncio.sleep(FINE_LOOK_SECONDS)
        finally:
            await connection.close()


async def _send(refs: EntityRefs[Note], payload_bytes: int, per_second: int, seconds: float) -> None:
    """Commands at a steady rate, whether earlier ones are answered or not, to notes of one shard after the other."""
    keys = [key for some in zip(*keys_by_shard(consumers.TAGS, NOTES_PER_SHARD), strict=True) for key in some]
    text = "x" * payload_bytes
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
            group.create_task(_write(refs, keys[number % len(keys)], text))


async def _write(refs: EntityRefs[Note], key: str, text: str) -> None:
    await refs(key).write(text)


async def settled(database: Database, name: str, nodes: Fleet, state: str = "running") -> None:
    """Return when all processes of a deployment are so, and spread over all nodes."""
    living = {(await node.ask("incarnation"))["incarnation"] for node in nodes.nodes.values() if node.is_alive}

    async def is_so() -> bool:
        seen = await look(database, name)
        if seen is None:
            return False
        said = [process.said for process in seen.processes if process.state == state and process.said is not None]
        return len(said) == len(seen.processes) and {one.incarnation for one in said} == living

    await eventually(is_so, within=30, every=0.05, what=f"{name} is {state} on all nodes")


async def _rate(database: Database, events: int) -> float:
    began, done = time.perf_counter(), 0
    async with asyncio.timeout(LIMIT):
        while done < events:
            if not done:
                began = time.perf_counter()
            await asyncio.sleep(LOOK_SECONDS)
            offsets = await database.offsets.read(consumers.NOTES)
            done = sum(row.offset for row in offsets.values())
    return events / (time.perf_counter() - began)


def _runs(function: str) -> dict[str, str]:
    return {"on_start": f"{consumers.__name__}:{function}"}
