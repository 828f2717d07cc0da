"""Clusters at the edge: empty, tiny, draining, restarted, misconfigured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from math import inf, nan

import pytest

from sharding.allocation import (
    AllocationError,
    AllocationStrategy,
    LeastShardsAllocation,
    RingAllocation,
    ShardCountChanged,
    StrategyFault,
    Tolerance,
    UnusableWeight,
    plan,
)
from tests.sharding.allocation.situations import STRATEGIES, beyond

RING = RingAllocation("Booking")
both = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)


@both
def test_without_members_nothing_is_owned_and_nothing_moves(strategy: AllocationStrategy) -> None:
    assert plan(strategy, 3, {}, ("a", None, "b")).owners == (None, None, None)
    assert plan(strategy, 3, {}).moves == ()


@both
def test_one_node_owns_everything(strategy: AllocationStrategy) -> None:
    made = plan(strategy, 100, {"only": 0.3})
    assert made.owners == ("only",) * 100
    assert sorted(made.moves) == [(shard, None, "only") for shard in range(100)]


@both
def test_with_more_nodes_than_shards_no_node_owns_two(strategy: AllocationStrategy) -> None:
    owners = plan(strategy, 7, {f"node-{number}": 1.0 for number in range(50)}).owners
    assert len(set(owners)) == 7


@both
def test_when_all_nodes_drain_shards_stay_where_they_are_served(strategy: AllocationStrategy) -> None:
    made = plan(strategy, 4, {"a": 0, "b": 0}, ("a", "b", None, "gone"))
    assert made.owners == ("a", "b", None, None)
    assert made.moves == ()


@both
def test_shards_of_unknown_owners_find_a_home_and_the_move_names_the_recorded_owner(
    strategy: AllocationStrategy,
) -> None:
    made = plan(strategy, 2, {"a": 1}, ("gone", None))
    assert made.owners == ("a", "a")
    assert sorted(made.moves) == [(0, "gone", "a"), (1, None, "a")]


@both
def test_weights_divide_the_shards(strategy: AllocationStrategy) -> None:
    members = {"small": 0.5, "plain": 1, "large": 2.5}
    owners = plan(strategy, 800, members).owners
    assert beyond(800, members, owners) == []
    assert owners.count("large") > 2 * owners.count("plain") > 3 * owners.count("small")


@both
@pytest.mark.parametrize("light", [1e-9, 1e-300, 5e-324])
@pytest.mark.parametrize("heavy", [1, 1e300, 10**400], ids=["one", "1e300", "beyond-float"])
def test_weights_may_be_far_apart(strategy: AllocationStrategy, light: float, heavy: float) -> None:
    owners = plan(strategy, 500, {"light": light, "heavy": heavy, "other": heavy}).owners
    assert owners.count("light") <= 1
    assert owners.count("heavy") >= 224


@pytest.mark.parametrize("nodes", [2, 3, 5, 10, 30])
def test_a_node_that_comes_back_gets_its_former_shards(nodes: int) -> None:
    members = {f"node-{number}": 1.0 for number in range(nodes)}
    before = plan(RING, 1_000, members).owners
    others = {node: weight for node, weight in members.items() if node != "node-1"}
    after = plan(RING, 1_000, members, plan(RING, 1_000, others, before).owners).owners
    has = {shard for shard in range(1_000) if after[shard] == "node-1"}
    had = {shard for shard in range(1_000) if before[shard] == "node-1"}
    assert len(has & had) >= 0.9 * len(has)


def test_most_shards_of_a_new_cluster_are_where_a_ring_without_bounds_would_put_them() -> None:
    members = {f"node-{number}": 1.0 for number in range(10)}
    unbounded = plan(RingAllocation("Booking", Tolerance(above=100, below=1)), 1_000, members).owners
    bounded = plan(RING, 1_000, members).owners
    assert sum(a == b for a, b in zip(unbounded, bounded, strict=True)) >= 900


def test_kinds_are_laid_out_independently_so_their_fullest_nodes_differ() -> None:
    members = {f"node-{number}": 1.0 for number in range(10)}
    kinds = [plan(RingAllocation(f"Kind{number}"), 100, members).owners for number in range(30)]
    together = [owner for owners in kinds for owner in owners]
    assert max(together.count(node) for node in members) <= 1.05 * 300


@pytest.mark.parametrize(("stored", "configured"), [(100, 256), (256, 100), (1, 2)])
def test_another_shard_count_than_the_stored_one_is_refused_and_both_are_named(stored: int, configured: int) -> None:
    with pytest.raises(ShardCountChanged, match=rf"\b{stored}\b.*\b{configured}\b.*use {stored}"):
        plan(RING, configured, {"a": 1}, ("a",) * stored)


@pytest.mark.parametrize("weight", [-1, -0.001, inf, -inf, nan])
def test_a_weight_that_means_nothing_is_refused_and_the_node_is_named(weight: float) -> None:
    with pytest.raises(UnusableWeight, match="'odd'") as raised:
        plan(RING, 10, {"fine": 1, "odd": weight})
    assert isinstance(raised.value, (AllocationError, ValueError))


@pytest.mark.parametrize("shards", [0, -1])
def test_no_shards_at_all_are_refused(shards: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        plan(RING, shards, {"a": 1})


@pytest.mark.parametrize(("above", "below"), [(-0.1, 0), (0, -0.1), (0, 1.1), (nan, 0), (0, nan), (inf, 0)])
def test_a_tolerance_that_means_nothing_is_refused(above: float, below: float) -> None:
    with pytest.raises(ValueError, match="above must be"):
        Tolerance(above, below)


class Stubborn:
    """Answers the same to everything."""

    def __init__(self, *answer: str) -> None:
        self.answer = answer

    def allocate(self, hosts: Mapping[str, float], owners: Sequence[str | None]) -> Sequence[str]:
        return self.answer


@pytest.mark.parametrize("answer", [(), ("a",), ("a", "a", "a"), ("a", "gone"), ("a", "drained")])
def test_a_strategy_that_loses_a_shard_or_invents_a_node_is_refused(answer: tuple[str, ...]) -> None:
    with pytest.raises(StrategyFault, match="Stubborn"):
        plan(Stubborn(*answer), 2, {"a": 1, "drained": 0})


def test_a_strategy_of_ones_own_needs_one_method() -> None:
    assert plan(Stubborn("a", "b"), 2, {"a": 1, "b": 1}, ("b", "b")).moves == ((0, "b", "a"),)


def test_the_layout_is_the_same_in_every_process() -> None:
    program = (
        "from sharding.allocation import *;"
        "first = plan(RingAllocation('Booking'), 64, {f'node-{n}': 1 for n in range(5)}).owners;"
        "print(plan(RingAllocation('Booking'), 64, {f'node-{n}': 1 for n in (6, 4, 1, 3, 0)}, first))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1
    assert b"Move" in printed.pop()


def test_the_layout_is_the_same_in_every_release() -> None:
    """A node of the next release must not find all shards in the wrong place."""
    owners = plan(RING, 16, {"node-0": 1, "node-1": 1, "node-2": 2}).owners
    assert "".join(str(owner)[-1] for owner in owners) == "1022222122011200"


def test_least_shards_evens_out_what_the_ring_may_leave() -> None:
    members = {f"node-{number}": 1.0 for number in range(10)}
    owners = plan(LeastShardsAllocation(), 1_000, members).owners
    assert {owners.count(node) for node in members} == {100}
