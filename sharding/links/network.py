"""The network as links see it: two calls, so that a simulated one can take its place."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Protocol, TypeAlias

from sharding.links.vestibule import Vestibule

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
        refused: OSError | None = None
        other: OSError | None = None
        for address in await _addresses(host, port):
            try:
                transport, _ = await loop.create_connection(protocol, address, port, ssl=tls, server_hostname=name)
            except ConnectionRefusedError as error:
                refused = error
            except OSError as error:
                other = other or error
            else:
                return transport
        # Only when all addresses refused is it sure that nobody listens at any of them.
        raise other or refused or OSError(f"{host!r} has no address")

    async def listen(self, protocol: ProtocolFactory, host: str, port: int, tls: ssl.SSLContext | None) -> Listening:
        """See `Network.listen`."""
        loop = asyncio.get_running_loop()
        vestibule = None if tls is None else Vestibule(protocol, tls, max(1, half_of_the_descriptors() // 2))
        server = await loop.create_server(protocol if vestibule is None else vestibule.arrival, host, port)
        return _Server(server, vestibule)


def half_of_the_descriptors() -> int:
    """Half of the files and connections that this process may have open at a time: the others are for what it does.

    Who accepts connections until none are left is told so by asyncio a thousand times a second, and nothing else works.
    """
    if sys.platform == "win32":
        return sys.maxsize
    import resource  # only there where it is

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if most == resource.RLIM_INFINITY else max(1, most // 2)


async def _addresses(host: str, port: int) -> list[str]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))
    return [host]


class _Server:
    def __init__(self, server: asyncio.Server, vestibule: Vestibule | None) -> None:
        self._server = server
        self._vestibule = vestibule
        self.host, self.port = server.sockets[0].getsockname()[:2]

    def close(self) -> None:
        self._server.close()
        if self._vestibule is not None:
            self._vestibule.close()
