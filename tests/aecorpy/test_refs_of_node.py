"""What a node deploys: the way to it, and what the cluster is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from aecorpy import ClusterNode, DeploymentMismatch, InvalidDefinition, Unavailable
from sharding.allocation import LeastShardsAllocation
from sharding.store.memory import MemoryClusterStore
from tests.aecorpy.samples import Counter


async def test_classes_named_at_the_start_are_reached_from_the_node() -> None:
    async with ClusterNode("test", entities=[Counter]) as node:
        assert await node.refs(Counter)("c").add(2) == 2


async def test_a_class_that_is_not_deployed_has_no_refs() -> None:
    async with ClusterNode("test") as node:
        with pytest.raises(InvalidDefinition, match="not deployed"):
            node.refs(Counter)


async def test_patience_is_the_deployment_s_and_all_nodes_must_agree_on_it() -> None:
    store = MemoryClusterStore("test", clock=lambda: 0.0)
    async with ClusterNode("test", store=store, node="a") as a, ClusterNode("test", store=store, node="b") as b:
        await a.deploy(Counter, patient=True)
        ((deployment,), _) = await store.deployments()
        assert deployment.patient
        with pytest.raises(DeploymentMismatch, match="patien"):
            await b.deploy(Counter)


async def test_the_coordinator_s_node_brings_the_strategy() -> None:
    asked: list[int] = []

    class Noted(LeastShardsAllocation):
        def allocate(self, hosts: Mapping[str, float], owners: Sequence[str | None]) -> list[str]:
            asked.append(len(owners))
            return super().allocate(hosts, owners)

    async with ClusterNode("test", strategy=Noted()) as node:
        counters = await node.deploy(Counter)
        assert await counters("c").add(1) == 1
    assert asked[0] == Counter.tagging.shard_count


async def test_a_type_that_is_only_called_from_here_does_not_live_here() -> None:
    async with ClusterNode("test") as node:
        counters = await node.deploy(Counter, hosts=False)
        with pytest.raises(Unavailable, match=r"no node owned its shard \d+ within 0.05 s"):
            await counters.within(0.05)("c").get()
