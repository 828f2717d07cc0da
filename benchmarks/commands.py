"""How fast are durable commands, on one node with PostgreSQL, next to another library and to the bare database?"""

from __future__ import annotations

import asyncio
import sys
from functools import partial

from benchmarks.baselines import eventsourcing_library, fenced_sql
from benchmarks.harness import Run, at_least, at_most, run_benchmark

PAYLOAD_BYTES = 100

BOUNDS = (
    at_least(20, "ratio_to_eventsourcing", "×", "durable commands/s of 256 callers, over the eventsourcing library's"),
    at_least(0.35, "fraction_of_batch_limit", "×", "the same, over bare fenced batches of 500 events"),
    at_most(1.5, "one_caller_overhead", "×", "p50 of one caller's command, over p50 of a bare fenced append"),
    at_least(5, "hot_entity_ratio", "×", "commands/s on one entity with 64 callers, over 1 / p50 of the bare append"),
    at_least(40_000, "local_asks_per_s", "/s", "commands that append nothing, 64 callers"),
    at_most(3_000, "bytes_per_entity", "B", "memory growth per live idle booking, 100,000 of them"),
    at_least(50_000, "recovery_events_per_s", "/s", "recovery of one entity of 10,000 events"),
    at_least(8_000, "view_events_per_s", "/s", "events into a view, exactly once, on PostgreSQL"),
    at_most(50, "view_lag_p99_ms", "ms", "commit to visible row at 1,000 events/s"),
)


async def measure(run: Run) -> None:
    """Measure all contestants in turns on one server, and compare."""
    bare = fenced_sql.Workload(PAYLOAD_BYTES)
    async with run.database() as others:
        scores = await run.interleave(
            {
                "eventsourcing_1_thread": partial(eventsourcing, others, 1),
                "eventsourcing_8_threads": partial(eventsourcing, others, 8),
                "bare_batch": partial(fenced_sql.batch_events_per_second, others, bare),
                "bare_spread_batch": partial(fenced_sql.spread_batch_events_per_second, others, bare),
                "bare_append": partial(fenced_sql.append_milliseconds, others, bare),
            }
        )
    psycopg = f"psycopg {eventsourcing_library.driver()}"
    for name, unit, meaning in (
        ("eventsourcing_1_thread", "/s", f"commands of the eventsourcing library, {psycopg}"),
        ("eventsourcing_8_threads", "/s", f"commands of the eventsourcing library, {psycopg}"),
        ("bare_batch", "/s", "events in bare fenced batches of 500, one shard at a time"),
        ("bare_spread_batch", "/s", "the same, each batch over all shards"),
        ("bare_append", "ms", "p50 of one bare fenced append"),
    ):
        run.explain(name, scores.median(name), unit, meaning, scores.spread(name))


async def eventsourcing(url: str, threads: int, seconds: float) -> float:
    """The eventsourcing library's durable commands per second; in threads of its own, as it blocks."""
    return await asyncio.to_thread(eventsourcing_library.commands_per_second, url, threads, PAYLOAD_BYTES, seconds)


if __name__ == "__main__":
    sys.exit(run_benchmark("commands", BOUNDS, measure))
