"""How many timers can be set and fired, and how late do they fire, beside a million pending ones?"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aecorpy import ClusterNode, EntityRefs
from aecorpy.behaviour import Behaviour
from aecorpy.projection.progress import ViewProgress
from aecorpy.schedule import Fired, Schedule, Scheduled, name_of
from benchmarks.harness import Run, at_least, at_most, run_benchmark
from benchmarks.live_entities import resident_bytes
from journal.database import open_database
from journal.events import EventJournal
from journal.records import StoredEvent

CALLERS = 256
FILLED_AT_ONCE = 10_000
PENDING, PENDING_QUICK = 1_000_000, 20_000
SET, SET_QUICK = 50_000, 5_000
STEADY_PER_SECOND = 500

BOUNDS = (
    at_least(500, "set_per_s", "/s", f"timers set, {CALLERS} callers, until the last is on disk"),
    at_least(500, "fired_per_s", "/s", "timers that are all due at once, until the last has fired"),
    at_most(100, "late_p99_ms", "ms", f"due to fired, {STEADY_PER_SECOND} timers/s, beside all the pending ones"),
    at_most(300, "bytes_per_pending", "B", "memory growth of the node's process per pending timer"),
)


@dataclass(frozen=True, slots=True)
class Reminder:
    """What a timer brings along."""

    account: str
    text: str


class Reminders(Schedule[Reminder]):
    """The timers."""


async def measure(run: Run) -> None:
    """Have so many timers pending, set some by their commands, fire some steadily, and then many at once."""
    count = PENDING_QUICK if run.quick else PENDING
    async with run.database() as url:
        await fill(url, count)
        await run.settle(f"{count:,} pending")
        async with ClusterNode("benchmark", journal=url, lease_seconds=60) as node:
            timers = await taken_in(run, node, count)
            await run.settle("setting")
            await setting(run, node, timers, SET_QUICK if run.quick else SET)
            await run.settle("firing steadily")
            await steady(run, node, timers)
            await run.settle("firing at once")
            await at_once(run, node, timers, SET_QUICK if run.quick else SET)


async def fill(url: str, count: int) -> None:
    """Write timers into the journal, as their commands would, before any node runs."""
    database = await open_database(url)
    behaviour = Behaviour.of(Reminders)
    journal: EventJournal[Any] = EventJournal(
        await database.journal(behaviour.name, behaviour.tagging.shard_count), behaviour.events
    )
    for shard in range(behaviour.tagging.shard_count):
        await journal.claim(shard, 1)
    due = await database.now() + timedelta(days=1)
    for start in range(0, count, FILLED_AT_ONCE):
        numbers = range(start, min(count, start + FILLED_AT_ONCE))
        await asyncio.gather(*[_fill(journal, f"far-{number}", due + timedelta(seconds=number)) for number in numbers])
    await journal.close()
    await database.close()


async def _fill(journal: EventJournal[Any], key: str, due: datetime) -> None:
    shard = Reminders.tagging.shard_of(key)
    await journal.append(shard, 1, key, 1, [Scheduled(due, Reminder(key, "an invoice is due"))])


async def taken_in(run: Run, node: ClusterNode, count: int) -> EntityRefs[Reminders]:
    """Start the schedule; how fast are its rows written, and what do they take of the node's memory?"""
    loop, progress = asyncio.get_running_loop(), ViewProgress(node.database)
    before, begun = resident_bytes(), loop.time()
    timers = await node.schedule(Reminders)
    await progress.caught_up(name_of(Reminders), node.journal(Reminders).store, 3_600)
    run.explain("rows_per_s", count / (loop.time() - begun), "/s", "rows of pending timers, written from the journal")
    run.record("bytes_per_pending", max(0, resident_bytes() - before) / count, f"{count:,} of them")
    await progress.close()
    return timers


async def setting(run: Run, node: ClusterNode, timers: EntityRefs[Reminders], count: int) -> None:
    """Timers that are set by their commands."""
    loop = asyncio.get_running_loop()
    due, begun = await node.database.now() + timedelta(days=1), loop.time()
    await set_all(timers, "set", [due] * count)
    run.record("set_per_s", count / (loop.time() - begun), f"{count:,} of them")
    while node.live_entities(Reminders):
        await asyncio.sleep(0.5)


async def set_all(timers: EntityRefs[Reminders], prefix: str, dues: Iterable[datetime]) -> None:
    """Set one timer for each of `dues`."""
    numbered = iter(enumerate(dues))

    async def caller() -> None:
        for number, due in numbered:
            await timers(f"{prefix}-{number}").at(due, Reminder(f"account-{number}", "an invoice is due"))

    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())


async def steady(run: Run, node: ClusterNode, timers: EntityRefs[Reminders]) -> None:
    """Timers that are set some seconds ahead and come due one after another."""
    count = int(STEADY_PER_SECOND * run.seconds)
    after = await heads(node)
    begin = await node.database.now() + timedelta(seconds=3)
    await set_all(timers, "steady", [begin + timedelta(seconds=n / STEADY_PER_SECOND) for n in range(count)])
    fired = await fired_after(node, after, count)
    noticed = sorted(milliseconds(one.at - one.due) for _, one in fired)
    recorded = sorted(milliseconds(record.recorded_at - one.due) for record, one in fired)
    run.record("late_p99_ms", percentile(recorded, 0.99), f"{count:,} of them")
    run.explain("late_p50_ms", percentile(recorded, 0.5), "ms", "the same, median")
    run.explain("noticed_p50_ms", percentile(noticed, 0.5), "ms", "due to noticed by the schedule's process, median")
    run.explain("noticed_p99_ms", percentile(noticed, 0.99), "ms", "the same, p99")


async def at_once(run: Run, node: ClusterNode, timers: EntityRefs[Reminders], count: int) -> None:
    """Timers that are all due at the same time, and have left memory by then."""
    after = await heads(node)
    due = await node.database.now() + timedelta(seconds=count / 500 + 5)
    await set_all(timers, "burst", [due] * count)
    fired = await fired_after(node, after, count)
    last = max(record.recorded_at for record, _ in fired)
    run.record("fired_per_s", count / (last - due).total_seconds(), f"{count:,} of them")


async def heads(node: ClusterNode) -> dict[int, int]:
    """How far each shard is."""
    return {head.shard: head.head for head in await node.journal(Reminders).store.heads()}


async def fired_after(
    node: ClusterNode, after: dict[int, int], count: int
) -> list[tuple[StoredEvent, Fired[Reminder]]]:
    """Wait until `count` timers were set and fired after these offsets, and return what fired."""
    expected = sum(after.values()) + 2 * count
    while sum((await heads(node)).values()) < expected:
        await asyncio.sleep(0.2)
    journal, fired = node.journal(Reminders), []
    for shard, offset in after.items():
        for record in await journal.store.read_shards({shard: offset}, 2 * count):
            payload = journal.decode(record).payload
            if isinstance(payload, Fired):
                fired.append((record, payload))
    return fired


def milliseconds(late: timedelta) -> float:
    """As a number."""
    return late / timedelta(milliseconds=1)


def percentile(values: list[float], share: float) -> float:
    """Of sorted values."""
    return values[math.ceil(len(values) * share) - 1]


if __name__ == "__main__":
    sys.exit(run_benchmark("schedule", BOUNDS, measure))
