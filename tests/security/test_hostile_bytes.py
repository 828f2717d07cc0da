"""S5, S6, S8, S12, S13: bytes that would make code run, names that would choose a class, lengths that lie."""

from __future__ import annotations

import asyncio
import os
import pickle
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgpack
import pytest

from sharding.links import LinkSettings
from sharding.links.handshake import AcceptorHandshake, Identity, Keys
from sharding.wire import framed
from tests.fuzz.targets import TARGETS
from tests.sharding.links.nodes import REGISTRY, SECRET, SETTINGS, Said, nodes
from tests.sharding.links.wires import Wire, listener
from tests.waiting import eventually

TYPED = ("messages", "commands", "replies", "plain messages", "snapshots")


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", TARGETS)
def test_s05_pickles_yaml_and_code_are_refused_and_not_run(name: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    bombs = [pickle.dumps(Bomb(mark), protocol) for protocol in range(6)]
    assert pickle.loads(bombs[0]) is None  # noqa: S301 - a bomb that is none would show nothing
    mark.rmdir()
    bombs += [f"!!python/object/apply:os.mkdir ['{mark}']".encode(), f"__import__('os').mkdir('{mark}')".encode()]
    take = TARGETS[name].take
    for bomb in bombs:
        for packed in (bomb, framed(bomb), msgpack.packb(bomb), msgpack.packb([1, bomb]), msgpack.packb({"a": bomb})):
            for head in (b"", b"\x00", b"\x01", b"\x00\x01"):
                take(head + packed)
                assert not mark.exists()


@pytest.mark.parametrize("name", TYPED)
@pytest.mark.parametrize("named", ["os.system", "builtins.eval", "journal.errors.JournalError", "__class__", "Popen"])
def test_s08_a_name_in_the_place_of_a_type_or_a_command_chooses_nothing(name: str, named: str) -> None:
    take = TARGETS[name].take
    for value in ([named, 1.5, b"", b"\x80"], [1, named, 1, b"\x80"], [2, named, "text", {}], {named: named}, [named]):
        assert not take(msgpack.packb(value))


@pytest.mark.parametrize("name", TARGETS)
def test_s13_a_small_input_with_a_huge_declared_length_reserves_little(name: str) -> None:
    take = TARGETS[name].take
    heads = [bytes([kind]) + length for kind in range(0xC4, 0xE0) for length in (b"\xff" * 4, b"\x00\x0f\xff\xff")]
    inputs = [
        prefix + head * times for head in heads for prefix in (b"", b"\x00\x01", b"\x92\x01") for times in (1, 12)
    ]
    take(inputs[0])
    tracemalloc.start()
    try:
        for data in inputs:
            take(data)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_s06_the_limits_are_those_that_are_promised() -> None:
    settings = LinkSettings("tickets")
    assert 1 << 10 <= settings.handshake_frame <= 4 << 10
    assert settings.max_frame == 1 << 20


@asynccontextmanager
async def acceptor(meet: Callable[[Wire], Awaitable[None]]) -> AsyncIterator[int]:
    """Accepts connections, meets each, and waits until the other side closes it; its port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                await meet(Wire(reader, writer))
                await reader.read()
            finally:
                writer.close()
                await writer.wait_closed()

    async with listener(serve) as port:
        yield port
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("length", [0, 4097, 1 << 20, (1 << 32) - 1])
async def test_s06_s12_an_acceptors_length_over_the_handshakes_limit_costs_that_connection_alone(length: int) -> None:
    async def shout(wire: Wire) -> None:
        await wire.body()
        wire.say(length.to_bytes(4, "big") + b"x" * 5_000)

    async with acceptor(shout) as port, nodes(SETTINGS, SETTINGS) as (a, b):
        good = a.links.to(b.peer)
        await a.heard.until(opened=1)
        a.links.to(b.peer._replace(node="c", incarnation=3, port=port))
        await a.heard.until(lost=1)
        good.send(Said(1))
        await b.heard.until(messages=1)
        assert a.heard.of("opened") == [(good,)]


@pytest.mark.parametrize(
    "said",
    [
        bytes(4),
        b"\xff\xff\xff\xff",
        ((1 << 20) + 1).to_bytes(4, "big"),
        REGISTRY.encode(Said(1, "nobody sends back on a connection that we made")),
        framed(b"\x01"),
        framed(b"\xc1" * 9),
    ],
    ids=["0", "2**32-1", "over", "message", "ping", "garbage"],
)
async def test_s06_s12_what_a_proved_acceptor_sends_back_is_judged_too(said: bytes) -> None:
    peer = Identity("c", 3)

    async def accept(wire: Wire) -> None:
        accepting = AcceptorHandshake(Keys("tickets", SECRET), peer, b"a" * 32)
        _, challenge = accepting.challenge(await wire.body())
        wire.say(framed(challenge))
        accepting.check(await wire.body())
        wire.say(said)

    async with acceptor(accept) as port, nodes(SETTINGS, SETTINGS) as (a, b):
        good = a.links.to(b.peer)
        await a.heard.until(opened=1)
        bad = a.links.to(b.peer._replace(node=peer.node, incarnation=peer.incarnation, port=port))
        await eventually(lambda: a.links.traffic.bad_frames)
        await a.heard.until(lost=1)
        assert a.heard.of("lost")[0][0] is bad
        assert a.heard.messages == []
        good.send(Said(1))
        await b.heard.until(messages=1)
