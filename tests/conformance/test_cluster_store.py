"""The contract of the cluster store: members and the coordinator's term."""

from __future__ import annotations

import math

import pytest

from sharding.store.contract import ClusterStore
from sharding.store.errors import LeaseLost, NodeNameTaken, TermOver
from sharding.store.records import DOWN, LEAVING, UP, Allocation, Member, Picture, Seat
from tests.conformance.clusters import BOOKING, LEASE, Clusters, coordinator, seat


async def member(store: ClusterStore, incarnation: int) -> Member | None:
    """A member as the store has it."""
    found = [one for one in (await store.picture()).members if one.incarnation == incarnation]
    return found[0] if found else None


async def state(store: ClusterStore, incarnation: int) -> str:
    """A member's state."""
    found = await member(store, incarnation)
    assert found is not None
    return found.state


# --- members


async def test_an_empty_cluster_has_no_member_and_no_term(cluster: ClusterStore) -> None:
    assert await cluster.picture() == Picture((), 0, None)
    assert await cluster.deployments() == ([], [])
    assert await cluster.allocations("Booking") == []


async def test_who_joins_is_in_the_picture_with_all_it_brought(cluster: ClusterStore) -> None:
    joined = await cluster.join(Seat("grün", "10.0.0.1", 7001, 2.5, ("web", "ümlaut,'\"")), LEASE)
    (seen,) = (await cluster.picture()).members
    assert seen == joined._replace(lease_left=seen.lease_left)
    assert seen[:7] == ("grün", 1, "10.0.0.1", 7001, 2.5, ("web", "ümlaut,'\""), UP)
    assert LEASE - 5 < seen.lease_left <= joined.lease_left <= LEASE


async def test_members_are_listed_by_incarnation(cluster: ClusterStore) -> None:
    for node in ("c", "a", "b"):
        await cluster.join(seat(node), LEASE)
    assert [(one.node, one.incarnation) for one in (await cluster.picture()).members] == [("c", 1), ("a", 2), ("b", 3)]


async def test_a_lease_runs_down_and_a_renewal_starts_it_anew(clusters: Clusters, cluster: ClusterStore) -> None:
    one = await cluster.join(seat("a"), LEASE)
    await clusters.pass_time(6)
    before = await member(cluster, one.incarnation)
    assert before is not None
    assert 0 < before.lease_left <= 4
    renewed = await cluster.renew(one.incarnation, LEASE)
    assert 5 < renewed.members[0].lease_left <= LEASE


async def test_a_lease_that_is_over_can_be_renewed_while_nobody_acted(
    clusters: Clusters, cluster: ClusterStore
) -> None:
    one = await cluster.join(seat("a"), LEASE)
    await clusters.pass_time(LEASE + 1)
    over = await member(cluster, one.incarnation)
    assert over is not None
    assert over.lease_left <= 0
    assert over.state == UP
    assert (await cluster.renew(one.incarnation, LEASE)).members[0].lease_left > 0


async def test_a_renewal_tells_the_whole_picture(cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    two = await cluster.join(seat("second"), LEASE)
    picture = await cluster.renew(two.incarnation, LEASE)
    assert (picture.term, picture.coordinator) == (term, one)
    assert [found.node for found in picture.members] == ["first", "second"]


async def test_a_name_is_taken_while_its_lease_runs(clusters: Clusters, cluster: ClusterStore) -> None:
    one = await cluster.join(seat("a"), LEASE)
    for _ in range(2):
        with pytest.raises(NodeNameTaken, match=r"127\.0\.0\.1:7000") as taken:
            await cluster.join(seat("a"), LEASE)
        assert taken.value.incarnation == one.incarnation
        assert 0 < taken.value.lease_left <= LEASE
        await cluster.mark_leaving(one.incarnation)
    await clusters.pass_time(LEASE + 1)
    two = await cluster.join(seat("a"), LEASE)
    assert [(found.incarnation, found.state) for found in (await cluster.picture()).members] == [
        (one.incarnation, DOWN),
        (two.incarnation, UP),
    ]


async def test_a_dead_process_of_the_same_name_is_replaced(cluster: ClusterStore) -> None:
    one = await cluster.join(seat("a"), LEASE)
    with pytest.raises(NodeNameTaken):
        await cluster.join(seat("a"), LEASE, replacing=one.incarnation + 1)
    two = await cluster.join(seat("a"), LEASE, replacing=one.incarnation)
    replaced = await member(cluster, one.incarnation)
    assert replaced is not None
    assert replaced.state == DOWN
    assert replaced.lease_left > 0  # what is patient waits for that
    with pytest.raises(LeaseLost):
        await cluster.renew(one.incarnation, LEASE)
    assert await state(cluster, two.incarnation) == UP


async def test_replacing_ends_nobody_of_another_name(cluster: ClusterStore) -> None:
    one = await cluster.join(seat("a"), LEASE)
    await cluster.join(seat("b"), LEASE, replacing=one.incarnation)
    assert await state(cluster, one.incarnation) == UP


async def test_a_name_declared_down_is_free_while_its_lease_still_runs(cluster: ClusterStore) -> None:
    _, term = await coordinator(cluster)
    one = await cluster.join(seat("a"), LEASE)
    await cluster.declare_down(term, one.incarnation, evidence=True)
    assert (await cluster.join(seat("a"), LEASE)).incarnation == one.incarnation + 1


async def test_renewing_what_is_down_or_unknown_says_so(cluster: ClusterStore) -> None:
    _, term = await coordinator(cluster)
    one = await cluster.join(seat("a"), LEASE)
    await cluster.declare_down(term, one.incarnation, evidence=True)
    for incarnation in (one.incarnation, 77):
        with pytest.raises(LeaseLost) as lost:
            await cluster.renew(incarnation, LEASE)
        assert lost.value.incarnation == incarnation
    assert await state(cluster, one.incarnation) == DOWN


async def test_leaving_goes_one_way(cluster: ClusterStore) -> None:
    one = await cluster.join(seat("a"), LEASE)
    for _ in range(2):
        await cluster.mark_leaving(one.incarnation)
        assert await state(cluster, one.incarnation) == LEAVING
    await cluster.renew(one.incarnation, LEASE)
    assert await state(cluster, one.incarnation) == LEAVING
    for _ in range(2):
        await cluster.leave(one.incarnation)
        await cluster.mark_leaving(one.incarnation)
        left = await member(cluster, one.incarnation)
        assert left is not None
        assert left.state == DOWN
        assert left.lease_left <= 0
    await cluster.mark_leaving(77)
    await cluster.leave(77)


async def test_leave_resigns_the_term_and_nobody_elses(cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    two = (await cluster.join(seat("second"), LEASE)).incarnation
    await cluster.leave(two)
    assert (await cluster.picture())[1:] == (term, one)
    await cluster.leave(one)
    assert (await cluster.picture())[1:] == (term, None)


async def test_leave_ends_the_lease_of_one_declared_down(cluster: ClusterStore) -> None:
    _, term = await coordinator(cluster)
    one = (await cluster.join(seat("a"), LEASE)).incarnation
    await cluster.declare_down(term, one, evidence=True)
    await cluster.leave(one)
    left = await member(cluster, one)
    assert left is not None
    assert left.lease_left <= 0


@pytest.mark.parametrize(
    "bad",
    [
        seat(""),
        seat("a\0b"),
        seat("\ud800"),
        seat("a\nb"),
        seat("\x1b[2Ja"),
        seat("a" * 256),
        seat("ä" * 128),
        seat("a")._replace(port=65536),
        seat("a")._replace(weight=math.inf),
        seat("a")._replace(weight=-1.0),
        seat("a")._replace(roles=("",)),
        seat("a")._replace(roles="web"),  # type: ignore[arg-type]
    ],
)
async def test_a_seat_that_cannot_be_kept_is_refused(cluster: ClusterStore, bad: Seat) -> None:
    with pytest.raises(ValueError, match=r"use|port|stored"):
        await cluster.join(bad, LEASE)
    assert (await cluster.picture()).members == ()


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan])
async def test_a_lease_has_a_length(cluster: ClusterStore, seconds: float) -> None:
    one = await cluster.join(seat("a"), LEASE)
    with pytest.raises(ValueError, match="lease"):
        await cluster.join(seat("b"), seconds)
    with pytest.raises(ValueError, match="lease"):
        await cluster.renew(one.incarnation, seconds)


# --- the term


async def test_the_term_is_taken_by_who_saw_the_last_one(cluster: ClusterStore) -> None:
    one = (await cluster.join(seat("a"), LEASE)).incarnation
    assert await cluster.take_term(one, 1) is None
    assert await cluster.take_term(one, 0) == 1
    assert await cluster.take_term(one, 0) is None
    assert (await cluster.picture())[1:] == (1, one)


async def test_a_term_that_is_held_is_not_taken(clusters: Clusters, cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    await clusters.pass_time(LEASE / 2)
    two = (await cluster.join(seat("second"), LEASE)).incarnation
    for incarnation in (two, one):
        assert await cluster.take_term(incarnation, term) is None
    await clusters.pass_time(LEASE / 2 + 1)
    assert await cluster.take_term(two, term) == term + 1
    assert (await cluster.picture()).coordinator == two


async def test_evidence_makes_the_holders_lease_count_for_nothing(cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    two = (await cluster.join(seat("second"), LEASE)).incarnation
    assert await cluster.take_term(two, term, evidence=True) == term + 1
    assert await state(cluster, one) == UP


async def test_a_term_whose_holder_is_down_resigned_or_forgotten_is_free(cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    two = (await cluster.join(seat("second"), LEASE)).incarnation
    await cluster.resign(term)
    assert (await cluster.picture())[1:] == (term, None)
    assert await cluster.take_term(two, term) == 2
    await cluster.declare_down(2, two, evidence=True)
    assert await cluster.take_term(one, 2) == 3
    await cluster.leave(one)
    await cluster.forget(3)
    three = (await cluster.join(seat("third"), LEASE)).incarnation
    assert await cluster.take_term(three, 3) == 4


async def test_only_who_is_up_takes_the_term(cluster: ClusterStore) -> None:
    leaving = (await cluster.join(seat("a"), LEASE)).incarnation
    gone = (await cluster.join(seat("b"), LEASE)).incarnation
    await cluster.mark_leaving(leaving)
    await cluster.leave(gone)
    for incarnation in (leaving, gone, 77):
        assert await cluster.take_term(incarnation, 0) is None


async def test_what_is_under_way_is_said_and_said_anew(cluster: ClusterStore) -> None:
    _, term = await coordinator(cluster)
    assert await cluster.moves() == {}
    await cluster.note_moves(term, {"b": (7, 2), "grün \"'": [0], "a": []})
    assert await cluster.moves() == {"b": [2, 7], "grün \"'": [0]}
    await cluster.note_moves(term, {"b": [2]})
    assert await cluster.moves() == {"b": [2]}
    await cluster.note_moves(term, {})
    assert await cluster.moves() == {}


async def test_only_the_coordinator_says_what_is_under_way_and_it_ends_with_its_term(cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    two = (await cluster.join(seat("b"), LEASE)).incarnation
    await cluster.note_moves(term, {"booking": [1]})
    await cluster.renew(one, LEASE)
    await cluster.leave(two)
    assert await cluster.moves() == {"booking": [1]}
    await cluster.resign(term)
    assert await cluster.moves() == {}
    await cluster.note_moves(term, {"booking": [3]})  # nobody has taken the term yet
    newer = await cluster.take_term(one, term)
    assert newer is not None
    assert await cluster.moves() == {}
    with pytest.raises(TermOver):
        await cluster.note_moves(term, {"booking": [4]})
    await cluster.note_moves(newer, {"booking": [5]})
    await cluster.leave(one)
    assert await cluster.moves() == {}


async def test_moves_of_a_type_that_cannot_be_kept_are_refused(cluster: ClusterStore) -> None:
    _, term = await coordinator(cluster)
    with pytest.raises(ValueError, match="NUL"):
        await cluster.note_moves(term, {"\0": [1]})
    assert await cluster.moves() == {}


async def test_resigning_an_old_term_does_nothing(cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    for other in (term - 1, term + 1):
        await cluster.resign(other)
    assert (await cluster.picture())[1:] == (term, one)


async def test_who_holds_a_lease_is_declared_down_only_on_evidence(clusters: Clusters, cluster: ClusterStore) -> None:
    _, term = await coordinator(cluster)
    one, two = [(await cluster.join(seat(node), LEASE)).incarnation for node in "ab"]
    assert not await cluster.declare_down(term, one)
    assert await state(cluster, one) == UP
    assert await cluster.declare_down(term, one, evidence=True)
    assert await cluster.declare_down(term, one)
    down = await member(cluster, one)
    assert down is not None
    assert down.lease_left > 0  # what is patient waits for that
    await clusters.pass_time(LEASE + 1)
    assert await cluster.declare_down(term, two)
    assert await state(cluster, two) == DOWN
    assert await cluster.declare_down(term, 77)


async def test_what_an_old_coordinator_writes_is_refused(cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    await cluster.deploy(BOOKING)
    two = (await cluster.join(seat("second"), LEASE)).incarnation
    await cluster.leave((await cluster.join(seat("gone"), LEASE)).incarnation)
    before = await cluster.picture()
    await cluster.take_term(two, term, evidence=True)
    for stale in (term, term + 2):
        for write in (
            cluster.allocate(stale, "Booking", [Allocation(0, one, 1)]),
            cluster.allocate(stale, "Nothing", []),
            cluster.declare_down(stale, two, evidence=True),
            cluster.forget(stale),
        ):
            with pytest.raises(TermOver) as over:
                await write
            assert (over.value.term, over.value.current) == (stale, term + 1)
    assert await cluster.allocations("Booking") == []
    assert [found[:7] for found in (await cluster.picture()).members] == [found[:7] for found in before.members]


async def test_forget_keeps_who_may_still_matter(clusters: Clusters, cluster: ClusterStore) -> None:
    boss, term = await coordinator(cluster)
    await cluster.deploy(BOOKING)
    owner, leased, done, living = [(await cluster.join(seat(node), LEASE)).incarnation for node in "abcd"]
    for host in (owner, leased, done, living):
        await cluster.deploy(BOOKING, host=host)
    await cluster.allocate(term, "Booking", [Allocation(3, owner, 1)])
    await cluster.leave(owner)
    await cluster.leave(done)
    await cluster.declare_down(term, leased, evidence=True)
    await cluster.forget(term)
    assert [found.incarnation for found in (await cluster.picture()).members] == [boss, owner, leased, living]
    assert [hosting.incarnation for hosting in (await cluster.deployments())[1]] == [owner, leased, living]
    await clusters.pass_time(LEASE + 1)
    await cluster.allocate(term, "Booking", [Allocation(3, living, 2)])
    await cluster.forget(term)
    assert [found.incarnation for found in (await cluster.picture()).members] == [boss, living]


async def test_an_incarnation_is_never_used_twice(cluster: ClusterStore) -> None:
    _, term = await coordinator(cluster)
    seen = [(await cluster.join(seat("a"), LEASE)).incarnation]
    for _ in range(3):
        await cluster.leave(seen[-1])
        await cluster.forget(term)
        seen.append((await cluster.join(seat("a"), LEASE)).incarnation)
    assert seen == sorted(set(seen))
