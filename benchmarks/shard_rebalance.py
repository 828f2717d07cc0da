"""Who owns which shard when nodes come, go, die and freeze: how even, how few move, and how long callers notice it."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from benchmarks import allocation, failovers, shards_over_time
from benchmarks.failovers import Site
from benchmarks.harness import Run, at_most, run_benchmark
from benchmarks.harness.figures import readable
from benchmarks.steady_load import percentile_ms
from tests.cluster.ledger import ANSWERED, REFUSED, UNKNOWN

CRASH = "SIGKILL of one of 3 nodes until its last shard has answered a command; 300 shards, 10,000 live entities"
BOUNDS = (
    *allocation.BOUNDS,
    at_most(700, "crash_to_served_ms_p50", "ms", f"{CRASH}; PostgreSQL"),
    at_most(1_500, "crash_to_served_ms_max", "ms", "the slowest of the kills"),
    at_most(700, "sqlite_crash_to_served_ms_p50", "ms", "the same on a SQLite file"),
    at_most(1_500, "sqlite_crash_to_served_ms_max", "ms", "the slowest of the kills"),
    at_most(failovers.LEASE * 1000 + 1_500, "freeze_to_served_ms_max", "ms", "the same with SIGSTOP; a lease is 5 s"),
    at_most(100, "join_extra_p99_ms", "ms", "p99 of a command while a fourth node joins, minus before"),
    at_most(0, "lost", "", "answered commands whose event is not in the journal"),
    at_most(0, "duplicated", "", "commands whose event is there more than once"),
    at_most(0, "double_owner", "", "shards owned or written by two nodes under one epoch, or under one that was over"),
    at_most(0, "contradicted", "", "other disagreements between what callers were told, journal and owners"),
)


class Tally:
    """What all audits of a run found."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("lost", "duplicated", "double_owner", "contradicted"), 0)
        self.told = dict.fromkeys((ANSWERED, REFUSED, UNKNOWN), 0)

    async def audit(self, site: Site) -> None:
        """Compare what the callers of `site` were told with its journal and its owners' records."""
        found = await site.fleet.audit()
        for finding in found.all:
            print(finding, file=sys.stderr)
        for key in ("lost", "duplicated", "double_owner"):
            self.counts[key] += len(getattr(found, key))
        self.counts["contradicted"] += len(found.done_nevertheless) + len(found.out_of_order) + len(found.surprises)
        for outcome in self.told:
            self.told[outcome] += site.fleet.ledger.count(outcome)


@asynccontextmanager
async def audited(url: str, tally: Tally) -> AsyncIterator[Site]:
    """A cluster under load, whose callers, journal and owners are compared at the end."""
    with tempfile.TemporaryDirectory() as folder:
        async with failovers.site(url, Path(folder)) as site:
            try:
                yield site
            except BaseException:
                print(site.fleet.logs(), file=sys.stderr)
                raise
        await tally.audit(site)


async def measure(run: Run) -> None:
    """Allocation alone, then clusters of real processes under load."""
    allocation.measure_ours(run)
    tally = Tally()
    async with run.database() as url:
        await measure_crashes(run, url, tally, "")
    async with failovers.sqlite_file() as url:
        await measure_crashes(run, url, tally, "sqlite_")
    async with run.database() as url:
        await measure_freezes(run, url, tally)
    async with run.database() as url:
        await measure_joins(run, url, tally)
    async with run.database() as url:
        await draw(run, url, tally)
    for key, count in tally.counts.items():
        run.record(key, count)
    for outcome, count in tally.told.items():
        run.explain(f"commands_{outcome}", count, "", f"commands whose callers were told: {outcome}")


async def measure_crashes(run: Run, url: str, tally: Tally, prefix: str) -> None:
    """Kill one node after the other; each is started again and has its share before the next."""
    await run.settle(f"{prefix or 'postgresql_'}crash")
    async with audited(url, tally) as site:
        taken: list[float] = []
        leading: list[float] = []
        for turn in range(3 if run.quick else 10):
            victim = await site.victim(turn)
            (leading if turn % 3 == 0 else taken).append(await site.kill(victim))
            await site.restart(victim.options.node)
    every = taken + leading
    run.record(f"{prefix}crash_to_served_ms_p50", statistics.median(every), f"{len(every)} kills")
    run.record(f"{prefix}crash_to_served_ms_max", max(every), f"best {readable(min(every))}")
    meaning = f"the median of the {len(leading)} kills of the coordinator's node"
    run.explain(f"{prefix}crash_of_coordinator_to_served_ms_p50", statistics.median(leading), "ms", meaning)


async def measure_freezes(run: Run, url: str, tally: Tally) -> None:
    """Freeze one node after the other; each has to find itself out when it wakes."""
    await run.settle("freeze")
    async with audited(url, tally) as site:
        served: list[float] = []
        back: list[float] = []
        for turn in range(1 if run.quick else 4):
            victim = await site.victim(turn)
            for times, one in zip((served, back), await site.freeze(victim), strict=True):
                times.append(one)
            await site.warm()
    run.record("freeze_to_served_ms_max", max(served), f"{len(served)} times, best {readable(min(served))}")
    run.explain("wake_to_balanced_ms_max", max(back), "ms", "SIGCONT until the node has joined anew and has its share")


async def measure_joins(run: Run, url: str, tally: Tally) -> None:
    """Let a fourth node join and leave, over and over."""
    await run.settle("join")
    joined, left, before = [], [], []
    joining, leaving = [], []
    async with audited(url, tally) as site:
        for _ in range(2 if run.quick else 6):
            began, ended = await site.join("d")
            before += site.load.between(began - site.quiet, began)
            joining.append((began, ended))
            await asyncio.sleep(site.quiet)
            leaving.append(await site.leave("d"))
            await site.fleet.balanced()
            await site.warm()
    joined = [one for span in joining for one in site.load.between(*span)]
    left = [one for span in leaving for one in site.load.between(*span)]
    quiet = percentile_ms(before, 99)
    took = statistics.median(end - begin for begin, end in joining)
    busy = percentile_ms(joined, 99)
    note = f"{readable(busy)} after {readable(quiet)} ms; {len(joined)} commands in {len(joining)} joins"
    run.record("join_extra_p99_ms", busy - quiet, note)
    run.explain("join_ms_p50", took * 1000, "ms", "until the fourth node has its share")
    run.explain("leave_extra_p99_ms", percentile_ms(left, 99) - quiet, "ms", "the same when it leaves (SIGTERM)")
    unanswered = sum(site.load.unanswered(*span) for span in (*joining, *leaving))
    run.explain("unanswered_in_moves", unanswered, "", "commands due while a node joins or leaves, refused or unknown")


async def draw(run: Run, url: str, tally: Tally) -> None:
    """A join, a kill, a start and a leave in a row, as a picture of shards per node."""
    await run.settle("shards over time")
    async with audited(url, tally) as site:
        began = site.mark("")
        await site.join("d")
        await asyncio.sleep(site.quiet)
        await site.kill(site.fleet.nodes["b"])
        await asyncio.sleep(site.quiet)
        await site.restart("b")
        await asyncio.sleep(site.quiet)
        await site.leave("c")
        await asyncio.sleep(site.quiet)
        site.fleet.records.refresh()
    if run.json is not None:
        await asyncio.to_thread(
            partial(shards_over_time.draw, site.fleet.records.all, site.marks[1:], began, run.json.with_suffix(".svg"))
        )


if __name__ == "__main__":
    sys.exit(run_benchmark("shard_rebalance", BOUNDS, measure))
