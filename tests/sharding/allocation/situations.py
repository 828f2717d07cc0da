"""Clusters as a coordinator may find them, for Hypothesis, and the promises in the plainest arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from sharding.allocation import AllocationStrategy, LeastShardsAllocation, Plan, RingAllocation, plan

NAMES = tuple(f"node-{number}" for number in range(12))
GHOSTS = ("gone-1", "gone-2")
STRATEGIES: tuple[AllocationStrategy, ...] = (RingAllocation("Booking"), LeastShardsAllocation())

alike = st.just(1.0)
weights = st.sampled_from([1, 1.0, 2, 0.5, 0.1, 3.7, 16])
weights_or_drained = st.one_of(weights, st.just(0))


def cases(count: int) -> settings:
    """So many examples, however busy the machine is."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Situation(NamedTuple):
    """What `plan` is asked about."""

    shards: int
    members: dict[str, float]
    owners: tuple[str | None, ...]

    def planned(self, strategy: AllocationStrategy) -> Plan:
        return plan(strategy, self.shards, self.members, self.owners)

    @property
    def hosts(self) -> dict[str, float]:
        return {node: weight for node, weight in self.members.items() if weight > 0}


def clusters(
    weight: st.SearchStrategy[float] = alike, least: int = 1, most: int = 8
) -> st.SearchStrategy[dict[str, float]]:
    """Members with weights, in any order."""
    return st.dictionaries(st.sampled_from(NAMES), weight, min_size=least, max_size=most)


@st.composite
def wild(draw: st.DrawFn, weight: st.SearchStrategy[float] = weights_or_drained) -> Situation:
    """Any owners at all: members, drained ones, nodes nobody knows, nobody; evenly spread or all on a few."""
    members = draw(clusters(weight))
    candidates = draw(st.lists(st.sampled_from([*members, *GHOSTS, None]), min_size=1, max_size=6))
    runs = draw(st.lists(st.tuples(st.sampled_from(candidates), st.integers(1, 40)), min_size=1, max_size=10))
    owners = [owner for owner, length in runs for _ in range(length)]
    return Situation(len(owners), members, tuple(owners))


@st.composite
def reached(
    draw: st.DrawFn,
    strategy: AllocationStrategy,
    weight: st.SearchStrategy[float] = alike,
    changes: int = 6,
    shards: st.SearchStrategy[int] = st.integers(1, 300),  # noqa: B008 - a strategy is a value
) -> Situation:
    """What a cluster has come to after joins, leaves and changed weights, each planned and carried out."""
    situation = Situation(draw(shards), draw(clusters(weight)), ())
    situation = situation._replace(owners=situation.planned(strategy).owners)
    for _ in range(draw(st.integers(0, changes))):
        node = draw(st.sampled_from(NAMES))
        members = dict(situation.members)
        if node in members and len(members) > 1 and draw(st.booleans()):
            del members[node]
        else:
            members[node] = draw(weight)
        situation = situation._replace(members=members)
        situation = situation._replace(owners=situation.planned(strategy).owners)
    return situation


def beyond(
    shards: int,
    hosts: Mapping[str, float],
    owners: Sequence[str | None],
    above: Fraction = Fraction(1, 10),
    below: Fraction = Fraction(1, 10),
) -> list[str]:
    """The hosts, in words, that own more than their share + 10 % + 1, or less than it - 10 % - 1."""
    counts = Counter(owners)
    total = sum(Fraction(weight) for weight in hosts.values())
    found = []
    for host, weight in hosts.items():
        share = shards * Fraction(weight) / total
        if not share * (1 - below) - 1 <= counts[host] <= share * (1 + above) + 1:
            found.append(f"{host} owns {counts[host]}, its share is {float(share)}")
    return found


def carried_out(owners: Sequence[str | None], made: Plan, count: int) -> tuple[str | None, ...]:
    """The owners after the first `count` moves of a plan."""
    after = list(owners)
    for shard, source, target in made.moves[:count]:
        assert after[shard] == source
        after[shard] = target
    return tuple(after)


def falls(numbers: Sequence[float]) -> bool:
    """Whether each number is at most the one before it."""
    return all(later <= earlier for earlier, later in pairwise(numbers))
