"""How evenly are shards spread, how many move when nodes come and go, and how long does it take to say which?"""

from __future__ import annotations

import random
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from time import perf_counter
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.baselines import placements
from benchmarks.baselines.placements import Outcome, Placement
from benchmarks.harness import Run, at_most, run_benchmark
from benchmarks.harness.figures import readable
from sharding.allocation import (
    AllocationStrategy,
    LeastShardsAllocation,
    RingAllocation,
    Tolerance,
    fewest_moves,
    plan,
    quotas,
)

NODES = (3, 10, 30)
SHARDS = (100, 256, 1_000)
MANY_NODES, MANY_SHARDS = 1_000, 100_000
SLOW_SHARDS = 1_000  # a placement that compares every node with every shard is timed on fewer, and scaled up
RING = RingAllocation("Booking")
TOLERANCE = Tolerance()
ABOVE_ONLY = Tolerance(below=1)

BOUNDS = (
    at_most(1.10, "fullest_over_mean", "×", "worst of 3, 10, 30 nodes × 100, 256, 1,000 shards, less one shard"),
    at_most(1.02, "moved_over_minimum", "×", "shards moved over the fewest possible, mean over the same"),
    at_most(1_500, "plan_ms_1000_nodes_100000_shards", "ms", "time to compute one join, median"),
)


class Change(NamedTuple):
    """One step of a cluster's history: its nodes afterwards, and who is new. All others that are missing left."""

    nodes: tuple[str, ...]
    joined: frozenset[str]


@dataclass
class Score:
    """What a placement did over many histories."""

    fullest: float = 0.0
    emptiest: float = 1.0
    raw_fullest: float = 0.0
    over_minimum: list[float] = field(default_factory=list)
    above_only: list[tuple[int, int]] = field(default_factory=list)
    joins: list[tuple[int, int]] = field(default_factory=list)
    leaves: list[tuple[int, int]] = field(default_factory=list)
    join_rounds: list[int] = field(default_factory=list)
    plan_ms: float = 0.0

    def look(self, owners: Sequence[str], nodes: Sequence[str]) -> None:
        """Note how evenly the shards are spread now."""
        counts, mean = Counter(owners), Fraction(len(owners), len(nodes))  # exact: a bound that is just met is met
        self.fullest = max(self.fullest, float((max(counts.values()) - 1) / mean))
        self.raw_fullest = max(self.raw_fullest, float(max(counts.values()) / mean))
        self.emptiest = min(self.emptiest, float((min(counts[node] for node in nodes) + 1) / mean))

    def moved(self, outcome: Outcome, minimum: int, change: Change, needed: int) -> None:
        """Note one step: what was moved, the fewest possible, and what the step itself calls for."""
        if minimum or outcome.handed_off:
            self.over_minimum.append(outcome.handed_off / minimum if minimum else float("inf"))
        if change.joined:
            self.join_rounds.append(outcome.rounds)
        (self.joins if change.joined else self.leaves).append((outcome.handed_off, needed))


def histories(quick: bool) -> Iterator[tuple[int, list[Change]]]:
    """For each number of shards and nodes the same seeded joins, leaves, losses of several and returns for all."""
    for size in NODES:
        for shards in SHARDS:
            yield shards, history(random.Random(f"{size} {shards}"), size, steps=12 if quick else 60)


def history(chance: random.Random, size: int, steps: int) -> list[Change]:
    """A cluster of about `size` nodes, give or take a third; who left may come back."""
    names = iter(f"node-{number:05}" for number in range(size + steps))
    present = [next(names) for _ in range(size)]
    absent: list[str] = []
    spread = max(1, size // 3)
    changes = [Change(tuple(present), frozenset(present))]
    for _ in range(steps):
        if len(present) <= size - spread or (len(present) < size + spread and chance.random() < 0.5):
            back = bool(absent) and chance.random() < 0.3
            node = absent.pop(chance.randrange(len(absent))) if back else next(names)
            present = sorted([*present, node])
            changes.append(Change(tuple(present), frozenset([node])))
        else:
            most = len(present) - (size - spread)
            lost = chance.sample(present, min(most, chance.choice([1, 1, 1, 2, 3])))
            absent += lost
            present = [node for node in present if node not in lost]
            changes.append(Change(tuple(present), frozenset()))
    return changes


def ours(strategy: AllocationStrategy) -> Placement:
    """One of the package's strategies, as a contestant."""

    def placement(nodes: Sequence[str], owners: Sequence[str | None]) -> Outcome:
        made = plan(strategy, len(owners), dict.fromkeys(nodes, 1), owners)
        return Outcome([str(owner) for owner in made.owners], len(made.moves), 1)

    return placement


def scored(placement: Placement, quick: bool) -> Score:
    """Put a placement through all histories."""
    score = Score()
    for shards, (first, *changes) in histories(quick):
        owners = placement(first.nodes, [None] * shards).owners
        score.look(owners, first.nodes)
        for change in changes:
            hosts = dict.fromkeys(change.nodes, 1.0)
            minimum = fewest_moves(hosts, owners, TOLERANCE)
            loosely = fewest_moves(hosts, owners, ABOVE_ONLY)
            needed = called_for(hosts, owners, change)
            outcome = placement(change.nodes, owners)
            owners = outcome.owners
            score.moved(outcome, minimum, change, needed)
            score.above_only.append((outcome.handed_off, loosely))
            score.look(owners, change.nodes)
    return score


def called_for(hosts: Mapping[str, float], owners: Sequence[str], change: Change) -> int:
    """What a step calls for, whatever state a placement is in: a new home for shards that lost theirs, or the joiner's
    least number of shards."""
    if change.joined:
        return sum(quotas(len(owners), hosts, TOLERANCE)[node].least for node in change.joined)
    return sum(owner not in hosts for owner in owners)


def join_ms(placement: Placement, times: int, shards: int = MANY_SHARDS) -> list[float]:
    """Milliseconds to compute a join of 1,000 nodes, each time by another node, so that nothing is known before."""
    nodes = [f"node-{number:05}" for number in range(MANY_NODES)]
    owners = placement(nodes, [None] * shards).owners
    taken = []
    for turn in range(times):
        began = perf_counter()
        placement([*nodes, f"node-{MANY_NODES + turn:05}"], owners)
        taken.append((perf_counter() - began) * 1000)
    return taken


CONTESTANTS: dict[str, Placement] = {
    "ring": ours(RING),
    "ring, upper bound only": ours(RingAllocation("Booking", ABOVE_ONLY)),
    "least shards": ours(LeastShardsAllocation()),
    "Akka least-shard, old": placements.akka_least_old,
    "Akka least-shard, new": placements.akka_least_new,
    "Akka consistent hashing": placements.by_hash(placements.ring_of_ten),
    "plain hashring": placements.by_hash(placements.plain_ring),
    "rendezvous": placements.by_hash(placements.rendezvous),
    "jump": placements.by_hash(placements.jump),
}


async def measure(run: Run) -> None:
    """Put our strategies and others' through the same joins and leaves, and time one join of a large cluster."""
    measure_ours(run)
    scores = {name: scored(placement, run.quick) for name, placement in CONTESTANTS.items()}
    for name, score in scores.items():
        scale = MANY_SHARDS // SLOW_SHARDS if name == "rendezvous" else 1
        score.plan_ms = (
            statistics.median(join_ms(CONTESTANTS[name], 1 if scale > 1 else 3, MANY_SHARDS // scale)) * scale
        )
        explain(run, name, score)
    Console(width=None if sys.stdout.isatty() else 140).print(table(scores))


def measure_ours(run: Run) -> None:
    """The figures that have bounds."""
    score = scored(ours(RING), run.quick)
    run.record("fullest_over_mean", score.fullest, f"{readable(score.raw_fullest)} with that one shard")
    steps = f"{len(score.over_minimum)} steps, worst {readable(max(score.over_minimum))}"
    run.record("moved_over_minimum", statistics.mean(score.over_minimum), steps)
    taken = join_ms(ours(RING), 3 if run.quick else 7)
    run.record(
        "plan_ms_1000_nodes_100000_shards",
        statistics.median(taken),
        f"{len(taken)} times, {readable(min(taken))} to {readable(max(taken))}",
    )
    run.explain(
        "moved_over_minimum_without_lower_bound",
        ratio(score.above_only),
        "×",
        "all shards moved, over the fewest if a node that joins might stay empty",
    )
    run.explain("first_plan_ms", first_plan_ms(), "ms", "the same cluster's very first plan: every shard is placed")


def first_plan_ms() -> float:
    """Milliseconds to place all shards of a large cluster that never had any."""
    members = {f"first-{number:05}": 1.0 for number in range(MANY_NODES)}
    began = perf_counter()
    plan(RING, MANY_SHARDS, members)
    return (perf_counter() - began) * 1000


def explain(run: Run, name: str, score: Score) -> None:
    """Keep a contestant's figures for the JSON."""
    key = name.lower().replace(",", "").replace(" ", "_").replace("-", "_")
    run.explain(f"{key}__fullest_over_mean", score.fullest, "×", f"{name}: fullest node over mean, less one shard")
    run.explain(f"{key}__emptiest_over_mean", score.emptiest, "×", f"{name}: emptiest node over mean, plus one shard")
    run.explain(f"{key}__join_moved", ratio(score.joins), "×", f"{name}: moved by joins over the joiners' least")
    run.explain(f"{key}__leave_moved", ratio(score.leaves), "×", f"{name}: moved by leaves over the leavers' shards")
    run.explain(f"{key}__plan_ms", score.plan_ms, "ms", f"{name}: a join of 1,000 nodes, 100,000 shards")


def ratio(steps: Sequence[tuple[int, int]]) -> float:
    """All that was moved, over all that was called for."""
    return sum(moved for moved, _ in steps) / sum(needed for _, needed in steps)


def table(scores: Mapping[str, Score]) -> Table:
    """The contestants side by side."""
    shown = Table(title="allocation strategies, same joins and leaves", title_justify="left")
    columns = (
        "",
        "fullest/mean",
        "emptiest/mean",
        "join: moved/needed",
        "leave: moved/needed",
        "rounds/join",
        "plan ms",
    )
    for column in columns:
        shown.add_column(column, justify="right" if column else "left")
    for name, score in scores.items():
        rounds = statistics.mean(score.join_rounds)
        values = (score.fullest, score.emptiest, ratio(score.joins), ratio(score.leaves))
        shown.add_row(name, *(f"{value:.2f}" for value in values), f"{rounds:.0f}", f"{score.plan_ms:,.0f}")
    return shown


if __name__ == "__main__":
    sys.exit(run_benchmark("allocation", BOUNDS, measure))
