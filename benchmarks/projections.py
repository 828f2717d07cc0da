"""Views and processes on a cluster of real nodes: how fast, how late, how soon again, and never twice at once?"""

from __future__ import annotations

import asyncio
import math
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks import consumers, life_spans, upheaval, view_rebuild, view_speed
from benchmarks.baselines import eventsourcing_library, eventsourcing_projection
from benchmarks.harness import Run, at_least, at_most, run_benchmark
from benchmarks.harness.figures import readable
from tests.cluster.processes import fleet
from tests.waiting import eventually

PAYLOAD_BYTES = 100
PER_SECOND = 2_000
LEASE = 3.0  # seconds, of the nodes that are killed and frozen

BOUNDS = (
    at_least(12_000, "view_events_per_s", "/s", "events into a view on 2 nodes, 16 tags, exactly once"),
    at_least(8, "ratio_to_eventsourcing", "×", "the same, over the eventsourcing library's projection runner"),
    at_most(50, "lag_p99_ms", "ms", f"commit to visible row at {PER_SECOND:,} events/s"),
    at_least(20_000, "rebuild_events_per_s", "/s", "events into a new generation beside the serving view"),
    at_most(2, "rebuild_slowdown", "×", "p99 of commands during the rebuild, over p99 before"),
    at_most(500, "restart_ms_p50", "ms", "a process that raises: from its failure until it runs again"),
    at_most(
        1_500, "takeover_ms_max", "ms", "SIGKILL of its node until the next commit; what changes only the database"
    ),
    at_most(0, "double_runs", "", "two instances of one process that lived at once, or both committed"),
    at_most(0, "skipped", "", "events without a row in the view, and steps of processes that are missing"),
    at_most(0, "repeated", "", "events with more than one row, and steps done more than once"),
)


async def measure(run: Run) -> None:
    """Speed next to the other library, lag, rebuild, restarts; then kills, freezes and moves, and what they left."""
    await measure_speed(run)
    await measure_lag(run)
    await measure_rebuild(run)
    await measure_restarts(run)
    await measure_upheaval(run)


async def measure_speed(run: Run) -> None:
    """Both libraries' views of the same events, in turns, each in a new database."""
    ours: list[float] = []
    theirs: list[float] = []
    for turn in range(2 if run.quick else 3):
        for name in ("ours", "theirs") if turn % 2 else ("theirs", "ours"):
            async with run.database() as url:
                await run.settle(f"view, {name}")
                if name == "ours":
                    events = 40_000 if run.quick else 200_000
                    ours.append(await view_speed.view_events_per_second(url, PAYLOAD_BYTES, events))
                else:
                    events = 1_000 if run.quick else 5_000
                    measured = eventsourcing_projection.events_per_second
                    theirs.append(await asyncio.to_thread(measured, url, PAYLOAD_BYTES, events))
    run.record("view_events_per_s", statistics.median(ours), _spread(ours))
    run.record(
        "ratio_to_eventsourcing", statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    )
    meaning = f"the eventsourcing library's projection runner, psycopg {eventsourcing_library.driver()}"
    run.explain("eventsourcing_view_events_per_s", statistics.median(theirs), "/s", meaning, _spread(theirs))


async def measure_lag(run: Run) -> None:
    """How late the view on two nodes is under a steady load of commands."""
    async with run.database() as url:
        await run.settle("lag")
        lags = await view_speed.lag_ms(url, PAYLOAD_BYTES, PER_SECOND, run.seconds)
    run.record("lag_p99_ms", lags[math.ceil(len(lags) * 0.99) - 1], f"{len(lags):,} events")
    run.explain("lag_p50_ms", lags[len(lags) // 2], "ms", "the same, median")


async def measure_rebuild(run: Run) -> None:
    """A view on two nodes is rebuilt while commands come to the same nodes."""
    async with run.database() as url:
        await run.settle("rebuild")
        events = 150_000 if run.quick else 500_000
        made = await view_rebuild.rebuilt(url, PAYLOAD_BYTES, events, max(4.0, run.seconds), run.settle)
    run.record("rebuild_events_per_s", made.events_per_second, f"{events:,} events")
    note = f"{readable(made.during_ms)} after {readable(made.before_ms)} ms; {made.commands:,} commands"
    run.record("rebuild_slowdown", made.during_ms / made.before_ms, note)


async def measure_restarts(run: Run) -> None:
    """Processes on two nodes raise once; each program's journal says when they ended and began again."""
    async with run.database() as url:
        await run.settle("restarts")
        with tempfile.TemporaryDirectory() as name:
            folder, on_start = Path(name), f"{consumers.__name__}:failing"
            async with fleet(folder, url, shards=consumers.TAGS, hosts=False, on_start=on_start) as nodes:
                await nodes.start("a", "b")
                pauses = await eventually(lambda: _restarts(folder), within=60, what="every process runs again")
    run.record("restart_ms_p50", statistics.median(pauses), f"{len(pauses)} first restarts, to {readable(max(pauses))}")


def _restarts(folder: Path) -> list[float]:
    pauses = life_spans.restart_ms(life_spans.read_lives(folder))
    return pauses if len(pauses) >= consumers.FAILURES else []


async def measure_upheaval(run: Run) -> None:
    """Kill, freeze and move nodes, one after the other; then compare what everybody wrote."""
    kills, freezes, moves = (2, 1, 1) if run.quick else (8, 4, 4)
    killed: dict[str, list[float]] = defaultdict(list)
    frozen: dict[str, list[float]] = defaultdict(list)
    async with run.database() as url:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            await run.settle("kills, freezes and moves")
            async with upheaval.upheaval(url, folder, LEASE) as here:
                for turn in range(kills):
                    _note(killed, await here.kill(await here.victim(turn)))
                for turn in range(freezes):
                    _note(frozen, await here.freeze(await here.victim(turn)))
                for _ in range(moves):
                    await here.join("d")
                    await here.leave("d")
                await here.end()
                faults = await here.faults(folder)
    at_once = killed[consumers.SEEN] + killed[consumers.AT_ONCE]
    run.record("takeover_ms_max", max(at_once), f"{kills} kills, best {readable(min(at_once))}")
    lost = f"SIGKILL, a lease of {LEASE:g} s: the same of processes that have effects elsewhere and wait for its end"
    run.explain("patient_takeover_ms_max", max(killed[consumers.PATIENT]), "ms", lost)
    froze = [one for some in frozen.values() for one in some]
    meaning = "SIGSTOP: the same of all; a transaction that was open is given up by the server after 4 s"
    run.explain("freeze_takeover_ms_max", max(froze), "ms", meaning, f"best {readable(min(froze))}")
    note = f"{kills} kills, {freezes} freezes, {2 * moves} moves"
    for key, found in faults._asdict().items():
        for one in found:
            print(f"{key}: {one}", file=sys.stderr)
        run.record(key, len(found), note)


def _note(taken: dict[str, list[float]], one: dict[str, float]) -> None:
    for deployment, milliseconds in one.items():
        taken[deployment].append(milliseconds)


def _spread(values: Sequence[float]) -> str:
    return f"{len(values)} rounds, {readable(min(values))} to {readable(max(values))}"


if __name__ == "__main__":
    sys.exit(run_benchmark("projections", BOUNDS, measure))
