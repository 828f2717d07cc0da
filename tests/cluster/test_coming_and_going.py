"""Nodes join, leave, are killed and freeze: entities answer, nothing answered is lost, no shard has two owners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.cluster.conftest import NewFleet, check_sound
from tests.cluster.processes import Fleet
from tests.waiting import eventually

SOON = 5.0  # seconds in which a killed node's shards answer even on a busy machine


@asynccontextmanager
async def calls(one: Fleet, by: str) -> AsyncIterator[None]:
    """While the block runs, callers on the node `by` write to every shard, over and over."""
    stop = asyncio.Event()

    async def caller(shards: list[int]) -> None:
        while not stop.is_set():
            await one.write_to_all(by, shards)

    async with asyncio.TaskGroup() as group:
        for first in range(4):
            group.create_task(caller(list(range(first, one.options.shards, 4))))
        yield
        stop.set()


async def test_callers_on_each_of_three_nodes_reach_every_entity(cluster: Fleet) -> None:
    await cluster.start("a", "b", "c")
    await cluster.balanced()
    for by in ("a", "b", "c"):
        assert set(await cluster.write_to_all(by)) == {"answered"}
    live = [(await node.ask("live"))["live"] for node in cluster.nodes.values()]
    assert sum(live) == cluster.options.shards
    assert min(live) > 0
    await check_sound(cluster, by="a")


async def test_nodes_on_postgresql_share_shards_and_take_over_those_of_a_killed_one(
    new_fleet: NewFleet, postgres_url: str
) -> None:
    cluster = new_fleet(postgres_url, lease=30.0)
    await cluster.start("a", "b", "c")
    await cluster.balanced()
    for by in ("a", "b", "c"):
        assert set(await cluster.write_to_all(by)) == {"answered"}
    orphans = cluster.owned()["b"]
    async with calls(cluster, "a"):
        await cluster.nodes["b"].kill()
        await cluster.served("c", orphans, within=SOON)
    await check_sound(cluster, by="a")


@pytest.mark.parametrize("whose", ["coordinator", "other"])
async def test_entities_of_a_killed_node_answer_elsewhere_long_before_its_lease_ends(
    cluster: Fleet, whose: str
) -> None:
    await cluster.start("a", "b", "c")
    await cluster.balanced()
    leading = (await cluster.coordinates()).options.node
    others = [name for name in cluster.nodes if name != leading]
    victim, by = (leading, others[0]) if whose == "coordinator" else (others[0], others[1])
    orphans = cluster.owned()[victim]
    async with calls(cluster, by):
        await cluster.served(by)
        await cluster.nodes[victim].kill()
        await cluster.served(by, orphans, within=SOON)
    await cluster.start(victim)  # its name is free at once, although its lease still runs
    await cluster.balanced()
    await check_sound(cluster, by=victim)


async def test_sigterm_hands_shards_off_and_no_caller_is_refused(cluster: Fleet) -> None:
    await cluster.start("a", "b", "c")
    await cluster.balanced()
    async with calls(cluster, "a"):
        await cluster.served("a")
        assert await cluster.nodes["b"].terminate() == 0
        assert await cluster.nodes["c"].terminate() == 0
    assert cluster.is_balanced(["a"])
    # A command that is on its way to a node which closes its links just then has an unknown outcome, as is said.
    assert set(cluster.ledger.outcomes.values()) <= {"answered", "unknown"}
    assert cluster.ledger.count("unknown") < cluster.options.shards
    await check_sound(cluster, by="a")


async def test_a_fourth_node_gets_its_share_and_no_caller_notices(cluster: Fleet) -> None:
    await cluster.start("a", "b", "c")
    await cluster.balanced()
    before = cluster.owned()
    async with calls(cluster, "a"):
        await cluster.start("d")
        await cluster.balanced("a", "b", "c", "d")
    assert set(cluster.ledger.outcomes.values()) == {"answered"}
    moved = [shard for name, shards in before.items() for shard in shards if shard not in cluster.owned()[name]]
    assert len(moved) == len(cluster.owned()["d"])
    await check_sound(cluster, by="d")


async def test_the_last_node_may_leave_and_the_next_one_goes_on(cluster: Fleet) -> None:
    await cluster.start("a")
    await cluster.served("a")
    assert await cluster.nodes["a"].terminate() == 0
    await cluster.start("b")
    await check_sound(cluster, by="b")


@pytest.mark.parametrize("whose", ["coordinator", "other"])
async def test_a_frozen_node_finds_itself_out_before_it_answers_and_joins_anew(
    new_fleet: NewFleet, postgres_url: str, whose: str
) -> None:
    # Not on SQLite: who is frozen in the middle of a transaction keeps the file locked, for everybody, until it wakes.
    cluster = new_fleet(postgres_url, lease=2.0)
    await cluster.start("a", "b", "c")
    await cluster.balanced()
    leading = (await cluster.coordinates()).options.node
    others = [name for name in cluster.nodes if name != leading]
    victim, by = (leading, others[0]) if whose == "coordinator" else (others[0], others[1])
    frozen, was = cluster.nodes[victim], await cluster.nodes[victim].ask("incarnation")
    orphans = cluster.owned()[victim]
    async with calls(cluster, by):
        await cluster.served(by)
        await frozen.freeze()
        await cluster.served(by, orphans, within=cluster.options.lease + SOON)
        before = cluster.ledger.new_id("woken")
        cluster.ledger.note(before, "unknown")
        # It lies in the frozen process's pipe, for a shard that it owns by all it knows.
        asked = frozen.ask("write", key=cluster.keys[min(orphans)], id=before, within=5.0)
        waiting = asyncio.ensure_future(asked)
        frozen.thaw()
        cluster.ledger.note(before, str((await waiting)["outcome"]))

        async def is_back() -> bool:
            now = await frozen.ask("incarnation")
            return bool(now["incarnation"] and now["incarnation"] != was["incarnation"] and cluster.is_balanced())

        await eventually(is_back, within=10)
    assert "it stops what it runs" in frozen.log.read_text()
    await check_sound(cluster, by=victim)


async def test_a_node_that_only_calls_reaches_every_entity_and_owns_nothing(cluster: Fleet) -> None:
    await cluster.start("client", weight=0.0)
    early = asyncio.ensure_future(cluster.write("client", cluster.keys[0], within=15.0))  # there is nobody to ask yet
    await cluster.start("a", "b")
    assert await early == "answered"
    await cluster.balanced()
    assert set(await cluster.write_to_all("client")) == {"answered"}
    assert (await cluster.nodes["client"].ask("live"))["live"] == 0
    assert await cluster.coordinator() in {"a", "b"}
    for name in ("a", "b"):  # it waits while there is none, and is served by the next
        await cluster.nodes[name].kill()
    await cluster.start("c")
    await check_sound(cluster, by="client")
    assert await cluster.nodes["client"].terminate() == 0
    cluster.records.refresh()
    assert not [one for one in cluster.records.all if one.process.startswith("client")]
