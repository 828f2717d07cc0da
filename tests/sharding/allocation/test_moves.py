"""The order of moves: whichever part of a plan was carried out, the cluster is better off than before."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given

from sharding.allocation import AllocationStrategy, RingAllocation, fewest_moves, plan
from tests.sharding.allocation.situations import STRATEGIES, Situation, carried_out, cases, falls, weights, wild

RING = RingAllocation("Booking")


@cases(100)
@given(situation=wild())
def test_each_move_brings_the_cluster_nearer_to_its_bounds(situation: Situation) -> None:
    if not situation.hosts:
        return
    made = situation.planned(RING)
    left = [
        fewest_moves(situation.hosts, carried_out(situation.owners, made, count), RING.tolerance)
        for count in range(len(made.moves) + 1)
    ]
    assert left == list(range(len(made.moves), -1, -1))


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
@cases(100)
@given(situation=wild())
def test_a_node_only_gives_or_only_takes(strategy: AllocationStrategy, situation: Situation) -> None:
    moves = situation.planned(strategy).moves
    assert not {move.source for move in moves} & {move.target for move in moves}


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
@cases(100)
@given(situation=wild())
def test_the_unserved_come_first_then_the_drained_then_the_fullest(
    strategy: AllocationStrategy, situation: Situation
) -> None:
    moves = situation.planned(strategy).moves
    classes = [
        2 if move.source not in situation.members else 1 if situation.members[str(move.source)] == 0 else 0
        for move in moves
    ]
    assert falls(classes)


@cases(100)
@given(situation=wild(weights))
def test_the_fullest_node_gives_first_so_the_peak_falls_evenly(situation: Situation) -> None:
    made = situation.planned(RING)
    counts = Counter(situation.owners)
    fullness = []
    for move in made.moves:
        if move.source in situation.members:
            counts[move.source] -= 1
            fullness.append(counts[move.source] / situation.members[str(move.source)])
    assert falls(fullness)


def test_shards_of_a_lost_node_are_spread_over_their_new_owners_from_the_first_step_on() -> None:
    members = {f"node-{number}": 1.0 for number in range(5)}
    owners = plan(RING, 300, members).owners
    del members["node-2"]
    made = plan(RING, 300, members, owners)
    for count in range(4, len(made.moves) + 1, 4):
        counts = Counter(carried_out(owners, made, count))
        took = [counts[node] for node in members if counts[node] > owners.count(node)]
        assert max(took) - min(took) <= max(
            1, max(owners.count(node) for node in members) - min(map(owners.count, members))
        )


def test_a_join_takes_from_all_nodes_in_turn() -> None:
    members = {f"node-{number}": 1.0 for number in range(4)}
    owners = tuple(f"node-{shard % 4}" for shard in range(400))
    made = plan(RING, 400, members | {"joiner": 1.0}, owners)
    first = [move.source for move in made.moves[:40]]
    assert all(len(set(first[start : start + 4])) == 4 for start in range(0, 40, 4))


def test_steps_of_any_size_end_at_the_same_owners() -> None:
    members = {f"node-{number}": 1.0 for number in range(4)}
    owners = plan(RING, 256, members).owners
    made = plan(RING, 256, members | {"joiner": 1.0}, owners)
    assert carried_out(owners, made, len(made.moves)) == made.owners
    assert all(earlier != later for earlier, later in pairwise(made.moves))
