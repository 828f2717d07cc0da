"""The simulated network: what TCP promises holds, and what it does not promise happens."""

from __future__ import annotations

import asyncio
import errno
import random
import ssl
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.simulation.connection import KERNEL_BYTES
from tests.simulation.loop import SimLoop
from tests.simulation.network import SimNetwork
from tests.simulation.paths import LATEST, Delays, Path
from tests.simulation.talking import Echo, Notes, kept
from tests.waiting import eventually

SEEDS = range(15)
PORT = 7_000


class Two:
    """Nodes a and b of one seed; b listens, and a is connected to it."""

    def __init__(self, seed: int, kind: Callable[[], Notes]) -> None:
        self.loop = SimLoop(seed)
        self.network = SimNetwork(self.loop, delays=Delays(late=0.05))
        self.kind = kind
        self.accepted: list[Notes] = []
        for name in "abc":
            self.loop.boot(name)
            self.network.host(name)

    async def listen(self, port: int = PORT) -> None:
        endpoint = self.network.endpoint("b")

        async def listens() -> None:
            await endpoint.listen(kept(self.accepted, self.kind), endpoint.host, port, None)

        await self.loop.call("b", listens())

    async def connect(
        self, source: str = "a", host: str = "", port: int = PORT, kind: Callable[[], Notes] = Notes
    ) -> Notes:
        endpoint, protocols = self.network.endpoint(source), list[Notes]()
        to = host or self.network.host("b")

        async def connects() -> None:
            await endpoint.connect(kept(protocols, kind), to, port, None)

        await self.loop.call(source, connects())
        return protocols[0]


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    """Several."""
    number: int = request.param
    return number


@pytest.fixture
def play(seed: int) -> Iterator[Callable[..., None]]:
    """Plays a scenario with two nodes, of which b listens, and a is connected."""
    made: list[Two] = []

    def run(scenario: Callable[[Two, Notes], Awaitable[None]], kind: Callable[[], Notes] = Notes) -> None:
        made.append(Two(seed, kind))

        async def whole() -> None:
            await made[-1].listen()
            await scenario(made[-1], await made[-1].connect())

        made[-1].loop.run_until_complete(whole())
        assert not made[-1].loop.reported

    yield run
    for two in made:
        two.loop.close()


Play = Callable[..., None]


def test_bytes_come_in_order_and_whole_in_pieces_of_any_size(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        sent = [b"%d " % number * (number % 7 + 1) for number in range(100)]
        for piece in sent:
            client.transport.write(piece)
            if len(piece) % 3 == 0:
                await asyncio.sleep(0.000_2)
        client.transport.writelines([b"the ", b"end"])
        await asyncio.sleep(10)
        assert client.text == b"".join(sent) + b"the end"
        assert len(two.accepted[0].got) != len(sent)
        assert client.events[0] == two.accepted[0].events[0] == "made"

    play(scenario, Echo)


def test_writing_takes_time_and_never_calls_back_at_once(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        before = two.loop.now
        client.transport.write(b"x")
        assert two.accepted[0].events in ([], ["made"])
        await eventually(lambda: two.accepted[0].got, every=0.000_05)
        assert two.loop.now - before >= 0.000_1

    play(scenario)


def test_ends_know_each_other(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        await asyncio.sleep(1)
        server = two.accepted[0].transport
        assert client.transport.get_extra_info("peername") == ("10.0.0.2", PORT)
        assert server.get_extra_info("peername") == client.transport.get_extra_info("sockname")
        assert client.transport.get_extra_info("cipher") is None
        assert two.network.connections() == [("a", "b")]

    play(scenario)


def test_connections_overtake_each_other() -> None:
    def first(seed: int) -> str:
        two, arrivals = Two(seed, Notes), list[str]()

        class Says(Notes):
            def data_received(self, data: bytes) -> None:
                arrivals.append(data.decode())

        two.kind = Says

        async def whole() -> None:
            await two.listen()
            one, other = await two.connect("a"), await two.connect("c")
            one.transport.write(b"a")
            other.transport.write(b"c")
            await asyncio.sleep(10)

        two.loop.run_until_complete(whole())
        two.loop.close()
        return "".join(arrivals)

    assert {first(seed) for seed in SEEDS} == {"ac", "ca"}


def test_close_sends_everything_and_ends_both_sides(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        client.transport.write(b"last words")
        client.transport.close()
        assert client.transport.is_closing()
        client.transport.write(b"not sent")
        assert await client.lost is None
        server = two.accepted[0]
        assert await server.lost is None
        assert server.text == b"last words"
        assert server.events[-2:] == ["eof", "lost"]
        assert two.network.connections() == []

    play(scenario)


def test_a_side_that_stays_open_may_still_send(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        assert client.transport.can_write_eof()
        client.transport.write_eof()
        await asyncio.sleep(1)
        server = two.accepted[0]
        assert server.events[-1] == "eof"
        server.transport.write(b"bye")
        server.transport.close()
        await client.lost
        assert client.text == b"bye"

    play(scenario, lambda: Notes(keep_open=True))


def test_abort_resets_the_peer(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        client.transport.write(b"x" * 1_000)
        client.transport.abort()
        assert await client.lost is None
        assert isinstance(await two.accepted[0].lost, ConnectionResetError)
        assert two.network.connections() == []

    play(scenario)


def test_resets_tear_frames() -> None:
    lengths: set[int] = set()

    async def scenario(two: Two) -> None:
        await two.listen()
        client = await two.connect()
        client.transport.write(b"x" * 1_000)
        assert two.network.reset("a", "b") == 1
        assert isinstance(await client.lost, ConnectionResetError)
        assert isinstance(await two.accepted[0].lost, ConnectionResetError)
        lengths.add(len(two.accepted[0].text))

    for seed in SEEDS:
        two = Two(seed, Notes)
        two.loop.run_until_complete(scenario(two))
        two.loop.close()
    assert len(lengths) > 5
    assert max(lengths) < 1_000


def test_writing_to_who_has_closed_is_answered_with_a_reset(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        client.keep_open = True
        await asyncio.sleep(1)
        two.accepted[0].transport.close()
        await two.accepted[0].lost
        await asyncio.sleep(1)
        client.transport.write(b"anybody there?")
        assert isinstance(await client.lost, ConnectionResetError)

    play(scenario)


def test_nobody_listening_refuses(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        before = two.loop.now
        with pytest.raises(ConnectionRefusedError):
            await two.connect(port=PORT + 1)
        assert two.loop.now > before
        with pytest.raises(OSError, match=r"no node has the address 10\.9\.9\.9"):
            await two.connect(host="10.9.9.9")

    play(scenario)


def test_a_cut_holds_bytes_back_until_it_is_joined(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        await asyncio.sleep(1)
        two.network.paths.cut("a", "b")
        client.transport.write(b"one ")
        two.accepted[0].transport.write(b"still comes")
        await asyncio.sleep(60)
        client.transport.write(b"two")
        assert two.accepted[0].text == b""
        assert client.text == b"still comes"
        two.network.paths.join("a", "b")
        await asyncio.sleep(5)
        assert two.accepted[0].text == b"one two"

    play(scenario)


def test_what_is_on_its_way_when_a_cut_comes_is_held_back_too(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        await asyncio.sleep(1)
        client.transport.write(b"x" * 10)
        two.network.paths.part("a", "b")
        await asyncio.sleep(60)
        assert two.accepted[0].text == b""
        two.network.paths.heal()
        await asyncio.sleep(5)
        assert two.accepted[0].text == b"x" * 10

    play(scenario)


@pytest.mark.parametrize("cut", [("a", "b"), ("b", "a")])
def test_a_connection_across_a_cut_times_out_or_waits_for_the_join(play: Play, cut: tuple[str, str]) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        two.network.paths.cut(*cut)
        before = two.loop.now
        with pytest.raises(TimeoutError) as raised:
            await two.connect()
        assert raised.value.errno == errno.ETIMEDOUT
        assert two.loop.now - before == pytest.approx(120, abs=0.1)
        later = two.loop.create_task(two.connect())
        await asyncio.sleep(30)
        assert not later.done()
        two.network.paths.join("a", "b")
        await asyncio.wait_for(later, 5)
        await asyncio.sleep(5)
        assert two.network.connections() == [("a", "b")] * 2  # the attempt that was given up is gone

    play(scenario)


def test_who_gives_up_connecting_leaves_nothing(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        for wait in (0.0, 0.000_1, 0.000_3, 0.001, 0.002):
            attempt = two.loop.create_task(two.connect())
            await asyncio.sleep(wait)
            attempt.cancel()
            await asyncio.wait([attempt])
            if not attempt.cancelled():
                attempt.result().transport.abort()
        await asyncio.sleep(5)
        assert two.network.connections() == [("a", "b")]
        assert all(server.events[-1] == "lost" for server in two.accepted[1:] if server.events)

    play(scenario)


def test_slow_paths(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        await asyncio.sleep(1)
        two.network.paths.slow("a", "b", 1_000)
        client.transport.write(b"x")
        await asyncio.sleep(0.05)
        assert two.accepted[0].text == b""
        two.network.paths.join("a", "b")
        client.transport.write(b"y")  # it does not overtake what is before it
        await asyncio.sleep(0.01)
        assert two.accepted[0].text == b""
        await asyncio.sleep(300)
        assert two.accepted[0].text == b"xy"

    play(scenario)


def test_a_frozen_node_accepts_and_does_not_answer(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        two.loop.freeze("b")
        another = await asyncio.wait_for(two.connect(), 5)
        another.transport.write(b"hello")
        client.transport.write(b"hello")
        await asyncio.sleep(60)
        assert another.events == ["made"]
        assert client.text == b""
        two.loop.thaw("b")
        await asyncio.sleep(5)
        assert another.text == client.text == b"hello"

    play(scenario, Echo)


def test_a_crashed_node_resets_and_refuses(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        await asyncio.sleep(1)
        two.loop.crash("b")
        before = two.loop.now
        assert not client.lost.done()
        assert isinstance(await client.lost, ConnectionResetError)
        assert two.loop.now > before
        with pytest.raises(ConnectionRefusedError):
            await two.connect()
        assert two.network.connections() == []
        two.loop.boot("b")
        await two.listen()
        await two.connect()

    play(scenario)


def test_a_crash_across_a_cut_is_not_noticed_until_it_is_joined(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        two.network.paths.part("a", "b")
        two.loop.crash("b")
        await asyncio.sleep(600)
        assert not client.lost.done()
        two.network.paths.heal()
        assert isinstance(await client.lost, ConnectionResetError)

    play(scenario)


def test_the_crash_of_who_connected_is_noticed_too(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        await asyncio.sleep(1)
        two.loop.crash("a")
        assert isinstance(await two.accepted[0].lost, ConnectionResetError)

    play(scenario)


def test_a_reader_that_does_not_read_stops_the_writer(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        await asyncio.sleep(1)
        server = two.accepted[0]
        server.transport.pause_reading()
        assert not server.transport.is_reading()
        client.transport.set_write_buffer_limits(high=10_000)
        assert client.transport.get_write_buffer_limits() == (2_500, 10_000)
        while "pause" not in client.events:
            client.transport.write(b"x" * 1_000)
        size = client.transport.get_write_buffer_size()
        assert 10_000 < size <= 11_000
        await asyncio.sleep(60)
        assert server.text == b""
        assert client.transport.get_write_buffer_size() == size
        client.transport.close()
        await asyncio.sleep(60)
        assert not client.lost.done()  # it still has bytes to send
        server.transport.resume_reading()
        assert await client.lost is None
        await server.lost
        assert len(server.text) == size + KERNEL_BYTES
        assert client.events == ["made", "pause", "resume", "lost"]

    play(scenario)


def test_a_node_listens_at_its_own_addresses_only(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        endpoint, server = two.network.endpoint("b"), two.network.endpoint("c")

        async def listen(host: str, port: int) -> tuple[str, int]:
            listening = await endpoint.listen(Notes, host, port, None)
            return listening.host, listening.port

        with pytest.raises(OSError, match="listens at") as taken:
            await two.loop.call("b", listen(endpoint.host, PORT))
        assert taken.value.errno == errno.EADDRINUSE
        with pytest.raises(OSError, match="is not an address of b") as foreign:
            await two.loop.call("b", listen(server.host, PORT))
        assert foreign.value.errno == errno.EADDRNOTAVAIL
        host, port = await two.loop.call("b", listen("127.0.0.1", 0))
        assert host == "127.0.0.1"
        assert port > 0
        await two.connect("b", "127.0.0.1", port)
        with pytest.raises(ConnectionRefusedError):
            await two.connect("a", port=port)
        with pytest.raises(ConnectionRefusedError):
            await two.connect("a", "127.0.0.1", port)

    play(scenario)


def test_a_closed_listener_refuses_and_keeps_what_it_accepted(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        endpoint = two.network.endpoint("c")
        accepted: list[Notes] = []

        async def listen() -> None:
            listening = await endpoint.listen(kept(accepted, Echo), endpoint.host, PORT, None)
            await asyncio.sleep(1)
            listening.close()
            listening.close()

        listens = two.loop.start("c", listen())
        await asyncio.sleep(0.5)
        talker = await two.connect("a", endpoint.host)
        await listens
        with pytest.raises(ConnectionRefusedError):
            await two.connect("a", endpoint.host)
        talker.transport.write(b"hello")
        await asyncio.sleep(5)
        assert talker.text == b"hello"

    play(scenario)


def test_what_the_network_does_not_imitate_is_refused(play: Play) -> None:
    async def scenario(two: Two, client: Notes) -> None:
        endpoint = two.network.endpoint("a")
        with pytest.raises(RuntimeError, match="the network of a was used from within no node"):
            await endpoint.connect(Notes, endpoint.host, PORT, None)
        with pytest.raises(RuntimeError, match="the network of a was used from within b"):
            await two.loop.call("b", endpoint.connect(Notes, endpoint.host, PORT, None))
        with pytest.raises(NotImplementedError, match="TLS"):
            await two.loop.call("a", endpoint.connect(Notes, endpoint.host, PORT, ssl.create_default_context()))

    play(scenario)


def test_on_a_slow_path_what_is_lost_is_sent_again_in_time() -> None:
    path = Path(Delays(late=1.0), random.Random(1))
    path.slowness = 2_000.0
    assert max(path.delay() for _ in range(1_000)) == LATEST  # 2,000 times the 0.2 s before it is sent again were 400
