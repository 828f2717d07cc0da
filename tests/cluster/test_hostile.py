"""What should not be there: other programs, wrong secrets, other clusters, nodes that deployed something else."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import Any

import pytest

from sharding.links.handshake import Identity, Keys
from sharding.wire import framed
from tests.cluster.conftest import NewFleet, check_sound
from tests.cluster.hostile import held, send, shake_hands
from tests.cluster.processes import Fleet, NodeProcess
from tests.cluster.test_coming_and_going import calls
from tests.waiting import eventually

SECRET = "nobody outside knows this"
FLOOD = 1_100


@pytest.fixture
async def guarded(new_fleet: NewFleet) -> Fleet:
    """Two nodes with a secret."""
    cluster = new_fleet(secret=SECRET, lease=30.0)
    await cluster.start("a", "b")
    await cluster.balanced()
    await cluster.served("a")
    return cluster


async def _says(node: NodeProcess, text: str) -> None:
    await eventually(lambda: text in node.log.read_text(), within=8, what=f"{node.name} says {text!r}")


async def _identity(node: NodeProcess) -> Identity:
    return Identity(node.options.node, (await node.ask("incarnation"))["incarnation"])


async def test_bytes_that_are_no_protocol_of_ours_are_refused_and_disturb_nobody(guarded: Fleet) -> None:
    node = guarded.nodes["a"]
    noise = random.Random(7).randbytes
    garbage = [b"GET / HTTP/1.1\r\n\r\n", framed(noise(200)), b"\xff\xff\xff\xff" + noise(100_000), b"\x00\x00\x00\x00"]
    garbage += [framed(b"AECORPY\x00" + noise(60)), framed(b"\x80\x04\x95" + noise(50)), framed(noise(4097))]
    answers = [await send(node.port, data) for data in garbage]
    assert max(len(answer) for answer in answers) < 64  # at most a refusal
    await _says(node, "does not speak the protocol of links")
    await check_sound(guarded, by="b")


async def test_a_dialler_without_the_secret_gets_no_further_than_the_handshake(guarded: Fleet) -> None:
    node, peer = guarded.nodes["a"], await _identity(guarded.nodes["b"])
    me = await _identity(node)
    for secret in (None, b"something else of 16 bytes"):
        reason, _ = await shake_hands(node.port, Keys("fleet", secret), peer, me)
        assert reason == "WRONG_SECRET"  # the node's own proof does not fit either
    reason, _ = await shake_hands(node.port, Keys("other", SECRET.encode()), peer, me)
    assert reason == "OTHER_CLUSTER"
    await _says(node, "no proof of this cluster's secret")
    await _says(node, "another cluster's name")
    await check_sound(guarded, by="b")


async def test_a_proved_dialler_that_sends_nonsense_is_closed_and_named(guarded: Fleet) -> None:
    node = guarded.nodes["a"]
    me, stranger = await _identity(node), Identity("stranger", 1 << 40)
    keys = Keys("fleet", SECRET.encode())
    for nonsense in (framed(b"\xc1" * 40), (1 << 21).to_bytes(4, "big") + b"x" * 5_000):
        reason, rest = await shake_hands(node.port, keys, stranger, me, then=nonsense)
        assert (reason, rest) == ("", b"")
    await _says(node, "connection from Identity(node='stranger'")
    await check_sound(guarded, by="b")


@pytest.mark.parametrize("descriptors", [1_024, 8_192])  # the first is what systems give by default
async def test_a_flood_of_connections_leaves_the_members_their_links(new_fleet: NewFleet, descriptors: int) -> None:
    guarded = new_fleet(secret=SECRET, lease=30.0)
    await guarded.start("a", "b", prefix=("sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"))
    await guarded.balanced()
    node = guarded.nodes["a"]
    writers: list[asyncio.StreamWriter] = []
    with held(writers):
        for _ in range(FLOOD):
            _, writer = await asyncio.open_connection("127.0.0.1", node.port)
            writers.append(writer)
        assert set(await guarded.write_to_all("b")) == {"answered"}
        await _says(node, "too many connections")
        await _says(node, "no proof in time")
    assert "out of system resource" not in node.log.read_text()
    await guarded.start("c")
    await guarded.balanced()
    await check_sound(guarded, by="c")


@pytest.mark.parametrize(
    ("other", "names"),
    [({"shards": 48}, ["note", "48", "24"]), ({"kind": "actor"}, ["note", "actor", "entity"])],
    ids=["shard count", "kind"],
)
async def test_a_node_that_deploys_something_else_is_told_what_differs(
    cluster: Fleet, other: dict[str, Any], names: list[str]
) -> None:
    await cluster.start("a", "b")
    await cluster.balanced()
    odd = await cluster.spawn("odd", **other)
    said = await odd.said()
    assert all(name in said["error"] for name in names), said
    assert await odd.ended() == 3
    assert cluster.owned().keys() == {"a", "b"}
    await check_sound(cluster, by="a")


async def test_a_node_that_none_can_reach_for_want_of_the_secret_gets_no_shards(guarded: Fleet) -> None:
    odd = await guarded.spawn("odd", secret="this is not the secret")
    await odd.ready()  # the store let it in: who may write there is a member
    async with calls(guarded, "b"):
        await guarded.start("c")  # now shards are planned anew
        await guarded.balanced("a", "b", "c")
    await _says(odd, "no proof of this cluster's secret")
    assert set(guarded.ledger.outcomes.values()) == {"answered"}
    await check_sound(guarded, by="a")


async def test_a_living_nodes_name_cannot_be_taken(cluster: Fleet) -> None:
    await cluster.start("a")
    first = cluster.nodes["a"]
    second = await cluster.spawn("a")
    said = await second.said()
    assert "NodeNameTaken" in said["error"]
    assert "'a'" in said["error"]
    assert await second.ended() == 3
    cluster.nodes["a"] = first
    await check_sound(cluster, by="a")


async def test_an_address_that_is_taken_is_said(cluster: Fleet) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        odd = await cluster.spawn("a", port=holder.getsockname()[1])
        assert "OSError" in (await odd.said())["error"]
        assert await odd.ended() == 3
