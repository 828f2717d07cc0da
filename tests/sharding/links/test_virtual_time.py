"""Links on a loop with virtual time and a network of the test's own: pauses, pings, silence, slowness."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

import pytest

from sharding.links import Links, LinkSettings, Peer
from sharding.links.handshake import AcceptorHandshake, Identity, Keys
from sharding.links.network import Listening, ProtocolFactory
from sharding.wire import Splitter, framed
from tests.sharding.actors.virtual_loop import virtual_loop
from tests.sharding.links.nodes import REGISTRY, SECRET, Blob, Heard, Said

SETTINGS = LinkSettings("tickets", SECRET, max_queued_bytes=4 << 20)
PEER = Peer("b", 2, "192.0.2.2", 7)
PING = b"\x01"


class Pipe(asyncio.Transport):
    """A transport whose other end is the test: an acceptor that answers pings if it is told to."""

    def __init__(self, protocol: asyncio.Protocol, answers: bool) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()
        self.protocol, self.answers = protocol, answers
        self.stuck = False  # keeps what is written
        self.buffered = 0
        self.over = False
        self.bodies: list[tuple[float, bytes]] = []
        self._full = False
        self._high = 0
        self._splitter = Splitter(1 << 20)
        self._handshake = AcceptorHandshake(Keys("tickets", SECRET), Identity("b", 2), bytes(32))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high or 0

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def write(self, data: Any) -> None:
        if self.stuck:
            self.buffered += len(data)
            if self.buffered > self._high and not self._full:
                self._full = True
                self.protocol.pause_writing()
            return
        self._splitter.feed(data)
        while (body := self._splitter.next()) is not None:
            self._take(body)

    def _take(self, body: bytes) -> None:
        self.bodies.append((self.loop.time(), body))
        if len(self.bodies) == 1:
            self.answer(self._handshake.challenge(body)[1])
        elif len(self.bodies) == 2:
            self._handshake.check(body)
        elif body == PING and self.answers:
            self.answer(b"\x02")

    def answer(self, body: bytes) -> None:
        self.loop.call_soon(self.protocol.data_received, framed(body))

    def take_some(self, size: int) -> None:
        """The other end reads so much of what is stuck."""
        self.buffered = max(0, self.buffered - size)
        if self._full and self.buffered < self._high // 4:
            self._full = False
            self.protocol.resume_writing()

    def abort(self) -> None:
        if not self.over:
            self.over = True
            self.loop.call_soon(self.protocol.connection_lost, None)

    close = abort


class Net:
    """A network that connects, refuses or says nothing, as the test wants."""

    def __init__(self) -> None:
        self.dialled: list[float] = []
        self.pipes: list[Pipe] = []
        self.mood = "connects"
        self.answers = True

    async def connect(
        self, protocol: ProtocolFactory, host: str, port: int, tls: ssl.SSLContext | None
    ) -> asyncio.Transport:
        self.dialled.append(round(asyncio.get_running_loop().time(), 3))
        if self.mood == "refuses":
            raise ConnectionRefusedError
        if self.mood == "silent":
            await asyncio.get_running_loop().create_future()
        made = protocol()
        self.pipes.append(Pipe(made, self.answers))
        made.connection_made(self.pipes[-1])
        return self.pipes[-1]

    async def listen(self, protocol: ProtocolFactory, host: str, port: int, tls: ssl.SSLContext | None) -> Listening:
        raise OSError("nobody listens here")


class World:
    """One node on a loop with virtual time."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self.net, self.heard = Net(), Heard()
        self.links = Links(SETTINGS, REGISTRY, self.heard, network=self.net, draw=draw, nonce=lambda: bytes(32))
        self.links.introduce("a", 1)


def in_virtual_time(play: Callable[[World], Any], draw: Callable[[], float] = lambda: 1.0) -> None:
    """Run a test's coroutine with a world, then close that."""
    loop = virtual_loop()

    async def run() -> None:
        world = World(draw)
        await play(world)
        await world.links.close()

    loop.run(run())
    assert loop.errors == []
    assert [timer for *_, timer in loop._timers if not timer.cancelled()] == []


def test_pauses_between_attempts_double_up_to_the_longest() -> None:
    async def play(world: World) -> None:
        world.net.mood = "refuses"
        world.links.to(PEER)
        await asyncio.sleep(9)
        assert world.net.dialled == [0, 0.05, 0.15, 0.35, 0.75, 1.55, 3.15, 5.15, 7.15]
        assert len(world.heard.of("dead")) == len(world.heard.of("lost")) == 9

    in_virtual_time(play)


def test_pauses_are_shortened_by_the_draw_by_half_at_most() -> None:
    async def play(world: World) -> None:
        world.net.mood = "refuses"
        world.links.to(PEER)
        await asyncio.sleep(0.4)
        assert world.net.dialled == [0, 0.025, 0.075, 0.175, 0.375]

    in_virtual_time(play, lambda: 0.0)


def test_the_redial_after_a_loss_is_at_once_and_not_over_and_over() -> None:
    async def play(world: World) -> None:
        link = world.links.to(PEER)
        await asyncio.sleep(5)
        for _ in range(4):
            world.net.pipes[-1].abort()
            await asyncio.sleep(0.2)
        assert link.is_open
        assert world.net.dialled == [0, 5, 5.2, 5.45, 5.7]  # at once; at once, as the first stood long; then pauses

    in_virtual_time(play)


def test_a_network_that_says_nothing_is_given_up_after_connect_seconds_and_nobody_is_dead(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(world: World) -> None:
        world.net.mood = "silent"
        link = world.links.to(PEER)
        link.send(Said(1))
        await asyncio.sleep(SETTINGS.connect_seconds + 0.01)
        assert world.heard.told == [("lost", link, 1), ("unsent", link, Said(1))]
        await asyncio.sleep(2 * SETTINGS.connect_seconds)
        assert world.heard.of("dead") == []
        assert f"no link to {PEER.node} at {PEER.host}:{PEER.port}: no connection within" in caplog.text

    in_virtual_time(play)


def test_pings_go_out_each_second_and_an_answering_peer_is_kept() -> None:
    async def play(world: World) -> None:
        link = world.links.to(PEER)
        await asyncio.sleep(60.5)
        assert [time for time, body in world.net.pipes[0].bodies if body == PING] == list(range(1, 61))
        assert world.heard.told == [("opened", link)]

    in_virtual_time(play)


def test_a_peer_that_does_not_answer_is_lost_after_silence_seconds_though_we_send() -> None:
    async def play(world: World) -> None:
        world.net.answers = False
        link = world.links.to(PEER)
        await asyncio.sleep(0)
        while not world.heard.of("lost"):
            if link.is_open:
                link.send(Said(1))
            await asyncio.sleep(0.1)
        ended = asyncio.get_running_loop().time()
        assert SETTINGS.silence_seconds < ended <= SETTINGS.ping_seconds + SETTINGS.silence_seconds + 0.11
        assert world.heard.of("dead") == []

    in_virtual_time(play)


def test_a_peer_that_reads_slowly_is_not_silent_and_one_that_crawls_is_slow() -> None:
    async def play(world: World) -> None:
        link = world.links.to(PEER)
        await asyncio.sleep(1.5)
        [pipe] = world.net.pipes
        pipe.stuck = True
        for _ in range(8):
            link.send(Blob(bytes(300_000)))
            await asyncio.sleep(0)
        for _ in range(12):  # 100,000 bytes/s: pauses and goes on, over and over
            await asyncio.sleep(1)
            pipe.take_some(100_000)
        assert link.is_open
        for _ in range(13):  # 1,000 bytes/s: never comes out of its pause
            await asyncio.sleep(1)
            pipe.take_some(1_000)
        assert [told[0] for told in world.heard.told[:2]] == ["opened", "lost"]
        assert (world.links.traffic.slow, world.links.traffic.silent) == (1, 0)

    in_virtual_time(play)


def test_what_waits_while_the_transport_is_full_never_left() -> None:
    async def play(world: World) -> None:
        link = world.links.to(PEER)
        await asyncio.sleep(0.5)
        [pipe] = world.net.pipes
        pipe.stuck = True
        for _ in range(8):
            link.send(Blob(bytes(300_000)))
            await asyncio.sleep(0)
        pipe.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert world.heard.of("lost") == [(link, 2)]

    in_virtual_time(play)


def test_a_stalled_loop_does_not_take_the_peer_for_silent() -> None:
    async def play(world: World) -> None:
        link = world.links.to(PEER)
        await asyncio.sleep(1.5)
        loop = cast(Any, asyncio.get_running_loop())
        loop._now += 100  # a long turn: what the peer sent meanwhile is read when it is over
        await asyncio.sleep(10)
        assert world.heard.told == [("opened", link)]

    in_virtual_time(play)
