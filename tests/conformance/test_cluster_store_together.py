"""The contract of the cluster store where several processes use it at once: one wins, and the older one is fenced."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sharding.store.contract import ClusterStore
from sharding.store.errors import DeploymentMismatch, EpochNotNewer, LeaseLost, NodeNameTaken, TermOver
from sharding.store.records import DOWN, PROCESS, UP, Allocation, Deployment, Member
from tests.conformance.clusters import BOOKING, LEASE, Clusters, PostgresClusters, SqliteClusters, seat

PROCESSES = 5


async def processes(clusters: Clusters, count: int = PROCESSES) -> list[ClusterStore]:
    """The store as each of some processes has it."""
    return [await clusters.open() for _ in range(count)]


async def outcomes(calls: list[Awaitable[Any]]) -> list[Any]:
    """What calls made at once answered or raised."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_what_one_process_changes_the_others_see(clusters: Clusters) -> None:
    one, two = await processes(clusters, 2)
    first = (await one.join(seat("first"), LEASE)).incarnation
    second = (await two.join(seat("second"), LEASE)).incarnation
    assert second > first
    assert await two.take_term(second, 0) == 1
    assert await one.take_term(first, 0) is None
    await one.deploy(BOOKING, host=first)
    await two.allocate(1, "Booking", [Allocation(0, first, 1)])
    assert await one.allocations("Booking") == [Allocation(0, first, 1)]
    assert (await one.deployments()) == (await two.deployments())
    await two.declare_down(1, first, evidence=True)
    with pytest.raises(LeaseLost):
        await one.renew(first, LEASE)


async def test_clusters_in_one_database_do_not_see_each_other(clusters: Clusters) -> None:
    one, other = await clusters.open("one"), await clusters.open("other.one")
    first = (await one.join(seat("a"), LEASE)).incarnation
    await one.take_term(first, 0)
    await one.deploy(BOOKING, host=first)
    await one.allocate(1, "Booking", [Allocation(0, first, 1)])
    empty = await other.picture()
    assert (empty.members, empty.term) == ((), 0)
    assert await other.deployments() == ([], [])
    assert await other.allocations("Booking") == []
    assert (await other.join(seat("a"), LEASE)).incarnation == 1
    await other.take_term(1, 0)
    await other.leave(1)
    await other.forget(1)
    assert [found.state for found in (await one.picture()).members] == [UP]
    assert (await one.deployments())[1] != []
    with pytest.raises(LeaseLost):
        await other.renew(first, LEASE)


async def test_of_many_that_take_one_term_exactly_one_wins(clusters: Clusters) -> None:
    stores = await processes(clusters)
    members = [(await store.join(seat(f"n{number}"), LEASE)).incarnation for number, store in enumerate(stores)]
    for term in range(3):
        takers = [store.take_term(one, term, evidence=True) for store, one in zip(stores, members, strict=True)]
        won = await outcomes(list(takers))
        assert sorted(won, key=str) == [term + 1, *[None] * (PROCESSES - 1)]
        assert (await stores[0].picture()).coordinator == members[won.index(term + 1)]


async def test_of_many_that_join_under_one_name_exactly_one_does(clusters: Clusters) -> None:
    stores = await processes(clusters)
    for _ in range(2):
        joined = await outcomes([store.join(seat("same"), LEASE) for store in stores])
        assert sorted(type(one).__name__ for one in joined) == ["Member"] + ["NodeNameTaken"] * (PROCESSES - 1)
        states = [one.state for one in (await stores[0].picture()).members]
        assert states.count(UP) == 1
        await clusters.pass_time(LEASE + 1)


async def test_many_that_replace_one_dead_process_leave_one_member(clusters: Clusters) -> None:
    stores = await processes(clusters)
    dead = (await stores[0].join(seat("same"), LEASE)).incarnation
    joined = await outcomes([store.join(seat("same"), LEASE, replacing=dead) for store in stores])
    assert sum(isinstance(one, Member) for one in joined) == 1
    assert sum(isinstance(one, NodeNameTaken) for one in joined) == PROCESSES - 1
    assert [one.state for one in (await stores[0].picture()).members] == [DOWN, UP]


async def test_joins_at_once_get_incarnations_of_their_own(clusters: Clusters) -> None:
    stores = await processes(clusters)
    joined = await outcomes([store.join(seat(f"n{number}"), LEASE) for number, store in enumerate(stores)])
    assert sorted(one.incarnation for one in joined) == list(range(1, PROCESSES + 1))


async def test_of_a_renewal_and_a_declaration_at_once_each_tells_the_truth(clusters: Clusters) -> None:
    """The lease is over: whichever comes first decides, and both are told the same."""
    boss, node = await processes(clusters, 2)
    first = (await boss.join(seat("first"), LEASE)).incarnation
    await boss.take_term(first, 0)
    for number in range(5):
        one = (await node.join(seat(f"n{number}"), LEASE)).incarnation
        await clusters.pass_time(LEASE + 1)
        renewed, down = await outcomes([node.renew(one, LEASE), boss.declare_down(1, one)])
        assert isinstance(down, bool)
        assert isinstance(renewed, LeaseLost) is down
        (seen,) = [found for found in (await boss.picture()).members if found.incarnation == one]
        assert (seen.state == DOWN) is down


async def test_of_a_renewal_of_a_host_and_another_number_of_processes_at_once_one_happens(clusters: Clusters) -> None:
    """The host's lease is over: either it goes on with the number that it knows, or it is down."""
    host, other = await processes(clusters, 2)
    asker = (await other.join(seat("other"), 1e6)).incarnation
    for number in range(5):
        views = Deployment(f"views-{number}", PROCESS, 4)
        one = (await host.join(seat(f"n{number}"), LEASE)).incarnation
        await host.deploy(views, host=one)
        await clusters.pass_time(LEASE + 1)
        renewed, deployed = await outcomes(
            [host.renew(one, LEASE), other.deploy(views._replace(shard_count=6), host=asker)]
        )
        assert isinstance(renewed, LeaseLost) is (deployed is None)
        assert deployed is None or isinstance(deployed, DeploymentMismatch)


async def test_two_allocations_of_one_shard_at_once_get_one_epoch_once(clusters: Clusters) -> None:
    stores = await processes(clusters)
    one = (await stores[0].join(seat("first"), LEASE)).incarnation
    await stores[0].take_term(one, 0)
    await stores[0].deploy(BOOKING)
    for epoch in range(1, 4):
        asked = [[Allocation(shard, number, epoch) for shard in range(8)] for number in range(PROCESSES)]
        calls = [store.allocate(1, "Booking", some) for store, some in zip(stores, asked, strict=True)]
        told = await outcomes(list(calls))
        assert sum(answer is None for answer in told) == 1
        assert sum(isinstance(answer, EpochNotNewer) for answer in told) == PROCESSES - 1
        assert await stores[0].allocations("Booking") == asked[told.index(None)]


async def test_a_call_given_up_leaves_the_store_usable(clusters: Clusters) -> None:
    store = await clusters.open()
    one = (await store.join(seat("a"), LEASE)).incarnation
    for turns in range(12):
        call = asyncio.ensure_future(store.renew(one, LEASE))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        assert (await store.picture()).members[0].state == UP


async def test_closing_twice_is_closing_once(clusters: Clusters) -> None:
    store = await clusters.open()
    await store.join(seat("a"), LEASE)
    await store.close()
    await store.close()
    assert [found.node for found in (await (await clusters.open()).picture()).members] == ["a"]


STALE_WRITES: dict[str, Callable[[ClusterStore], Awaitable[Any]]] = {
    "allocate": lambda store: store.allocate(1, "Booking", [Allocation(0, 1, 1)]),
    "declare_down": lambda store: store.declare_down(1, 2, evidence=True),
    "forget": lambda store: store.forget(1),
}


@pytest.mark.parametrize("clusters", ["sqlite", "postgres"], indirect=True)
@pytest.mark.parametrize("write", [*STALE_WRITES])
async def test_a_write_that_waited_behind_a_takeover_is_fenced(
    clusters: SqliteClusters | PostgresClusters, write: str
) -> None:
    """A check without a lock passes before the takeover commits and writes after it."""
    store = await clusters.open()
    await store.join(seat("old"), LEASE)
    await store.join(seat("new"), LEASE)
    await store.leave((await store.join(seat("gone"), LEASE)).incarnation)
    await store.take_term(1, 0)
    await store.deploy(BOOKING)
    calls: list[asyncio.Future[Any]] = []
    takeover = "UPDATE aecorpy_cluster_term SET term = 2, coordinator = 2"
    async with clusters.change_in_flight(takeover, after=calls):
        calls.append(asyncio.ensure_future(STALE_WRITES[write](store)))
    with pytest.raises(TermOver) as over:
        await calls[0]
    assert over.value.current == 2
    assert await store.allocations("Booking") == []
    assert [found.state for found in (await store.picture()).members] == [UP, UP, DOWN]


@pytest.mark.parametrize("clusters", ["sqlite", "postgres"], indirect=True)
async def test_a_term_that_was_taken_meanwhile_is_not_taken_again(clusters: SqliteClusters | PostgresClusters) -> None:
    store = await clusters.open()
    for node in ("old", "new"):
        await store.join(seat(node), LEASE)
    calls: list[asyncio.Future[Any]] = []
    takeover = "UPDATE aecorpy_cluster_term SET term = 1, coordinator = 2"
    async with clusters.change_in_flight(takeover, after=calls):
        calls.append(asyncio.ensure_future(store.take_term(1, 0)))
    assert await calls[0] is None
    assert (await store.picture())[1:] == (1, 2)


@pytest.mark.parametrize("clusters", ["sqlite", "postgres"], indirect=True)
async def test_a_renewal_that_waited_behind_a_declaration_is_told(clusters: SqliteClusters | PostgresClusters) -> None:
    store = await clusters.open()
    await store.join(seat("a"), LEASE)
    calls: list[asyncio.Future[Any]] = []
    declaration = "UPDATE aecorpy_cluster_member SET state = 'down'"
    async with clusters.change_in_flight(declaration, after=calls):
        calls.append(asyncio.ensure_future(store.renew(1, LEASE)))
    with pytest.raises(LeaseLost):
        await calls[0]
