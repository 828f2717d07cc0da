"""Moves are the fewest there can be: against a search through every allocation, and over long histories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

from sharding.allocation import LeastShardsAllocation, RingAllocation, Tolerance, fewest_moves
from tests.sharding.allocation.situations import Situation, cases, weights, wild

RING = RingAllocation("Booking")


def distributions(shards: int, limits: list[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
    """Every way to spread so many shards over hosts of which each has a lowest and a highest number."""
    if not limits:
        if shards == 0:
            yield ()
        return
    (low, high), *others = limits
    for count in range(max(0, low), min(shards, high) + 1):
        for rest in distributions(shards - count, others):
            yield (count, *rest)


def searched(situation: Situation, above: Fraction, below: Fraction, spare: int) -> int:
    """The fewest moves to any allocation within the bounds: every host keeps what it may, everything else moves."""
    hosts = sorted(situation.hosts)
    counts = Counter(situation.owners)
    total = sum(Fraction(weight) for weight in situation.hosts.values())
    shares = [situation.shards * Fraction(situation.hosts[host]) / total for host in hosts]
    limits = [(ceil(share * (1 - below) - 1), floor(share * (1 + above) + 1)) for share in shares]
    if not spare:
        limits = [(floor(share), ceil(share)) for share in shares]
    return min(
        situation.shards - sum(min(counts[host], count) for host, count in zip(hosts, chosen, strict=True))
        for chosen in distributions(situation.shards, limits)
    )


@st.composite
def small(draw: st.DrawFn) -> Situation:
    situation = draw(wild())
    members = dict(list(situation.members.items())[:4])
    kept = situation.owners[: draw(st.integers(1, 40))]
    return Situation(len(kept), members, kept)


@cases(300)
@given(situation=small(), tolerance=st.sampled_from([(0.1, 0.1, 1), (0.1, 1, 1), (0, 0, 1), (0.5, 0.2, 1), (0, 0, 0)]))
def test_the_fewest_moves_are_those_of_the_best_of_all_allocations(
    situation: Situation, tolerance: tuple[float, float, int]
) -> None:
    if situation.hosts:
        fewest = fewest_moves(situation.hosts, situation.owners, Tolerance(*tolerance))
        assert fewest == searched(situation, Fraction(str(tolerance[0])), Fraction(str(tolerance[1])), tolerance[2])


@cases(300)
@given(
    situation=wild(), strategy=st.sampled_from([RING, LeastShardsAllocation(), LeastShardsAllocation(RING.tolerance)])
)
def test_every_plan_makes_the_fewest_moves(
    situation: Situation, strategy: RingAllocation | LeastShardsAllocation
) -> None:
    if situation.hosts:
        fewest = fewest_moves(situation.hosts, situation.owners, strategy.tolerance)
        assert len(situation.planned(strategy).moves) == fewest


@cases(100)
@given(data=st.data(), count=st.integers(1, 20))
def test_planning_anew_halfway_makes_no_more_moves_in_all(data: st.DataObject, count: int) -> None:
    situation = data.draw(wild(weights))
    made = situation.planned(RING)
    moved = 0
    while made.moves:
        owners = list(situation.owners)
        for move in made.moves[:count]:
            owners[move.shard] = move.target
            moved += 1
        situation = situation._replace(owners=tuple(owners))
        again = situation.planned(RING)
        assert len(again.moves) == len(made.moves[count:])
        made = again


def test_without_a_lower_bound_a_node_that_joins_ten_level_ones_gets_nothing() -> None:
    members = {f"node-{number}": 1.0 for number in range(10)}
    before = Situation(1_000, members, tuple(f"node-{number % 10}" for number in range(1_000)))
    after = before._replace(members=members | {"joiner": 1.0})
    assert after.planned(RingAllocation(tolerance=Tolerance(below=1))).moves == ()
    assert after.planned(RING).owners.count("joiner") == 81  # 90.9 less 10 % and one


def test_a_new_cluster_leaves_room_so_that_joins_move_shards_only_to_who_joins() -> None:
    """Nodes that were filled to the brim would all be too full after a few joins."""
    members = {f"node-{number}": 1.0 for number in range(100)}
    situation = Situation(2_000, members, ())
    for joiner in range(100, 108):
        situation = situation._replace(owners=situation.planned(RING).owners)
        situation = situation._replace(members=situation.members | {f"node-{joiner}": 1.0})
        assert {move.target for move in situation.planned(RING).moves} == {f"node-{joiner}"}
