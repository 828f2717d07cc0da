"""What the coordinator does next: who gets which shard when, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharding.allocation import RingAllocation
from sharding.allocation.bounds import TENTH, fewest_moves, quotas
from sharding.store.records import Allocation, Deployment
from sharding.table import Candidate, ShardTable

SHARDS = 24


def new_table(shards: int = SHARDS, *, patient: bool = False) -> ShardTable:
    return ShardTable(Deployment("t", "kind", shards, patient), RingAllocation())


def members(**weights: float) -> dict[int, Candidate]:
    """Candidates `a1=…`: node `a`, incarnation 1."""
    return {int(name[1:]): Candidate(name[0], weight) for name, weight in weights.items()}


def settled(table: ShardTable, candidates: dict[int, Candidate]) -> int:
    """Carry out what is to be done, with owners that answer at once; returns how many shards were handed off."""
    moved = 0
    for _ in range(1_000):
        step = table.next_step(candidates, (), 4 - len(table.moving))
        for shard, owner in step.hand_offs:
            table.ordered(shard, 0.0)
            assert table.handed_off(shard, owner, table.epochs[shard])
            moved += 1
        table.granted(step.grants)
        if not step.grants and not step.hand_offs:
            return moved
    raise AssertionError("it does not come to an end")


def test_a_new_type_is_granted_at_once_under_epoch_one() -> None:
    table = new_table()
    step = table.next_step(members(a1=1, b2=1), (), 4)
    assert step.hand_offs == []
    assert [(shard, epoch) for shard, _, epoch in step.grants] == [(shard, 1) for shard in range(SHARDS)]
    assert {owner for _, owner, _ in step.grants} == {1, 2}
    table.granted(step.grants)
    assert table.next_step(members(a1=1, b2=1), (), 4).grants == []


def test_shards_that_a_type_has_no_more_are_left_out_and_their_epochs_are_gone_on_from_when_it_has_them_again() -> None:
    stored = [Allocation(0, 1, 3), Allocation(1, 1, 4), Allocation(2, 0, 5), Allocation(3, 0, 6)]
    fewer, more = new_table(2), new_table(5)
    for table in (fewer, more):
        table.load(stored)
    assert fewer.homes() == [(0, 1, 3), (1, 1, 4)]
    assert fewer.next_step(members(a1=1), (), 4).grants == []
    assert more.next_step(members(a1=1), (), 4).grants == [
        Allocation(2, 1, 6),
        Allocation(3, 1, 7),
        Allocation(4, 1, 1),
    ]


def test_what_its_owner_withdrew_is_unwanted_until_it_is_on_its_way() -> None:
    table = new_table(4)
    table.load([Allocation(0, 1, 1), Allocation(1, 2, 1), Allocation(2, 1, 1), Allocation(3, 1, 1)])
    table.stale(3, 1, 1, 9)
    assert table.unwanted({1}) == [(0, 1), (2, 1), (3, 1)]
    table.ordered(0, 0.0)
    table.handed_off(2, 1, 1)
    assert table.unwanted({1}) == [(3, 1)]
    assert table.unwanted(set()) == []
    table.handed_off(0, 1, 1)
    table.handed_off(3, 1, 1)
    grants = table.next_step(members(a1=1, b2=1), (), 4).grants
    assert [(shard, epoch) for shard, _, epoch in grants] == [(0, 2), (2, 2), (3, 10)]


def test_a_grant_counts_only_when_it_is_in_the_store() -> None:
    table = new_table()
    first = table.next_step(members(a1=1), (), 4)
    assert table.homes() == []
    assert table.next_step(members(a1=1), (), 4) == first


def test_a_shard_moves_by_way_of_its_owner() -> None:
    table = new_table()
    settled(table, members(a1=1))
    step = table.next_step(members(a1=0, b2=1), (), 2)
    assert len(step.hand_offs) == 2
    assert step.grants == []
    shard, owner = step.hand_offs[0]
    assert owner == 1
    table.ordered(shard, 10.0)
    assert not any(grant.shard == shard for grant in table.next_step(members(a1=0, b2=1), (), 0).grants)
    assert table.handed_off(shard, 1, 1)
    assert table.next_step(members(a1=0, b2=1), (), 0).grants == [Allocation(shard, 2, 2)]


@pytest.mark.parametrize(("owner", "epoch"), [(2, 1), (1, 0), (1, 2)])
def test_old_news_of_a_shard_change_nothing(owner: int, epoch: int) -> None:
    table = new_table()
    settled(table, members(a1=1))
    assert not table.handed_off(3, owner, epoch)
    assert not table.stale(3, owner, epoch, 9)
    assert table.next_step(members(a1=1), (), 4).grants == []


@pytest.mark.parametrize("shard", [-1, SHARDS, 10_000])
def test_news_of_shards_that_do_not_exist_are_none(shard: int) -> None:
    table = new_table()
    settled(table, members(a1=1))
    assert not table.handed_off(shard, 1, 1)
    assert not table.stale(shard, 1, 1, 9)


def test_a_stale_epoch_is_replaced_for_the_same_owner() -> None:
    table = new_table()
    candidates = members(a1=1, b2=1)
    settled(table, candidates)
    shard = table.owners.index(2)
    assert table.stale(shard, 2, 1, 7)
    assert table.stale(shard, 2, 1, 5)
    assert table.next_step(candidates, (), 4).grants == [Allocation(shard, 2, 8)]


def test_a_stale_shard_whose_owner_died_goes_to_another_above_the_journals_epoch() -> None:
    table = new_table()
    settled(table, members(a1=1, b2=1))
    shard = table.owners.index(2)
    assert table.stale(shard, 2, 1, 7)
    grants = table.next_step(members(a1=1), (), 4).grants
    assert Allocation(shard, 1, 8) in grants
    assert {owner for _, owner, _ in grants} == {1}


def test_a_moving_shard_whose_owner_died_is_granted_without_waiting() -> None:
    table = new_table(1)
    settled(table, members(a1=1))
    (wanted,) = table.next_step(members(a1=0, b2=1), (), 4).hand_offs
    table.ordered(wanted.shard, 0.0)
    assert table.next_step(members(b2=1), (), 4).grants == [Allocation(0, 2, 2)]


def test_a_restarted_node_gets_its_shards_back() -> None:
    table = new_table()
    settled(table, members(a1=1, b2=1))
    before = [shard for shard, owner in enumerate(table.owners) if owner == 2]
    settled(table, members(a1=1, b3=1))
    assert [shard for shard, owner in enumerate(table.owners) if owner == 3] == before


@pytest.mark.parametrize("stale", [False, True])
def test_shards_of_a_held_member_stay_until_it_is_held_no_more(stale: bool) -> None:
    table = new_table(patient=True)
    settled(table, members(a1=1, b2=1))
    held = [shard for shard, owner in enumerate(table.owners) if owner == 2]
    if stale:
        table.stale(held[0], 2, 1, 7)
    step = table.next_step(members(a1=1), {2}, 4)
    assert (step.grants, step.hand_offs) == ([], [])
    assert [grant.shard for grant in table.next_step(members(a1=1), (), 4).grants] == held


def test_owners_that_do_not_answer_are_passed_over_in_time() -> None:
    table = new_table(4)
    settled(table, members(a1=1))
    wanted = table.next_step(members(a1=0, b2=1), (), 4).hand_offs
    for second, (shard, _) in enumerate(wanted):
        table.ordered(shard, float(second))
    late = [shard for shard, _ in wanted[:2]]
    assert sorted(table.late(1.0)) == sorted(late)
    assert sorted(table.pass_over(1.0)) == sorted(late)
    grants = table.next_step(members(a1=0, b2=1), (), 0).grants
    assert [(grant.shard, grant.owner, grant.epoch) for grant in grants] == [(shard, 2, 2) for shard in sorted(late)]


def test_nothing_moves_to_or_from_members_without_weight_when_nobody_has_any() -> None:
    table = new_table()
    settled(table, members(a1=1))
    step = table.next_step(members(a1=0, b2=0), (), 4)
    assert (step.grants, step.hand_offs) == ([], [])


@given(st.integers(1, 8), st.integers(8, 64))
def test_a_join_moves_the_fewest_shards(nodes: int, shards: int) -> None:
    table = new_table(shards)
    there = {number: Candidate(f"n{number}", 1.0) for number in range(1, nodes + 1)}
    settled(table, there)
    owners = [there[owner].node for owner in table.owners]
    there[nodes + 1] = Candidate("new", 1.0)
    fewest = fewest_moves({one.node: one.weight for one in there.values()}, owners, TENTH)
    assert settled(table, there) <= fewest + ceil(shards * 0.02)


class Counted:
    """The ring, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def allocate(self, hosts: Mapping[str, float], owners: Sequence[str | None]) -> Sequence[str]:
        self.asked += 1
        return RingAllocation().allocate(hosts, owners)


def test_nothing_is_planned_again_until_something_has_changed() -> None:
    counted = Counted()
    table = ShardTable(Deployment("t", "kind", SHARDS, False), counted)
    settled(table, members(a1=1, b2=1))
    before = counted.asked
    for slots in (4, 3, 16):
        assert not table.next_step(members(a1=1, b2=1), (), slots).grants
    assert counted.asked == before
    assert table.stale(0, table.owners[0], 1, 7)
    assert table.next_step(members(a1=1, b2=1), (), 4).grants == [Allocation(0, table.owners[0], 8)]
    assert table.next_step(members(b2=1), (), 4).grants
    assert counted.asked == before + 2


def test_what_waits_for_a_slot_is_planned_when_one_is_free() -> None:
    counted = Counted()
    table = ShardTable(Deployment("t", "kind", SHARDS, False), counted)
    settled(table, members(a1=1))
    before = counted.asked
    for _ in range(5):
        assert not table.next_step(members(a1=1, b2=1), (), 0).hand_offs
    assert counted.asked == before + 1
    assert len(table.next_step(members(a1=1, b2=1), (), 2).hand_offs) == 2


# --- whatever happens


@dataclass
class World:
    """The store, the journal's epochs, and who is there."""

    table: ShardTable
    stored: dict[int, tuple[int, int]] = field(default_factory=dict)
    granted: set[tuple[int, int]] = field(default_factory=set)
    there: dict[int, Candidate] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    stopped: set[tuple[int, int]] = field(default_factory=set)
    joins: int = 0
    now: float = 0.0

    def act(self, what: str, pick: int, *, lost: bool) -> None:
        self.now += 1.0
        incarnations = sorted(self.there)
        someone = incarnations[pick % len(incarnations)] if incarnations else 0
        match what:
            case "join" if len(self.there) < 6:
                self.joins += 1
                taken = {one.node for one in self.there.values()}
                free = [name for name in "abcdef" if name not in taken]
                self.there[self.joins] = Candidate(free[pick % len(free)], [1.0, 1.0, 2.0, 0.5][pick % 4])
            case "leave" if someone:
                self.there[someone] = self.there[someone]._replace(weight=0.0)
            case "die" if someone:
                del self.there[someone]
                if self.table.deployment.patient:
                    self.held.add(someone)
            case "lease over":
                self.held.clear()
            case "answer":
                self.answer(pick, lost=lost)
            case "stale":
                shard = pick % SHARDS
                self.table.stale(shard, self.table.owners[shard], self.table.epochs[shard], pick // 3)
            case "time":
                if not self.table.deployment.patient:
                    self.table.pass_over(self.now - 5.0)
            case "coordinator":
                self.table = ShardTable(self.table.deployment, RingAllocation())
                self.table.load([Allocation(shard, *home) for shard, home in self.stored.items()])
        self.step(lost=lost)

    def answer(self, pick: int, *, lost: bool) -> None:
        moving = sorted(self.table.moving)
        if moving and not lost:
            shard = moving[pick % len(moving)]
            self.stopped.add((shard, self.table.epochs[shard]))
            assert self.table.handed_off(shard, self.table.owners[shard], self.table.epochs[shard])

    def step(self, *, lost: bool) -> None:
        if not any(one.weight > 0 for one in self.there.values()):
            return
        slots = 3 - len(self.table.moving)
        forgetful = deepcopy(self.table)
        forgetful._changed = True
        step = self.table.next_step(self.there, self.held, slots)
        assert step == forgetful.next_step(self.there, self.held, slots), "a plan that is spared would change nothing"
        for shard, owner in step.hand_offs:
            assert self.stored[shard][0] == owner, "only who owns a shard can hand it off"
            assert owner in self.there
            self.table.ordered(shard, self.now)
        assert len(self.table.moving) <= 3
        assert len({grant.shard for grant in step.grants}) == len(step.grants)
        for grant in step.grants:
            self.check(grant)
        if not lost:  # otherwise the store refused, and nothing happened
            for shard, owner, epoch in step.grants:
                self.stored[shard] = (owner, epoch)
            self.granted |= {(shard, epoch) for shard, _, epoch in step.grants}
            self.table.granted(step.grants)

    def check(self, grant: Allocation) -> None:
        shard, owner, epoch = grant
        before, old = self.stored.get(shard, (0, 0))
        assert epoch > old, "epochs grow"
        assert (shard, epoch) not in self.granted, "no epoch is granted twice"
        assert owner in self.there
        assert self.there[owner].weight > 0 or owner == before
        if before in self.held:
            assert (shard, old) in self.stopped, "what a held member has stays with it, unless it stopped it"


ACTIONS = ["join", "join", "leave", "die", "lease over", "answer", "answer", "answer", "stale", "time", "coordinator"]
Program = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 40), st.booleans()), max_size=40)


@settings(max_examples=60, deadline=None)
@given(Program, st.booleans())
def test_whatever_happens_epochs_grow_and_in_the_end_all_shards_live_with_somebody(
    program: list[tuple[str, int, bool]], patient: bool
) -> None:
    world = World(new_table(patient=patient))
    for what, pick, lost in program:
        world.act(what, pick, lost=lost)
    world.act("join", 0, lost=False)
    world.held.clear()
    for shard in list(world.table.moving):
        world.table.handed_off(shard, world.table.owners[shard], world.table.epochs[shard])
    if not any(one.weight > 0 for one in world.there.values()):
        return
    settled(world.table, world.there)
    hosts = {one.node: one.weight for one in world.there.values() if one.weight > 0}
    counts: dict[str, Any] = dict.fromkeys(hosts, 0)
    for owner in world.table.owners:
        counts[world.there[owner].node] += 1
    limits = quotas(SHARDS, hosts, TENTH)
    assert all(limits[node].least <= count <= limits[node].most for node, count in counts.items()), counts
    assert all(epoch >= world.stored.get(shard, (0, 0))[1] for shard, epoch in enumerate(world.table.epochs))
