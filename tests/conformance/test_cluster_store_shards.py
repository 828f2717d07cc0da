"""The contract of the cluster store: deployments, and who owns their shards."""

from __future__ import annotations

from typing import Any

import pytest

from sharding.store.contract import ClusterStore
from sharding.store.errors import DeploymentMismatch, EpochNotNewer, LeaseLost
from sharding.store.records import DOWN, PROCESS, UP, Allocation, Deployment, Hosting
from tests.conformance.clusters import BOOKING, LEASE, Clusters, coordinator, seat

# --- deployments


async def test_a_type_is_deployed_once_and_hosted_by_many(cluster: ClusterStore) -> None:
    one, two = [(await cluster.join(seat(node), LEASE)).incarnation for node in "ab"]
    view = Deployment("BookingView", "projection", 4, patient=True)
    await cluster.deploy(view)
    for host in (two, one, None, one):
        await cluster.deploy(BOOKING, host=host)
    assert await cluster.deployments() == ([BOOKING, view], [Hosting("Booking", one), Hosting("Booking", two)])


@pytest.mark.parametrize(
    ("change", "what"),
    [({"kind": "process"}, "kind"), ({"shard_count": 9}, "shard_count"), ({"patient": True}, "patient")],
)
async def test_all_nodes_must_agree_about_a_type(cluster: ClusterStore, change: dict[str, object], what: str) -> None:
    one = (await cluster.join(seat("a"), LEASE)).incarnation
    await cluster.deploy(BOOKING)
    with pytest.raises(DeploymentMismatch, match=what) as mismatch:
        await cluster.deploy(BOOKING._replace(**change), host=one)  # type: ignore[arg-type]
    assert (mismatch.value.stored, mismatch.value.asked) == (getattr(BOOKING, what), change[what])
    assert not mismatch.value.passes
    assert await cluster.deployments() == ([BOOKING], [])


async def test_who_is_no_member_hosts_nothing(cluster: ClusterStore) -> None:
    one = (await cluster.join(seat("a"), LEASE)).incarnation
    await cluster.leave(one)
    for host in (one, 77):
        with pytest.raises(LeaseLost):
            await cluster.deploy(BOOKING, host=host)
    assert await cluster.deployments() == ([], [])


async def test_who_withdraws_hosts_that_type_no_more_until_it_is_deployed_again(cluster: ClusterStore) -> None:
    one, two = [(await cluster.join(seat(node), LEASE)).incarnation for node in "ab"]
    view = Deployment("BookingView", "projection", 4)
    for deployment in (BOOKING, view):
        for host in (one, two):
            await cluster.deploy(deployment, host=host)
    for _ in range(2):
        await cluster.unhost("Booking", one)
    await cluster.unhost("Booking", 77)
    await cluster.unhost("Other", two)
    left = [Hosting("Booking", two), Hosting("BookingView", one), Hosting("BookingView", two)]
    assert await cluster.deployments() == ([BOOKING, view], left)
    await cluster.deploy(BOOKING, host=one)
    assert await cluster.deployments() == ([BOOKING, view], [Hosting("Booking", one), *left])


async def test_what_a_host_that_withdrew_owns_stays_as_it_is(cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    await cluster.deploy(BOOKING, host=one)
    await cluster.allocate(term, "Booking", [Allocation(5, one, 1)])
    await cluster.unhost("Booking", one)
    assert await cluster.allocations("Booking") == [Allocation(5, one, 1)]


# --- another number of processes

VIEWS = Deployment("views", PROCESS, 4)
MORE = VIEWS._replace(shard_count=6)


async def test_the_number_of_processes_changes_while_nobody_hosts_them(cluster: ClusterStore) -> None:
    one = (await cluster.join(seat("a"), LEASE)).incarnation
    await cluster.deploy(VIEWS, host=one)
    await cluster.unhost("views", one)
    await cluster.deploy(MORE, host=one)
    assert await cluster.deployments() == ([MORE], [Hosting("views", one)])
    await cluster.leave(one)
    await cluster.deploy(VIEWS)
    assert (await cluster.deployments())[0] == [VIEWS]


async def test_the_number_of_processes_stays_while_a_member_hosts_them(cluster: ClusterStore) -> None:
    one, two, three = [(await cluster.join(seat(node), LEASE)).incarnation for node in "abc"]
    await cluster.deploy(VIEWS, host=two)
    await cluster.deploy(VIEWS, host=one)
    await cluster.mark_leaving(one)
    asking: tuple[int | None, ...] = (None, one, three)
    for host in asking:
        with pytest.raises(DeploymentMismatch, match=r"'views' with shard_count 4 \(hosted by 'a', 'b'\).* asks for 6"):
            await cluster.deploy(MORE, host=host)
    await cluster.leave(one)
    with pytest.raises(DeploymentMismatch) as mismatch:
        await cluster.deploy(MORE, host=three)
    assert (mismatch.value.stored, mismatch.value.asked, mismatch.value.hosts) == (4, 6, ("b",))
    assert mismatch.value.passes, "once b hosts it no more"
    assert await cluster.deployments() == ([VIEWS], [Hosting("views", one), Hosting("views", two)])


async def test_a_host_whose_lease_is_over_holds_the_number_of_processes_no_more_and_is_down(
    clusters: Clusters, cluster: ClusterStore
) -> None:
    one, two = [(await cluster.join(seat(node), LEASE)).incarnation for node in "ab"]
    await cluster.deploy(VIEWS, host=one)
    await clusters.pass_time(LEASE + 1)
    await cluster.renew(two, LEASE)
    with pytest.raises(DeploymentMismatch, match="hosted by 'a'"):
        await cluster.deploy(MORE, host=one)  # whoever asks is there
    await cluster.deploy(MORE, host=two)
    assert {member.node: member.state for member in (await cluster.picture()).members} == {"a": DOWN, "b": UP}
    with pytest.raises(LeaseLost):
        await cluster.renew(one, LEASE)


async def test_who_is_no_member_changes_no_number_of_processes(clusters: Clusters, cluster: ClusterStore) -> None:
    one, two = [(await cluster.join(seat(node), LEASE)).incarnation for node in "ab"]
    await cluster.deploy(VIEWS, host=one)
    await cluster.leave(two)
    await clusters.pass_time(LEASE + 1)
    with pytest.raises(LeaseLost):
        await cluster.deploy(MORE, host=two)
    assert (await cluster.deployments())[0] == [VIEWS]
    assert [member.state for member in (await cluster.picture()).members if member.node == "a"] == [UP]


@pytest.mark.parametrize("change", [{"shard_count": 6, "patient": True}, {"shard_count": 6, "kind": "entity"}])
async def test_nothing_but_the_number_of_processes_changes(cluster: ClusterStore, change: dict[str, Any]) -> None:
    await cluster.deploy(VIEWS)
    with pytest.raises(DeploymentMismatch):
        await cluster.deploy(VIEWS._replace(**change))
    assert await cluster.deployments() == ([VIEWS], [])


async def test_epochs_outlive_the_shards_that_had_them(clusters: Clusters, cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    two = (await cluster.join(seat("b"), LEASE)).incarnation
    await cluster.deploy(VIEWS)
    await cluster.deploy(BOOKING)
    await cluster.allocate(term, "Booking", [Allocation(3, one, 5)])
    await cluster.allocate(term, "views", [Allocation(1, one, 7), Allocation(2, two, 8), Allocation(3, two, 9)])
    await cluster.deploy(VIEWS._replace(shard_count=2))
    assert await cluster.allocations("views") == [Allocation(1, one, 7), Allocation(2, 0, 8), Allocation(3, 0, 9)]
    assert await cluster.allocations("Booking") == [Allocation(3, one, 5)]
    with pytest.raises(ValueError, match="2 shards"):
        await cluster.allocate(term, "views", [Allocation(2, one, 10)])
    await cluster.leave(two)
    await cluster.forget(term)
    assert [member.node for member in (await cluster.picture()).members] == ["first"]
    await cluster.deploy(VIEWS)
    with pytest.raises(EpochNotNewer):
        await cluster.allocate(term, "views", [Allocation(3, one, 9)])
    await cluster.allocate(term, "views", [Allocation(3, one, 10)])
    assert (await cluster.allocations("views"))[-1] == Allocation(3, one, 10)


@pytest.mark.parametrize("bad", [Deployment("", "entity", 1), Deployment("B", "\0", 1), Deployment("B", "entity", 0)])
async def test_a_type_that_cannot_be_kept_is_refused(cluster: ClusterStore, bad: Deployment) -> None:
    with pytest.raises(ValueError, match="use"):
        await cluster.deploy(bad)


# --- shards


async def test_shards_change_owner_under_growing_epochs(cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    await cluster.deploy(BOOKING)
    await cluster.allocate(term, "Booking", [Allocation(5, one, 1), Allocation(2, one, 7)])
    await cluster.allocate(term, "Booking", [Allocation(5, 2, 2)])
    await cluster.allocate(term, "Booking", [])
    assert await cluster.allocations("Booking") == [Allocation(2, one, 7), Allocation(5, 2, 2)]
    assert await cluster.allocations("Other") == []


@pytest.mark.parametrize("epoch", [3, 2, 0, -1])
async def test_an_epoch_that_is_not_newer_stops_the_whole_allocation(cluster: ClusterStore, epoch: int) -> None:
    one, term = await coordinator(cluster)
    await cluster.deploy(BOOKING)
    await cluster.allocate(term, "Booking", [Allocation(2, one, 3)])
    with pytest.raises(EpochNotNewer) as stale:
        await cluster.allocate(term, "Booking", [Allocation(7, one, 1), Allocation(2, 9, epoch), Allocation(0, one, 1)])
    assert (stale.value.shard, stale.value.epoch, stale.value.current) == (2, epoch, 3)
    with pytest.raises(EpochNotNewer) as first:
        await cluster.allocate(term, "Booking", [Allocation(0, one, 0)])
    assert (first.value.shard, first.value.current) == (0, 0)
    assert await cluster.allocations("Booking") == [Allocation(2, one, 3)]


async def test_only_shards_that_there_are_can_be_allocated(cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    await cluster.deploy(BOOKING)
    with pytest.raises(ValueError, match="not deployed"):
        await cluster.allocate(term, "Other", [Allocation(0, one, 1)])
    for shard in (-1, 8, 2**40):
        with pytest.raises(ValueError, match="8 shards"):
            await cluster.allocate(term, "Booking", [Allocation(0, one, 1), Allocation(shard, one, 1)])
    with pytest.raises(ValueError, match="at most one"):
        await cluster.allocate(term, "Booking", [Allocation(0, one, 1), Allocation(0, one, 2)])
    with pytest.raises(ValueError, match=r"2\*\*63"):
        await cluster.allocate(term, "Booking", [Allocation(0, one, 2**63)])
    assert await cluster.allocations("Booking") == []


async def test_a_thousand_shards_at_once(cluster: ClusterStore) -> None:
    one, term = await coordinator(cluster)
    await cluster.deploy(BOOKING._replace(shard_count=1_000))
    for epoch in (1, 2**62):
        asked = [Allocation(shard, one, epoch) for shard in range(1_000)]
        await cluster.allocate(term, "Booking", asked)
        assert await cluster.allocations("Booking") == asked
