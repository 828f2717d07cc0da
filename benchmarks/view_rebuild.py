"""How fast a view is rebuilt beside the generation that serves, and what callers of the same nodes notice of it."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from aecorpy import ClusterNode
from aecorpy.management.rebuilding import rebuild
from aecorpy.projection.generations import read_generations
from benchmarks import consumers
from benchmarks.filled_journal import filled_journal
from benchmarks.steady_load import SteadyLoad, percentile_ms
from benchmarks.view_speed import LEASE, LIMIT, settled
from journal.contract import Database
from tests.cluster.notes import notes
from tests.cluster.processes import fleet
from tests.waiting import eventually

COMMANDS_PER_SECOND = 200
NOTES = 1_000  # that get commands
WARM_UP = 1.0  # seconds


class Rebuilt(NamedTuple):
    """Events per second, from the wish to the switch; p99 of commands before and meanwhile; how many there were."""

    events_per_second: float
    before_ms: float
    during_ms: float
    commands: int


async def rebuilt(
    url: str, payload_bytes: int, events: int, quiet: float, settle: Callable[[], Awaitable[None]]
) -> Rebuilt:
    """Rebuild a view on two nodes that host notes, too, and get commands meanwhile.

    Args:
        url: an empty database.
        payload_bytes: of each event that is there before.
        events: how many those are.
        quiet: seconds of commands before the rebuild.
        settle: what is done when all is filled, before the first command.
    """
    async with filled_journal(url, consumers.TAGS) as journal:
        await journal.fill(events, payload_bytes)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            fleet(
                Path(folder), url, shards=consumers.TAGS, lease=LEASE, on_start=f"{consumers.__name__}:view"
            ) as nodes,
            ClusterNode("fleet", journal=url, node="client", weight=0, lease_seconds=LEASE) as client,
        ):
            await nodes.start("a", "b")
            refs = await client.deploy(notes(consumers.TAGS))
            await settled(client.database, consumers.NOTES, nodes)
            await eventually(lambda: _has_handled(client.database, events), within=LIMIT, every=0.1)
            keys = [f"note-{number}" for number in range(NOTES)]
            await asyncio.gather(*(refs(key).written() for key in keys))
            await settle()
            load = SteadyLoad(refs, keys, nodes.ledger, COMMANDS_PER_SECOND)
            return await _under_load(client.database, load, events, quiet)


async def _under_load(database: Database, load: SteadyLoad, events: int, quiet: float) -> Rebuilt:
    running = asyncio.create_task(load.run())
    try:
        await asyncio.sleep(WARM_UP)
        first = time.monotonic()
        await asyncio.sleep(quiet)
        began = time.monotonic()
        number = await rebuild(database, consumers.NOTES, "benchmark")
        await eventually(lambda: _serves(database, number), within=LIMIT, every=0.02, what="the new generation serves")
        ended = time.monotonic()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    before, during = load.between(first, began), load.between(began, ended)
    return Rebuilt(events / (ended - began), percentile_ms(before, 99), percentile_ms(during, 99), len(during))


async def _has_handled(database: Database, events: int) -> bool:
    return sum(row.offset for row in (await database.offsets.read(consumers.NOTES)).values()) >= events


async def _serves(database: Database, number: int) -> bool:
    seen = await read_generations(database, consumers.NOTES)
    return seen is not None and seen.serving.number == number
