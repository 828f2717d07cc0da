"""Connections without links: raw bytes to a node, and what two nodes say to each other, seen from between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from sharding.links.handshake import DiallerHandshake, Identity, Keys
from sharding.wire import framed
from tests.sharding.links.nodes import SECRET, Node

NONCE = bytes(range(32))


class Wire:
    """A connection to a node, as an intruder or a test has it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def body(self) -> bytes:
        """The next frame's body."""
        async with asyncio.timeout(5):
            length = int.from_bytes(await self.reader.readexactly(4), "big")
            return await self.reader.readexactly(length)

    async def closed(self) -> bytes:
        """What still comes until the node closes the connection."""
        try:
            async with asyncio.timeout(5):
                return await self.reader.read()
        except ConnectionResetError:
            return b""


@asynccontextmanager
async def wire_to(node: Node) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection(node.peer.host, node.peer.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):  # it was the node that closed it
            await writer.wait_closed()


def dialler(
    node: Node,
    *,
    cluster: str = "tickets",
    secret: bytes | None = SECRET,
    me: tuple[str, int] = ("x", 77),
    wanted: tuple[str, int] | None = None,
    nonce: bytes = NONCE,
) -> DiallerHandshake:
    """A dialler's side for a node, with parts of it wrong if asked for."""
    wanted_identity = Identity(*wanted) if wanted else Identity(node.name, node.incarnation)
    return DiallerHandshake(Keys(cluster, secret), Identity(*me), wanted_identity, nonce)


async def shake_hands(wire: Wire, handshake: DiallerHandshake) -> None:
    """Go through the handshake."""
    wire.say(framed(handshake.hello))
    wire.say(framed(handshake.prove(await wire.body())))


class Between:
    """Stands between a dialler and a node, writes down what goes past, and lets it be changed."""

    def __init__(self, port: int, change: Callable[[str, bytes], bytes]) -> None:
        self.seen: dict[str, list[bytes]] = {"there": [], "back": []}
        self._port, self._change = port, change
        self._tasks: set[asyncio.Task[None]] = set()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(
            self._pass("there", reader, far_writer), self._pass("back", far_reader, writer), return_exceptions=True
        )

    async def _pass(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                self.seen[way].append(data)
                writer.write(self._change(way, data))
        finally:
            writer.close()


@asynccontextmanager
async def between(
    node: Node, change: Callable[[str, bytes], bytes] = lambda way, data: data
) -> AsyncIterator[tuple[Between, int]]:
    """A listener's port from which everything goes to `node` and back."""
    middle = Between(node.peer.port, change)
    server = await asyncio.start_server(middle.meet, "127.0.0.1", 0)
    try:
        yield middle, server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def listener(
    meet: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Accepts connections as something else than a node; its port."""
    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
