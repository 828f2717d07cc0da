"""Bytes, floods and slowness that would harm a node, and another member that notices nothing of it."""

from __future__ import annotations

import asyncio
import random
import socket
import tracemalloc
from dataclasses import replace

import pytest

from sharding.links import LinkFull, UnsafeSetting
from sharding.links.handshake import Refusal
from sharding.wire import framed
from tests.sharding.links.nodes import REGISTRY, SETTINGS, Blob, Said, nodes, two_nodes
from tests.sharding.links.wires import Wire, between, dialler, listener, shake_hands, wire_to
from tests.waiting import eventually

OVER_LIMIT = ((1 << 20) + 1).to_bytes(4, "big")
NOISE = random.Random(5).randbytes(4000)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + NOISE,  # a TLS hello
        bytes(4),
        b"\xff\xff\xff\xff",
        b"\x00\x00\x10\x01",  # one byte over the handshake's limit
        framed(b"x"),
        framed(NOISE),
        NOISE,
        REGISTRY.encode(Said(1)),
    ],
)
async def test_garbage_instead_of_a_handshake_is_closed_and_disturbs_nobody(data: bytes) -> None:
    async with two_nodes() as (a, b):
        link = b.links.to(a.peer)
        await b.heard.until(opened=1)
        async with wire_to(a) as wire:
            wire.say(data)
            assert await wire.closed() == b""
        assert a.links.traffic.refused_in == {Refusal.GARBAGE: 1}
        link.send(Said(1))
        await a.heard.until(messages=1)
        assert b.heard.told == [("opened", link)]


@pytest.mark.parametrize(
    "data",
    [
        bytes(4),
        b"\xff\xff\xff\xff",
        OVER_LIMIT,
        framed(b"\x03"),
        framed(b"\x90"),
        framed(b"\x92\x01" + b"\x91" * 5000),
        framed(b"\x92\xcd\x03\xe7\x01"),
        REGISTRY.encode(Said(1))[:-1] + b"\xc1",
        framed(REGISTRY.encode(Said(1))[4:] + b"\x00"),
        framed(NOISE),
    ],
)
async def test_a_bad_frame_of_a_proved_member_closes_its_connection_alone(data: bytes) -> None:
    async with two_nodes() as (a, b):
        link = b.links.to(a.peer)
        await b.heard.until(opened=1)
        async with wire_to(a) as wire:
            await shake_hands(wire, dialler(a))
            wire.say(REGISTRY.encode(Said(5)) + data + REGISTRY.encode(Said(6)))
            assert await wire.closed() == b""
        assert a.heard.messages == [(77, Said(5))]
        assert a.links.traffic.bad_frames == 1
        link.send(Said(1))
        await a.heard.until(messages=2)
        assert b.heard.told == [("opened", link)]


async def test_a_declared_length_reserves_nothing() -> None:
    async with nodes(SETTINGS) as (a,), wire_to(a) as wire:
        await shake_hands(wire, dialler(a))
        await eventually(lambda: a.links.status().incoming)
        before = a.links.traffic.bytes_in
        tracemalloc.start()
        try:
            wire.say((1 << 20).to_bytes(4, "big") + b"abc")
            await eventually(lambda: a.links.traffic.bytes_in == before + 7)
            assert tracemalloc.get_traced_memory()[1] < 600_000  # the loop's own 256 KiB for reading is in it
        finally:
            tracemalloc.stop()


async def test_an_acceptor_that_is_none_is_no_danger() -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(NOISE)
        await reader.read()
        writer.close()

    async with nodes(SETTINGS) as (a,):
        async with listener(shout) as port:
            a.links.to(a.peer._replace(node="b", incarnation=2, port=port)).send(Said(1))
            await a.heard.until(lost=2)
        assert a.links.traffic.refused_out[Refusal.GARBAGE] >= 1
        assert a.links.traffic.opened == 0


async def test_who_does_not_finish_the_handshake_is_closed_in_time() -> None:
    async with nodes(replace(SETTINGS, handshake_seconds=0.1)) as (a,):
        async with wire_to(a) as silent, wire_to(a) as halfway:
            halfway.say(framed(dialler(a).hello))
            await halfway.body()
            assert await silent.closed() == b""
            assert await halfway.closed() == b""
        assert a.links.traffic.refused_in == {Refusal.TOO_SLOW: 2}
        assert a.links.status().unproved == 0


async def test_a_dialler_waits_no_longer_for_a_handshake() -> None:
    async def stare(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with nodes(replace(SETTINGS, handshake_seconds=0.1)) as (a,), listener(stare) as port:
        a.links.to(a.peer._replace(node="b", incarnation=2, port=port))
        await a.heard.until(lost=1)
        assert a.heard.of("dead") == []


async def test_a_flood_of_connections_closes_the_oldest_unproved_ones_and_lets_members_in() -> None:
    async with nodes(replace(SETTINGS, max_connections=10), SETTINGS) as (a, b):
        link = b.links.to(a.peer)
        await b.heard.until(opened=1)
        flood = [await asyncio.open_connection(*a.peer[2:]) for _ in range(30)]
        await eventually(lambda: a.links.traffic.refused_in[Refusal.TOO_MANY] == 21)
        assert a.links.status().unproved == 9
        for reader, _ in flood[:21]:
            assert await Wire(reader, flood[0][1]).closed() == b""
        async with wire_to(a) as wire:
            await shake_hands(wire, dialler(a))
            await eventually(lambda: sorted(a.links.status().incoming) == [2, 77])
        link.send(Said(1))
        await a.heard.until(messages=1)
        assert b.heard.told == [("opened", link)]
        for _, writer in flood:
            writer.close()
            await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])


async def test_when_all_connections_are_proved_the_newest_has_no_place() -> None:
    async with nodes(replace(SETTINGS, max_connections=2)) as (a,), wire_to(a) as one, wire_to(a) as two:
        await shake_hands(one, dialler(a, me=("x", 1)))
        await shake_hands(two, dialler(a, me=("y", 2)))
        await eventually(lambda: len(a.links.status().incoming) == 2)
        async with wire_to(a) as three:
            assert await three.closed() == b""
        assert a.links.traffic.refused_in == {Refusal.TOO_MANY: 1}
        assert len(a.links.status().incoming) == 2


async def test_what_is_kept_does_not_grow_with_who_comes_and_goes() -> None:
    async with nodes(SETTINGS) as (a,):
        for incarnation in range(100, 150):
            async with wire_to(a) as wire:
                await shake_hands(wire, dialler(a, me=("x", incarnation)))
                wire.say(REGISTRY.encode(Said(incarnation)))
                await a.heard.until(messages=incarnation - 99)
        await eventually(lambda: not a.links.status().incoming)
        assert a.links.status()[:3] == ([], [], 0)
        assert a.links._office.alive == {}


async def test_a_reader_that_stands_still_fills_the_link_then_loses_it() -> None:
    slow = replace(SETTINGS, max_queued_bytes=2 << 20, silence_seconds=0.4, ping_seconds=0.1)
    async with nodes(slow, replace(SETTINGS, silence_seconds=30)) as (a, b):
        link = a.links.to(b.peer)
        await eventually(lambda: b.links.status().incoming)
        for connection in b.links._incoming.values():
            connection._transport.pause_reading()  # type: ignore[union-attr]
        with pytest.raises(LinkFull):
            await _send_until_refused(link.send)
        sent = link.send(Said(1))
        await a.heard.until(lost=1)
        [(_, first_unsent)] = a.heard.of("lost")
        assert 1 < first_unsent <= sent  # some left, some never did
        unsent = [message for _, message in a.heard.of("unsent")]
        assert len(unsent) == sent - first_unsent + 1
        assert unsent[-1] == Said(1)


async def _send_until_refused(send: object) -> None:
    while True:
        for _ in range(4):
            send(Blob(bytes(200_000)))  # type: ignore[operator]
        await asyncio.sleep(0)


async def test_who_pings_without_reading_is_closed() -> None:
    async with nodes(SETTINGS) as (a,), wire_to(a) as wire:
        await shake_hands(wire, dialler(a))
        await eventually(lambda: a.links.status().incoming)
        [connection] = a.links._incoming.values()
        for transport, option in ((connection._transport, socket.SO_SNDBUF), (wire.writer, socket.SO_RCVBUF)):
            assert transport is not None
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 4096)
        pings = framed(b"\x01") * 20_000

        async def ping() -> None:
            while True:
                wire.say(pings)
                await wire.writer.drain()

        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(5):
                await ping()
        assert a.links.traffic.slow == 1


async def test_a_member_that_says_nothing_is_closed() -> None:
    async with nodes(SETTINGS) as (a,), wire_to(a) as wire:
        await shake_hands(wire, dialler(a))
        assert await wire.closed() == b""
        assert a.links.traffic.silent == 1
        assert a.links.status().incoming == []


@pytest.mark.parametrize(
    ("wrong", "setting"),
    [
        ({"cluster": ""}, "cluster"),
        ({"cluster": "x" * 256}, "cluster"),
        ({"cluster": "a lone \ud800"}, "cluster"),
        ({"secret": b""}, "secret"),
        ({"secret": b"too short"}, "secret"),
        ({"max_frame": 1 << 32}, "max_frame"),
        ({"handshake_frame": 1 << 20}, "handshake_frame"),
        ({"max_queued_bytes": 1000}, "max_queued_bytes"),
        ({"max_connections": 0}, "max_connections"),
        ({"first_pause": 0}, "first_pause"),
        ({"first_pause": 3, "longest_pause": 2}, "first_pause"),
        ({"ping_seconds": 0}, "ping_seconds"),
        ({"silence_seconds": 1, "ping_seconds": 1}, "silence_seconds"),
    ],
)
def test_settings_without_bounds_are_refused_by_name(wrong: dict[str, object], setting: str) -> None:
    with pytest.raises(UnsafeSetting, match=f"^{setting}: ") as refused:
        replace(SETTINGS, **wrong)  # type: ignore[arg-type]
    assert refused.value.setting == setting


async def test_hostile_bytes_between_two_nodes_cost_one_connection_not_the_link() -> None:
    damage = {"left": 1}

    def change(way: str, data: bytes) -> bytes:
        if way == "there" and len(data) > 1000 and damage["left"]:
            damage["left"] = 0
            return b"\xff" * len(data)
        return data

    async with two_nodes() as (a, b), between(b, change) as (_, port):
        link = a.links.to(b.peer._replace(port=port))
        await a.heard.until(opened=1)
        link.send(Blob(bytes(2000)))
        await a.heard.until(opened=2)
        assert a.heard.of("lost") == [(link, 2)]
        link.send(Said(2))
        await b.heard.until(messages=1)
        assert b.heard.messages == [(1, Said(2))]


async def test_who_is_refused_and_does_not_hang_up_is_cut_off() -> None:
    async with nodes(replace(SETTINGS, flush_seconds=0.1)) as (a,), wire_to(a) as wire:
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        wire.say(framed(dialler(a, cluster="trains").hello))
        await eventually(lambda: a.links.traffic.refused_in[Refusal.OTHER_CLUSTER])
        await eventually(lambda: a.links._office.alive == {})
