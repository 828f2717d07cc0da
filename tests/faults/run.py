"""One run: a cluster, its load, its faults; then healing, and what is to be checked."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aecorpy.demo.permits import PermitApplication
from journal.contract import Database
from journal.database import open_database
from tests.checker import check
from tests.checker.files import Recorder, read
from tests.checker.history import History
from tests.checker.instances import spans
from tests.checker.records import Effect, Healed, Record, Settled, Started, Told
from tests.faults import ending
from tests.faults.bells import BELLS, create_strokes
from tests.faults.burials import burials
from tests.faults.concerts import LINES, STEPS, Concert
from tests.faults.findings import WAKING, overlaps, surprises
from tests.faults.network import Network
from tests.faults.plan import ALWAYS, MEAN_GAP, Kind, plan
from tests.faults.processes import Machine
from tests.faults.setting import BOOKING, PERMITS, Setting, now
from tests.faults.stores import Store
from tests.faults.striking import Striker
from tests.waiting import eventually

SETTLES_WITHIN = 60.0
STARTS_WITHIN = 60.0
RATE = 150.0  # commands a second of all booking callers
LOG_SHARE = 0.8  # of the time, which the permit log should take

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run should be.

    Attributes:
        seed: from which faults and load are drawn.
        seconds: of load under faults.
        loads: of `BOOKING` and `PERMITS`.
        log: the permit log.
        folder: for everything that the run leaves.
        nodes: how many own shards.
        per_second: commands of all booking callers in a second.
        gap: see `plan`.
        mutant: see `Setting`.
    """

    seed: int
    seconds: float
    loads: tuple[str, ...]
    log: Path | None
    folder: Path
    nodes: int = 3
    per_second: float = RATE
    gap: float = MEAN_GAP
    mutant: str = ""


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        violations: of promises, in words, the earliest first.
        faults: how many of each kind.
        told: how many callers were told what, by load.
        notes: what else a reader should know.
    """

    violations: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    told: dict[str, Counter[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Site:
    """The processes of a run.

    Args:
        wish: what it should be.
        store, network: where they are.
        status: see `Setting`.
    """

    def __init__(self, wish: Wish, store: Store, network: Network, status: float = 0.0) -> None:
        self.record = Recorder(wish.folder / "faults.history")
        self.machines: dict[str, Machine] = {}
        self._folder = wish.folder
        self._store = store
        self._keeping: list[asyncio.Task[None]] = []
        common = Setting(
            store.url, str(wish.folder), secret=network.secret, loads=wish.loads, mutant=wish.mutant, status=status
        )
        for number in range(wish.nodes):
            self._add(common, network, "abcdefgh"[number], number * 2 // wish.nodes)
        if BOOKING in wish.loads:
            for number, name in enumerate(("caller-1", "caller-2", "frail")):
                load = {"loads": (BOOKING,), "seed": wish.seed + number, "per_second": wish.per_second / 3}
                self._add(common, network, name, number % 2, calls=True, **load)
        if PERMITS in wish.loads:
            load = {"loads": (PERMITS,), "log": str(wish.log), "log_seconds": wish.seconds * LOG_SHARE}
            self._add(common, network, "permits", 0, calls=True, **load)

    def _add(
        self, common: Setting, network: Network, name: str, machine: int, *, calls: bool = False, **more: Any
    ) -> None:
        setting = replace(common, node=name, host=network.host(machine), url=self._store.url_from(machine), **more)
        self.machines[name] = Machine(setting, self.record, calls=calls, prefix=network.inside(machine))

    @property
    def nodes(self) -> list[Machine]:
        """Those that own shards."""
        return [one for one in self.machines.values() if not one.calls]

    @property
    def callers(self) -> list[Machine]:
        """Those that call."""
        return [one for one in self.machines.values() if one.calls]

    async def start(self) -> None:
        """Start all, and wait until callers call."""
        for one in self.machines.values():
            self._keeping.append(asyncio.get_running_loop().create_task(one.keep(), name=one.name))
        await asyncio.sleep(0)
        async with asyncio.timeout(STARTS_WITHIN):
            for one in self.callers:
                await one.ready(STARTS_WITHIN)
            await eventually(lambda: all(one.owns for one in self.nodes), STARTS_WITHIN, 0.1, "all nodes own shards")

    async def end(self) -> Counter[int]:
        """Stop all in order, callers first; the exit codes."""
        codes = [await one.end() for one in self.callers]
        codes += await asyncio.gather(*(one.end() for one in self.nodes))
        await asyncio.gather(*self._keeping)
        return Counter(codes)

    async def close(self) -> None:
        """Let nothing outlive this."""
        for one in self.machines.values():
            one.end_at_once()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        self.record.close()

    def histories(self) -> list[Path]:
        """The files in which nodes record what they own, and this process what it did to them."""
        return sorted(self._folder.glob("*.history"))

    # --- after the faults

    def is_settled(self) -> bool:
        """Whether each instance that ever was runs once, on the present nodes, evenly."""
        lives = {one.life for one in self.nodes if one.is_alive}
        running = Counter[tuple[str, str, int]]()
        counts: dict[str, Counter[str]] = {}
        known = set()
        for (kind, name, number, node, _), some in spans(History(read(*self.histories()))).items():
            known.add((kind, name, number))
            if any(until == float("inf") for _, until in some) and node in lives:
                running[kind, name, number] += 1
                if kind == "shard":
                    counts.setdefault(name, Counter())[node] += 1
        return (
            len(lives) == len(self.nodes)
            and all(running[one] == 1 for one in known)
            and all(_is_level(some, lives) for some in counts.values())
        )


def _is_level(counts: Counter[str], lives: Iterable[str]) -> bool:
    mean = counts.total() / len(list(lives))
    return all(abs(counts[life] - mean) <= mean * 0.1 + 1 for life in lives)


@asynccontextmanager
async def started(site: Site) -> AsyncIterator[Site]:
    """The site, for the block."""
    try:
        await site.start()
        yield site
    finally:
        await site.close()


async def run(wish: Wish, store: Store, network: Network) -> Outcome:
    """Do it; everything is left in the folder."""
    outcome = Outcome()
    database = await open_database(store.url)
    try:
        await create_strokes(database)
        async with started(Site(wish, store, network)) as site:
            began = now()
            await _harm(site, wish, store, network, outcome)
            _log.info("load and faults are over after %.1f s", now() - began)
            await settle(site, wish, store, network, database, outcome)
            codes = await site.end()
            if any(codes[code] for code in codes if code != 0):
                outcome.violations.append(f"kept-alive: not all stopped in order at the end: exit codes {dict(codes)}")
        await check_all(site, wish, database, outcome)
    finally:
        await database.close()
    return outcome


async def _harm(site: Site, wish: Wish, store: Store, network: Network, outcome: Outcome) -> None:
    lease = site.nodes[0].setting.lease
    kinds = [kind for kind in ALWAYS if kind != Kind.KILL_CALLER or "frail" in site.machines]
    kinds += [*store.kinds, *network.kinds]
    strikes = plan(wish.seed, wish.seconds, kinds, [one.name for one in site.nodes], ["frail"], lease, wish.gap)
    (wish.folder / "plan.txt").write_text("\n".join(map(str, strikes)) + "\n")
    striker = Striker(site.machines, store, network)
    began = asyncio.get_running_loop().time()
    await striker.run(strikes)
    await asyncio.sleep(max(0.0, began + wish.seconds - asyncio.get_running_loop().time()))
    outcome.faults = striker.counts
    if striker.codes - Counter({0: striker.codes[0]}):
        outcome.notes.append(f"exit codes of nodes asked to stop among faults: {dict(striker.codes)}")
    outcome.violations += [finding for one in site.machines.values() for finding in one.findings]
    ends = sum(one.ends for one in site.machines.values())
    if ends:
        outcome.notes.append(f"{ends} processes ended by themselves and were started again")


async def settle(site: Site, wish: Wish, store: Store, network: Network, database: Database, outcome: Outcome) -> None:
    """Repair everything, and wait until all is served, runs, and has caught up."""
    network.mend()
    await store.heal()
    site.record(Healed(now(), SETTLES_WITHIN))
    limit = asyncio.get_running_loop().time() + SETTLES_WITHIN
    what = "the load's last answers"
    try:
        async with asyncio.timeout_at(limit):
            await asyncio.gather(*(one.wish("enough", SETTLES_WITHIN * 2) for one in site.callers))
            what = "an answer of every shard"
            await asyncio.gather(*(one.wish("serve", SETTLES_WITHIN * 2) for one in site.callers))
            what = "instances of everything, evenly spread"
            await eventually(site.is_settled, SETTLES_WITHIN * 2, 0.5)  # the limit around is the nearer one
            site.record(Settled(now(), tuple(one.life for one in site.nodes)))
            what = "views"
            while behind := await _behind(wish, database):
                what = f"views: {behind}"
                await asyncio.sleep(0.2)
    except TimeoutError:
        outcome.violations.append(f"kept-alive (I9): {SETTLES_WITHIN:g} s after all was repaired there is no {what}")


async def _behind(wish: Wish, database: Database) -> str:
    if BOOKING in wish.loads and (late := await ending.behind(database, Concert, (LINES, STEPS))):
        return late
    if PERMITS in wish.loads:
        return await ending.behind(database, PermitApplication, ending.PERMIT_CONSUMERS)
    return ""


async def check_all(site: Site, wish: Wish, database: Database, outcome: Outcome) -> None:
    """Read what is there, and find what is broken."""
    common: list[Record] = [*read(*site.histories()), *burials(wish.folder)]
    processes = await ending.process_records(database, [one for one in common if isinstance(one, Started)])
    _keep(wish.folder / "processes.end", processes)
    outcome.violations += ending.gaps([one for one in processes if isinstance(one, Effect)])
    outcome.violations += overlaps(common, BELLS)
    for load in wish.loads:
        records = await ending.booking_records(database) if load == BOOKING else await ending.permit_records(database)
        _keep(wish.folder / f"{load}.end", records)
        calls = list(read(*sorted(wish.folder.glob(f"*.{load}"))))
        outcome.told[load] = Counter(one.outcome for one in calls if isinstance(one, Told))
        found = await asyncio.to_thread(check, [*common, *processes, *calls, *records], waking=WAKING)
        outcome.violations += [str(one) for one in found] + surprises(calls)
    if PERMITS in wish.loads:
        assert wish.log is not None, "a load of it needs it"
        outcome.violations += await ending.permit_findings(database, wish.log)


def _keep(path: Path, records: list[Record]) -> None:
    record = Recorder(path)
    for one in records:
        record(one)
    record.close()
