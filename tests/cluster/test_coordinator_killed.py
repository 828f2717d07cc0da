"""The coordinator's process dies at bad moments, everything dies at once, the store goes away: service resumes."""

from __future__ import annotations

import asyncio

from tests.cluster.conftest import NewFleet, check_sound
from tests.cluster.test_coming_and_going import SOON, calls
from tests.postgres_server import PostgresServer
from tests.waiting import eventually

AWAY = 10.0  # seconds that the store is away for


async def test_the_coordinator_is_killed_in_the_middle_of_hand_offs(new_fleet: NewFleet) -> None:
    cluster = new_fleet(lease=30.0, shards=120, settings={"moves_at_once": 2})
    await cluster.start("a", "b", "c")
    await cluster.balanced()
    leading = await cluster.coordinates()
    by = next(name for name, node in cluster.nodes.items() if node is not leading)
    async with calls(cluster, by):
        joining = await cluster.spawn("d")
        await joining.ready()
        await eventually(lambda: len(cluster.owned()["d"]) > 0, every=0.001)
        assert not cluster.is_balanced()
        await leading.kill()
        await cluster.served(by, within=2 * SOON)
        await cluster.balanced()
    await check_sound(cluster, by="d")


async def test_the_coordinator_is_killed_twice_in_a_row(new_fleet: NewFleet) -> None:
    cluster = new_fleet(lease=30.0)
    await cluster.start("a", "b", "c", "d")
    await cluster.balanced()
    first = await cluster.coordinates()
    client = (await cluster.start("client", weight=0.0))[0]
    async with calls(cluster, "client"):
        await first.kill()
        second = await cluster.coordinates()
        await second.kill()
        await cluster.served("client", within=2 * SOON)
        await cluster.balanced()
    assert first is not second
    assert client.is_alive
    await check_sound(cluster, by="client")


async def test_all_nodes_are_killed_at_once_and_started_again(new_fleet: NewFleet) -> None:
    cluster = new_fleet(lease=30.0)
    await cluster.start("a", "b", "c")
    await cluster.balanced()
    async with calls(cluster, "a"):
        await cluster.served("a")
        await asyncio.gather(*(node.kill() for node in cluster.nodes.values() if node.options.node != "a"))
    await cluster.nodes["a"].kill()
    await cluster.start("a", "b", "c")
    await cluster.balanced()
    await check_sound(cluster, by="b")


async def test_while_the_store_is_away_callers_are_told_and_then_service_resumes_by_itself(
    new_fleet: NewFleet, postgres_server: PostgresServer, postgres_url: str
) -> None:
    cluster = new_fleet(postgres_url, lease=2.0)
    await cluster.start("a", "b", "c")
    await cluster.balanced()
    was = {name: await node.ask("incarnation") for name, node in cluster.nodes.items()}
    await cluster.served("a")
    await asyncio.to_thread(postgres_server.stop_immediate)
    until = asyncio.get_running_loop().time() + AWAY
    told = await cluster.write_to_all("a", within=0.5)
    assert "answered" not in told
    await eventually(lambda: not any(cluster.owned().values()), within=10, what="each gives its shards up in time")
    await asyncio.sleep(until - asyncio.get_running_loop().time())
    assert "answered" not in await cluster.write_to_all("b", within=0.5)
    await asyncio.to_thread(postgres_server.start)
    await cluster.served("b", within=10)
    await cluster.balanced()
    now = {name: await node.ask("incarnation") for name, node in cluster.nodes.items()}
    assert all(now[name] != was[name] for name in was)
    await check_sound(cluster, by="c")


async def test_a_short_absence_of_the_store_costs_nobody_its_shards(
    new_fleet: NewFleet, postgres_server: PostgresServer, postgres_url: str
) -> None:
    cluster = new_fleet(postgres_url, lease=30.0)
    await cluster.start("a", "b")
    await cluster.balanced()
    owned = cluster.owned()
    await asyncio.to_thread(postgres_server.restart)
    await cluster.served("a")
    assert cluster.owned() == owned
    await check_sound(cluster, by="b")
