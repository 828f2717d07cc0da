"""What every plan promises, on thousands of clusters nobody thought of."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.allocation import EVEN, AllocationStrategy, LeastShardsAllocation, RingAllocation, Tolerance, quotas
from sharding.allocation.bounds import TENTH
from tests.sharding.allocation.situations import (
    NAMES,
    STRATEGIES,
    Situation,
    beyond,
    cases,
    clusters,
    reached,
    weights,
    weights_or_drained,
    wild,
)

RING = RingAllocation("Booking")
many = cases(300)
enough = cases(100)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
@many
@given(situation=wild())
def test_every_shard_has_one_owner_who_is_a_member_that_may_own(
    strategy: AllocationStrategy, situation: Situation
) -> None:
    made = situation.planned(strategy)
    assert len(made.owners) == situation.shards
    if situation.hosts:
        assert set(made.owners) <= situation.hosts.keys()
    else:
        assert made.owners == tuple(owner if owner in situation.members else None for owner in situation.owners)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
@enough
@given(situation=wild())
def test_moves_are_the_difference_each_shard_once(strategy: AllocationStrategy, situation: Situation) -> None:
    made = situation.planned(strategy)
    differing = {
        (shard, before, after)
        for shard, (before, after) in enumerate(zip(situation.owners, made.owners, strict=True))
        if before != after and after is not None and situation.hosts
    }
    assert set(made.moves) == differing
    assert len(made.moves) == len(differing)


@many
@given(situation=wild())
def test_the_ring_keeps_every_node_within_ten_percent_of_its_share_plus_one(situation: Situation) -> None:
    if situation.hosts:
        assert beyond(situation.shards, situation.hosts, situation.planned(RING).owners) == []


@enough
@given(situation=wild())
def test_least_shards_keeps_every_node_within_one_of_its_share(situation: Situation) -> None:
    if situation.hosts:
        owners = situation.planned(LeastShardsAllocation()).owners
        assert beyond(situation.shards, situation.hosts, owners, Fraction(0), Fraction(0)) == []


@enough
@given(situation=wild(), kind=st.text(max_size=3))
def test_an_even_spread_is_the_share_rounded_up_or_down(situation: Situation, kind: str) -> None:
    if situation.hosts:
        counts = Counter(situation.planned(RingAllocation(kind, EVEN)).owners)
        total = sum(map(Fraction, situation.hosts.values()))
        for host, weight in situation.hosts.items():
            share = situation.shards * Fraction(weight) / total
            assert floor(share) <= counts[host] <= ceil(share)


@enough
@given(situation=wild(), above=st.sampled_from([0, 0.01, 0.25, 2]), below=st.sampled_from([0, 0.3, 1]))
def test_other_tolerances_hold_too(situation: Situation, above: float, below: float) -> None:
    if situation.hosts:
        owners = situation.planned(RingAllocation(tolerance=Tolerance(above, below))).owners
        assert beyond(situation.shards, situation.hosts, owners, Fraction(str(above)), Fraction(str(below))) == []


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
@enough
@given(situation=wild())
def test_nothing_moves_when_nothing_changed(strategy: AllocationStrategy, situation: Situation) -> None:
    settled = situation._replace(owners=situation.planned(strategy).owners)
    again = settled.planned(strategy)
    assert again.moves == ()
    assert again.owners == settled.owners


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
@enough
@given(situation=wild(), seed=st.integers(0, 1_000))
def test_the_order_in_which_members_are_listed_changes_nothing(
    strategy: AllocationStrategy, situation: Situation, seed: int
) -> None:
    listed = list(situation.members.items())
    random.Random(seed).shuffle(listed)
    assert situation._replace(members=dict(listed)).planned(strategy) == situation.planned(strategy)


@enough
@given(situation=wild(weights), factor=st.sampled_from([0.25, 2, 1024]))
def test_only_the_proportions_of_weights_matter(situation: Situation, factor: float) -> None:
    scaled = {node: weight * factor for node, weight in situation.members.items()}
    assert situation._replace(members=scaled).planned(RING) == situation.planned(RING)


@cases(150)
@given(data=st.data())
def test_a_join_moves_shards_only_to_who_joined_unless_the_bound_forces_more(data: st.DataObject) -> None:
    before = data.draw(reached(RING, data.draw(st.sampled_from([st.just(1.0), weights]))))
    joiner = data.draw(st.sampled_from([name for name in NAMES if name not in before.members]))
    after = before._replace(members=before.members | {joiner: data.draw(weights)})
    made = after.planned(RING)
    empty = {node for node in before.members if node not in before.owners}
    elsewhere = [move for move in made.moves if move.target != joiner and move.target not in empty]
    quota = quotas(after.shards, after.members, TENTH)
    if elsewhere:  # then the joiner has all it may have, and others had more than they may keep
        assert made.owners.count(joiner) == quota[joiner].most
        counts = Counter(before.owners)
        assert all(counts[move.source] > quota[str(move.source)].most for move in elsewhere)


@cases(150)
@given(data=st.data())
def test_a_leave_moves_only_the_leavers_shards_unless_the_bound_forces_more(data: st.DataObject) -> None:
    before = data.draw(reached(RING, data.draw(st.sampled_from([st.just(1.0), weights]))))
    leaver = data.draw(st.sampled_from([*before.members]))
    if len(before.members) == 1:
        return
    after = before._replace(members={node: weight for node, weight in before.members.items() if node != leaver})
    made = after.planned(RING)
    others = [move for move in made.moves if move.source != leaver]
    assert {move.shard for move in made.moves if move.source == leaver} == {
        shard for shard, owner in enumerate(before.owners) if owner == leaver
    }
    if (
        others
    ):  # then all the leaver's shards went to nodes that own too few for the larger share, and it was not enough
        quota, counts = quotas(after.shards, after.members, TENTH), Counter(before.owners)
        receivers = {move.target for move in made.moves}
        assert all(made.owners.count(node) == quota[node].least > counts[node] for node in receivers)


@enough
@given(data=st.data())
def test_a_node_of_weight_zero_is_drained_and_nobody_else_is_moved_for_it(data: st.DataObject) -> None:
    before = data.draw(reached(RING, shards=st.integers(30, 300)))
    drained = data.draw(st.sampled_from([*before.members]))
    if len(before.members) == 1:
        return
    made = before._replace(members=before.members | {drained: 0}).planned(RING)
    left = before._replace(members={node: 1.0 for node in before.members if node != drained}).planned(RING)
    assert made.owners == left.owners
    assert drained not in made.owners


@enough
@given(data=st.data(), strategy=st.sampled_from(STRATEGIES))
def test_several_may_leave_and_join_at_once(data: st.DataObject, strategy: AllocationStrategy) -> None:
    before = data.draw(reached(strategy, weights_or_drained))
    after = before._replace(members=data.draw(clusters(weights_or_drained)))
    made = after.planned(strategy)
    if after.hosts:
        assert set(made.owners) <= after.hosts.keys()
        assert beyond(after.shards, after.hosts, made.owners) == []
