"""How fast are durable commands, on one node with PostgreSQL, next to another library and to the bare database?"""

from __future__ import annotations

import asyncio
import math
import statistics
import sys
from functools import partial

from benchmarks import live_entities, single_node
from benchmarks.baselines import eventsourcing_library, fenced_sql
from benchmarks.harness import Run, at_least, at_most, run_benchmark
from benchmarks.harness.figures import readable

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
    await measure_commands(run)
    await measure_memory(run)
    await measure_recovery(run)
    await measure_view(run)


async def measure_commands(run: Run) -> None:
    """Durable commands against the other library and the bare database, in the same rounds."""
    bare = fenced_sql.Workload(PAYLOAD_BYTES, entities=256 * single_node.ENTITIES_PER_CALLER)
    async with run.database() as others, run.database() as ours:
        scores = await run.interleave(
            {
                "eventsourcing_1_thread": partial(eventsourcing, others, 1),
                "eventsourcing_8_threads": partial(eventsourcing, others, 8),
                "bare_batch": partial(fenced_sql.batch_events_per_second, others, bare),
                "bare_spread_batch": partial(fenced_sql.spread_batch_events_per_second, others, bare),
                "commands": partial(single_node.commands_per_second, ours, 256, PAYLOAD_BYTES),
                "bare_append": partial(fenced_sql.append_milliseconds, others, bare),
                "one_caller": partial(single_node.command_milliseconds, ours, PAYLOAD_BYTES),
                "hot_entity": partial(single_node.hot_entity_per_second, ours, 64, PAYLOAD_BYTES),
                "asks": partial(single_node.asks_per_second, ours, 64),
            }
        )
    run.record("ratio_to_eventsourcing", scores.ratio("commands", "eventsourcing_1_thread", "eventsourcing_8_threads"))
    run.record("fraction_of_batch_limit", scores.ratio("commands", "bare_batch"))
    run.record("one_caller_overhead", scores.ratio("one_caller", "bare_append"))
    hot = zip(scores.scores["hot_entity"], scores.scores["bare_append"], strict=True)
    run.record("hot_entity_ratio", statistics.median(per_second * ms / 1000 for per_second, ms in hot))
    run.record("local_asks_per_s", scores.median("asks"), scores.spread("asks"))
    for threads in ("1_thread", "8_threads"):
        name = f"eventsourcing_{threads}"
        meaning = f"the eventsourcing library, {threads.replace('_', ' ')}, psycopg {eventsourcing_library.driver()}"
        run.explain(f"{name}_commands_per_s", scores.median(name), "/s", meaning, scores.spread(name))
    for name, key, unit, meaning in (
        ("commands", "commands_per_s", "/s", "durable commands, 256 callers"),
        ("hot_entity", "hot_entity_commands_per_s", "/s", "durable commands on one entity, 64 callers"),
        ("one_caller", "one_caller_p50_ms", "ms", "one caller's durable command"),
        ("bare_batch", "bare_batch_events_per_s", "/s", "bare fenced batches of 500, one shard at a time"),
        ("bare_spread_batch", "bare_spread_batch_events_per_s", "/s", "the same, each batch over all shards"),
        ("bare_append", "bare_append_p50_ms", "ms", "one bare fenced event at a time"),
    ):
        run.explain(key, scores.median(name), unit, meaning, scores.spread(name))


async def measure_memory(run: Run) -> None:
    """Memory per live idle booking, in a process of its own, so that nothing else grows meanwhile."""
    await run.settle("live entities")
    count = 20_000 if run.quick else 100_000
    run.record("bytes_per_entity", await live_entities.in_own_process(count), f"{count:,} of them")


async def measure_recovery(run: Run) -> None:
    """Recovery of a long entity, five times, each by a new node."""
    rates = []
    for _ in range(3 if run.quick else 5):
        async with run.database() as url:
            await run.settle("recovery")
            rates.append(await single_node.recovery_events_per_second(url, PAYLOAD_BYTES))
    run.record("recovery_events_per_s", statistics.median(rates), _spread(rates))


async def measure_view(run: Run) -> None:
    """A view that catches up, and how far one lags behind a steady load."""
    rates = []
    for _ in range(3):
        async with run.database() as url:
            await run.settle("view")
            rates.append(await single_node.view_events_per_second(url, PAYLOAD_BYTES, 10_000 if run.quick else 50_000))
    run.record("view_events_per_s", statistics.median(rates), _spread(rates))
    async with run.database() as url:
        await run.settle("view lag")
        lags = await single_node.view_lag_ms(url, PAYLOAD_BYTES, 1_000, run.seconds)
    run.record("view_lag_p99_ms", lags[math.ceil(len(lags) * 0.99) - 1], f"{len(lags):,} events")
    run.explain("view_lag_p50_ms", lags[len(lags) // 2], "ms", "the same, median")


async def eventsourcing(url: str, threads: int, seconds: float) -> float:
    """The eventsourcing library's durable commands per second; in threads of its own, as it blocks."""
    return await asyncio.to_thread(eventsourcing_library.commands_per_second, url, threads, PAYLOAD_BYTES, seconds)


def _spread(values: list[float]) -> str:
    return f"{len(values)} rounds, {readable(min(values))} to {readable(max(values))}"


if __name__ == "__main__":
    sys.exit(run_benchmark("commands", BOUNDS, measure))
