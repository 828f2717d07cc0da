"""Nodes that host a type no more, and then again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from sharding.store.errors import ClusterStoreError, DeploymentMismatch
from sharding.store.records import DOWN
from tests.sharding.virtually import until
from tests.simulation.residents import LEASE, TYPE, ResidentTown, in_town

Scenario = Callable[[ResidentTown], Coroutine[Any, Any, None]]

seeds = pytest.mark.parametrize("seed", range(4))


@seeds
def test_what_is_withdrawn_lives_on_elsewhere_and_can_still_be_called(seed: int) -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.until_settled("a", "b", "c")
        await town.withdraw("b")
        assert town.at("b") == []
        await town.until_settled("a", "c")
        assert {await town.ask("b", shard) for shard in range(6)} == {"a", "c"}
        assert max(town.claimed.values()) <= 3, "each moved once or twice, and none went to and fro"

    in_town(scenario, "a", "b", "c", seed=seed)


@seeds
@pytest.mark.parametrize("coordinates", ["a", "b"])
def test_without_another_host_nothing_lives_until_it_is_hosted_again(seed: int, coordinates: str) -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.until_settled("a", "b")
        await town.withdraw("b" if coordinates == "a" else "a")
        await town.withdraw(coordinates)
        assert town.lives == set()
        epochs = dict(town.claimed)
        ask = asyncio.ensure_future(town.ask("a", 3))
        await asyncio.sleep(2 * LEASE)
        assert (town.lives, town.claimed, ask.done()) == (set(), epochs, False)
        await town.deploy("b")
        assert await ask == "b"
        await town.until_settled("b")
        assert all(epoch > epochs[shard] for shard, epoch in town.claimed.items())
        await town.deploy("a")
        await town.until_settled("a", "b")

    in_town(scenario, "a", "b", seed=seed)


@seeds
def test_a_node_that_loses_its_membership_after_it_withdrew_does_not_host_again(seed: int) -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.until_settled("a", "b")
        await town.withdraw("b")
        before = town.cluster("b").me
        town.world.freeze("b")
        await asyncio.sleep(3 * LEASE)
        town.world.thaw("b")
        await until(lambda: town.cluster("b").me not in (0, before))
        await asyncio.sleep(2 * LEASE)
        assert town.settled("a")
        assert await town.ask("b", 1) == "a"
        await town.deploy("b")
        await town.until_settled("a", "b")

    in_town(scenario, "a", "b", seed=seed)


@seeds
def test_the_next_coordinator_knows_what_was_withdrawn(seed: int) -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.until_settled("a", "b", "c")
        for node in ("b", "c", "a"):
            await town.withdraw(node)
        town.world.crash("a")
        await until(lambda: town.cluster("b").term > 1)
        await asyncio.sleep(2 * LEASE)
        assert town.lives == set()
        await town.deploy("c")
        await town.until_settled("c")

    in_town(scenario, "a", "b", "c", seed=seed)


@seeds
def test_a_coordinator_that_dies_during_the_withdrawal_holds_nothing_up(seed: int) -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.until_settled("a", "b")
        withdrawing = asyncio.ensure_future(town.withdraw("b"))
        await asyncio.sleep(0.02)
        town.world.crash("a")
        town.lives = {one for one in town.lives if one[2] != "a"}
        await asyncio.wait_for(withdrawing, 30)
        assert town.lives == set()

    in_town(scenario, "a", "b", seed=seed)


@seeds
def test_shards_that_are_granted_meanwhile_are_not_taken(seed: int) -> None:
    async def scenario(town: ResidentTown) -> None:
        for _ in range(4):
            await town.deploy("a")
            await town.withdraw("a")
            assert town.lives == set()
            await asyncio.sleep(1.0)
            assert town.lives == set()

    in_town(scenario, "a", seed=seed)


@seeds
def test_a_withdrawal_that_the_store_does_not_take_says_so_and_may_be_repeated(seed: int) -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.until_settled("a", "b")
        town.world.store_away(1)
        with pytest.raises(ClusterStoreError):
            await town.withdraw("b")
        town.world.store_away(0)
        await town.withdraw("b")
        await town.until_settled("a")

    in_town(scenario, "a", "b", seed=seed)


@seeds
def test_a_node_outside_the_cluster_withdraws_and_joins_without_hosting(seed: int) -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.until_settled("a", "b")
        before = town.cluster("b").me
        town.world.store_away(1)
        await until(lambda: town.cluster("b").me == 0)
        await town.withdraw("b")
        town.world.store_away(0)
        await until(lambda: town.cluster("b").me not in (0, before))
        await town.until_settled("a")
        hosts = {one.incarnation for one in (await town.world.cluster_rows.deployments())[1] if one.name == TYPE}
        members = (await town.world.cluster_rows.picture()).members
        assert {one.node for one in members if one.incarnation in hosts and one.state != DOWN} == {"a"}

    in_town(scenario, "a", "b", seed=seed)


def test_what_is_not_deployed_is_withdrawn_already() -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.world.on("a", town.cluster("a").withdraw("unknown"))

    in_town(scenario, "a")


# --- another number of processes


@seeds
def test_there_may_be_more_or_fewer_processes_once_nobody_hosts_them(seed: int) -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.until_settled("a", "b")
        for shards in (9, 3, 6):
            epochs = dict(town.claimed)
            await town.withdraw("a")
            await town.withdraw("b")
            town.shards = shards
            await town.deploy("a")
            await town.until_settled("a")
            await town.deploy("b")
            await town.until_settled("a", "b")
            assert all(town.claimed[shard] > epochs.get(shard, 0) for shard in range(shards))
            assert {await town.ask(node, shards - 1) for node in "ab"} <= {"a", "b"}
        assert town.refused == [], "the coordinator went on from the epochs that there were"

    in_town(scenario, "a", "b", seed=seed)


@seeds
def test_while_somebody_hosts_them_their_number_stays_and_the_error_says_who(seed: int) -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.until_settled("a", "b")
        await town.withdraw("a")
        town.shards = 9
        with pytest.raises(DeploymentMismatch, match=r"shard_count 6 \(hosted by 'b'\).* asks for 9"):
            await town.deploy("a")
        town.shards = 6
        await town.until_settled("b")

    in_town(scenario, "a", "b", seed=seed)


@seeds
def test_a_node_that_knows_of_other_shards_calls_those_that_it_knows(seed: int) -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.until_settled("a", "b", "c")
        for node in "abc":
            await town.withdraw(node)
        town.shards = 9
        await town.deploy("b")
        await town.until_settled("b")
        assert {await town.ask("c", shard) for shard in range(6)} == {"b"}
        town.shards = 3
        await town.withdraw("b")
        await town.deploy("a")
        await town.until_settled("a")
        assert {await town.ask("c", shard) for shard in range(3)} == {"a"}
        await town.deploy("c")
        await town.until_settled("a", "c")

    in_town(scenario, "a", "b", "c", seed=seed)


@seeds
def test_after_all_hosts_died_another_number_is_taken_once_their_leases_are_over(seed: int) -> None:
    async def scenario(town: ResidentTown) -> None:
        await town.until_settled("a", "b")
        epochs = dict(town.claimed)
        for node in ("a", "b"):
            town.world.crash(node)
        town.lives.clear()
        town.shards = 3
        await asyncio.sleep(LEASE + 1)
        await town.world.start("a")
        await town.world.start("b")
        await town.until_settled("a", "b")
        assert all(town.claimed[shard] > epochs[shard] for shard in range(3))

    in_town(scenario, "a", "b", seed=seed)
