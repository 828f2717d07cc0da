"""Half the top load for long, a kill now and then: `python -m tests.faults.soak --minutes 30`; is anything growing?

First the top load is measured, with callers that wait for each answer. Then the same callers send half as much, at a
steady pace. One node is killed every so often and starts again; the others live from the beginning to the end, and
every ten seconds their memory, file descriptors and tasks are looked at. What is taken for flat: in the last third of
the time the median is above that of the second third by no more than 10 % and 8 MiB (memory), 5 (descriptors), 10 %
and 10 (tasks).

Writes build/faults/soak.json. Exit code: 0 when all is flat and all promises were kept, 1 when not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import shutil
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from journal.database import open_database
from tests.checker.files import read
from tests.checker.records import ANSWERED, Told
from tests.faults.__main__ import end_in_order
from tests.faults.bells import create_strokes
from tests.faults.network import Network
from tests.faults.run import Outcome, Site, Wish, check_all, settle, started
from tests.faults.setting import BOOKING, now
from tests.faults.stores import POSTGRES, SQLITE, Store, opened

FOLDER = Path("build/faults")
EVERY: Final = 10.0  # seconds between two looks
KILL_EVERY: Final = 60.0
MEASURED: Final = 20.0  # seconds for which the top load is measured, behind some to warm up
WARMING: Final = 10.0
MOST_PER_SECOND: Final = 2_000.0

# What may be more in the last third than in the second: a share, and so many more.
BOUNDS: Final = {"memory": (0.10, 8 << 20), "descriptors": (0.0, 5), "tasks": (0.10, 10)}


@dataclass(frozen=True, slots=True)
class Sample:
    """How large a process was.

    Attributes:
        at: seconds from the beginning of the soak.
        life: which process.
        memory: resident, in bytes.
        descriptors: open ones.
        tasks: of its event loop.
    """

    at: float
    life: str
    memory: int
    descriptors: int
    tasks: int


def growing(samples: Sequence[Sample]) -> list[str]:
    """What is not flat, of those processes that were looked at in all thirds of the time."""
    end = max((one.at for one in samples), default=0.0)
    found = []
    for life in sorted({one.life for one in samples}):
        own = [one for one in samples if one.life == life]
        thirds = [[one for one in own if end * n / 3 <= one.at <= end * (n + 1) / 3] for n in range(3)]
        if not all(thirds):
            continue
        for what, (share, more) in BOUNDS.items():
            second, last = (statistics.median(getattr(one, what) for one in third) for third in thirds[1:])
            if last > second * (1 + share) + more:
                found.append(f"{life}: {what} went from {second:,.0f} to {last:,.0f}")
    return found


async def soak(wish: Wish, store: Store) -> tuple[Outcome, list[Sample], float]:
    """Do it: what came of it, the samples, and how many answers there were in a second."""
    outcome, network = Outcome(), Network()
    database = await open_database(store.url)
    try:
        await create_strokes(database)
        async with started(Site(wish, store, network, status=EVERY / 2)) as site:
            samples = await _watch(site, wish, outcome)
            await settle(site, wish, store, network, database, outcome)
            await site.end()
        await check_all(site, wish, database, outcome)
    finally:
        await database.close()
    return outcome, samples, _answers(wish.folder, 0.0, now()) / wish.seconds


async def measure(wish: Wish, store: Store) -> float:
    """Answers a second to callers of which each sends when it was answered."""
    database = await open_database(store.url)
    await create_strokes(database)
    await database.close()
    async with started(Site(wish, store, Network())) as site:
        await asyncio.sleep(WARMING + MEASURED)
        until = now()
        for one in site.callers:
            await one.wish("enough", 30.0)
        await site.end()
    return _answers(wish.folder, until - MEASURED, until) / MEASURED


def _answers(folder: Path, since: float, until: float) -> int:
    calls = read(*sorted(folder.glob(f"*.{BOOKING}")))
    return sum(isinstance(one, Told) and one.outcome == ANSWERED and since <= one.at < until for one in calls)


async def _watch(site: Site, wish: Wish, outcome: Outcome) -> list[Sample]:
    clock = asyncio.get_running_loop().time
    began, samples = clock(), list[Sample]()
    victim, next_kill = site.nodes[-1], KILL_EVERY
    while (passed := clock() - began) < wish.seconds:
        if passed >= next_kill and victim.is_alive:
            victim.kill()
            outcome.faults["kill"] += 1
            next_kill += KILL_EVERY
        for one in site.machines.values():
            if one.is_alive and one is not victim and (sample := look(passed, one.life, one.pid, wish.folder)):
                samples.append(sample)
        await asyncio.sleep(EVERY)
    return samples


def look(at: float, life: str, pid: int, folder: Path) -> Sample | None:
    """How large a process is; None while it has not said how many tasks it has."""
    status = folder / f"{life}.status"
    lines = status.read_text().splitlines() if status.exists() else []
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    except FileNotFoundError:  # it has just ended
        return None
    tasks = json.loads(lines[-1])["tasks"] if lines else 0
    return Sample(at, life, pages * os.sysconf("SC_PAGE_SIZE"), descriptors, tasks) if lines else None


def say(line: str) -> None:
    """Tell the user."""
    print(f"soak: {line}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run as asked; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--seed", type=int, default=0, help="from which the load is drawn (0)")
    parser.add_argument("--store", choices=(POSTGRES, SQLITE), default=POSTGRES)
    options = parser.parse_args(arguments)
    end_in_order()
    folder = (FOLDER / f"soak-{options.store}").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    logging.basicConfig(level=logging.INFO, handlers=[logging.FileHandler(folder / "run.log")])
    wish = Wish(options.seed, options.minutes * 60, (BOOKING,), None, folder)
    (folder / "top").mkdir()
    with opened(options.store, Network()) as store:
        top = asyncio.run(measure(replace(wish, folder=folder / "top", per_second=0.0), store))
    wish = replace(wish, per_second=min(top / 2, MOST_PER_SECOND))
    say(f"top load {top:,.0f} commands a second; the soak has {wish.per_second:,.0f}, for {options.minutes:g} minutes")
    with opened(options.store, Network()) as store:
        outcome, samples, rate = asyncio.run(soak(wish, store))
    grown = growing(samples)
    _write(options.store, wish, outcome, samples, top, rate, grown)
    _tell(samples, outcome)
    for line in [*grown, *outcome.violations[:20]]:
        say(line)
    say(f"{outcome.faults.total()} kills, {rate:,.0f} answers a second, "
        f"{len(grown)} growing, violations {len(outcome.violations)}")  # fmt: skip
    return 1 if grown or outcome.violations else 0


def _tell(samples: Sequence[Sample], outcome: Outcome) -> None:
    for life in sorted({one.life for one in samples}):
        own = [one for one in samples if one.life == life]
        first, last = own[len(own) // 3 : 2 * len(own) // 3] or own, own[2 * len(own) // 3 :]
        shown = [
            f"{what} {statistics.median(getattr(one, what) for one in first):,.0f} → "
            f"{statistics.median(getattr(one, what) for one in last):,.0f}"
            for what in BOUNDS
        ]
        say(f"{life}: {', '.join(shown)}")
    for load, told in outcome.told.items():
        say(f"{load}: {told.total():,} commands: {dict(told)}")


def _write(
    store: str, wish: Wish, outcome: Outcome, samples: Sequence[Sample], top: float, rate: float, grown: Sequence[str]
) -> None:
    told: dict[str, Counter[str]] = outcome.told
    report = {
        "store": store,
        "minutes": wish.seconds / 60,
        "top per second": top,
        "answered per second": rate,
        "kills": outcome.faults.total(),
        "told": told,
        "growing": list(grown),
        "violations": len(outcome.violations),
        "bounds": BOUNDS,
        "samples": [asdict(one) for one in samples],
    }
    (FOLDER / "soak.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    sys.exit(main())
