"""The network as links see it: two calls, so that a simulated one can take its place."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Protocol, TypeAlias

ProtocolFactory: TypeAlias = Callable[[], asyncio.Protocol]


class Listening(Protocol):
    """A listening socket.

    Attributes:
        host, port: where it listens; the port is the real one, also when 0 was asked for.
    """

    host: str
    port: int

    def close(self) -> None:
        """Accept no more connections. Accepted ones live on."""


class Network(Protocol):
    """Connects and listens. Timers and time are the loop's."""

    async def connect(
        self, protocol: ProtocolFactory, host: str, port: int, tls: ssl.SSLContext | None
    ) -> asyncio.Transport:
        """Open a connection.

        Raises:
            ConnectionRefusedError: the machine answered that nobody listens there.
            OSError: it could not be reached.
        """

    async def listen(self, protocol: ProtocolFactory, host: str, port: int, tls: ssl.SSLContext | None) -> Listening:
        """Accept connections at an address; port 0 takes a free one.

        Raises:
            OSError: the address cannot be had.
        """


class LoopNetwork:
    """The real network, by the running loop."""

    async def connect(
        self, protocol: ProtocolFactory, host: str, port: int, tls: ssl.SSLContext | None
    ) -> asyncio.Transport:
        """See `Network.connect`. With TLS the server's certificate must be for `host`."""
        loop = asyncio.get_running_loop()
        name = host if tls is not None else None
        transport, _ = await loop.create_connection(protocol, host, port, ssl=tls, server_hostname=name)
        return transport

    async def listen(self, protocol: ProtocolFactory, host: str, port: int, tls: ssl.SSLContext | None) -> Listening:
        """See `Network.listen`."""
        server = await asyncio.get_running_loop().create_server(protocol, host, port, ssl=tls)
        return _Server(server)


class _Server:
    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.host, self.port = server.sockets[0].getsockname()[:2]

    def close(self) -> None:
        self._server.close()
