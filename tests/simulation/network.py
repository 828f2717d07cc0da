"""A network between the nodes of a simulation: connections with delay that can be cut, slowed and reset.

It behaves as TCP between processes on machines that stay up: a process that has crashed leaves a machine that refuses
and resets; a frozen one a machine that accepts and buffers.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from typing import Final

from sharding.links.network import Listening, ProtocolFactory
from tests.simulation.connection import Connection, End
from tests.simulation.loop import SimLoop
from tests.simulation.nodes import Node, current_node
from tests.simulation.paths import Delays, Paths

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_FIRST_FREE_PORT: Final = 20_000


class SimNetwork:
    """Joins nodes by their hosts.

    Args:
        loop: the simulation's.
        delays: of every path, unless it is slowed.
        connect_seconds: after which an attempt to connect to what does not answer fails, as an operating system's does.

    Attributes:
        paths: the ways between nodes, to be cut and healed; between node names, or a node's and another word, such as
            `store`.
    """

    def __init__(self, loop: SimLoop, *, delays: Delays | None = None, connect_seconds: float = 120.0) -> None:
        self.loop = loop
        self.paths = Paths(loop.random("network"), delays or Delays())
        self.draws = loop.random("segments")
        self.connect_seconds = connect_seconds
        self._hosts: dict[str, str] = {}
        self._listening: dict[tuple[str, str, int], _Listener] = {}
        self._connections: dict[Connection, None] = {}
        self._ports = _FIRST_FREE_PORT
        loop.on_crash(self._crashed)

    def endpoint(self, name: str) -> SimEndpoint:
        """The network as the node sees it: a `sharding.links.network.Network`, to be used by that node only."""
        return SimEndpoint(self, name)

    def host(self, name: str) -> str:
        """The address of a node's machine; the same in all its lives."""
        if name not in self._hosts:
            self._hosts[name] = f"10.0.0.{len(self._hosts) + 1}"
        return self._hosts[name]

    def reset(self, one: str, other: str) -> int:
        """Reset all connections between two nodes, in the middle of what is on its way; returns how many."""
        found = [each for each in self._connections if {end.node.name for end in each.ends} == {one, other}]
        for connection in found:
            connection.reset()
        return len(found)

    def connections(self) -> list[tuple[str, str]]:
        """The open connections: who connected to whom."""
        return [(str(each.ends[0].node), str(each.ends[1].node)) for each in self._connections]

    def forget(self, connection: Connection) -> None:
        """Both ends are closed."""
        self._connections.pop(connection, None)

    def free_port(self) -> int:
        """One that nobody had before."""
        self._ports += 1
        return self._ports

    # ---- what endpoints ask for

    def open(
        self, node: Node, protocol: ProtocolFactory, host: str, port: int, tls: ssl.SSLContext | None
    ) -> Listening:
        """See `SimEndpoint.listen`."""
        _without_tls(tls)
        if host not in (self.host(node.name), node.name, *LOOPBACK, "0.0.0.0"):
            raise OSError(errno.EADDRNOTAVAIL, f"{host} is not an address of {node} ({self.host(node.name)})")
        place = "loopback" if host in LOOPBACK else "outside"
        port = port or self.free_port()
        if (node.name, place, port) in self._listening:
            raise OSError(errno.EADDRINUSE, f"{node} listens at {host}:{port} already")
        listener = _Listener(self, (node.name, place, port), host, node, protocol)
        self._listening[listener.key] = listener
        return listener

    def unlisten(self, listener: _Listener) -> None:
        """It accepts no more."""
        if self._listening.get(listener.key) is listener:
            del self._listening[listener.key]

    def find(self, source: Node, host: str, port: int) -> tuple[str, _Listener | None]:
        """Which node a host is, and who listens there for `source`."""
        if host in LOOPBACK:
            inside = self._listening.get((source.name, "loopback", port))
            return source.name, inside or self._listening.get((source.name, "outside", port))
        name = next((name for name, its in self._hosts.items() if host in (its, name)), None)
        if name is None:
            raise OSError(errno.EHOSTUNREACH, f"no node has the address {host}")
        return name, self._listening.get((name, "outside", port))

    async def dial(self, node: Node, protocol: ProtocolFactory, host: str, port: int) -> asyncio.Transport:
        """See `SimEndpoint.connect`."""
        target, _ = self.find(node, host, port)
        answer: asyncio.Future[Connection | None] = self.loop.create_future()
        world = self.loop.context(None)
        way, back = self.paths.path(node.name, target), self.paths.path(target, node.name)

        def arrive() -> None:
            if node.dead or answer.done():
                return
            _, listener = self.find(node, host, port)
            accepted = None if listener is None else Connection(self, node, listener.node, port)
            if accepted is not None and listener is not None:
                self._connections[accepted] = None
                accepted.ends[1].make(listener.protocol)
            back.when_open(lambda: self.loop.call_after(back.delay(), answered, accepted, context=world))

        def answered(accepted: Connection | None) -> None:
            if not answer.done():
                answer.set_result(accepted)
            elif accepted is not None:
                accepted.ends[0].vanish()  # nobody waits for it any more: its machine resets it

        way.when_open(lambda: self.loop.call_after(way.delay(), arrive, context=world))
        try:
            async with asyncio.timeout(self.connect_seconds):
                connection = await answer
        except TimeoutError:
            raise TimeoutError(errno.ETIMEDOUT, f"no answer from {host}:{port}") from None
        if connection is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody listens at {host}:{port}")
        return await self._opened(connection.ends[0], protocol)

    async def _opened(self, end: End, protocol: ProtocolFactory) -> asyncio.Transport:
        made: asyncio.Future[None] = self.loop.create_future()

        def done() -> None:
            if not made.done():
                made.set_result(None)

        end.make(protocol, done)
        try:
            await made
        except asyncio.CancelledError:
            end.abort()
            raise
        return end

    def _crashed(self, node: Node) -> None:
        for key in [key for key, listener in self._listening.items() if listener.node is node]:
            del self._listening[key]
        for connection in list(self._connections):
            for end in connection.ends:
                if end.node is node:
                    end.vanish()


class SimEndpoint:
    """One node's network, for all its lives. See `sharding.links.network.Network`."""

    def __init__(self, network: SimNetwork, name: str) -> None:
        self._network = network
        self._name = name
        self.host = network.host(name)

    async def connect(
        self, protocol: ProtocolFactory, host: str, port: int, tls: ssl.SSLContext | None
    ) -> asyncio.Transport:
        """See `Network.connect`.

        Raises:
            TimeoutError: no answer came, as across a cut.
        """
        _without_tls(tls)
        return await self._network.dial(self._node(), protocol, host, port)

    async def listen(self, protocol: ProtocolFactory, host: str, port: int, tls: ssl.SSLContext | None) -> Listening:
        """See `Network.listen`."""
        return self._network.open(self._node(), protocol, host, port, tls)

    def _node(self) -> Node:
        node = current_node()
        if node is None or node.name != self._name:
            raise RuntimeError(f"the network of {self._name} was used from within {node or 'no node'}")
        return node


class _Listener:
    def __init__(
        self, network: SimNetwork, key: tuple[str, str, int], host: str, node: Node, protocol: ProtocolFactory
    ) -> None:
        self._network = network
        self.key = key
        self.host, self.port = host, key[2]
        self.node, self.protocol = node, protocol

    def close(self) -> None:
        self._network.unlisten(self)


def _without_tls(tls: ssl.SSLContext | None) -> None:
    if tls is not None:
        raise NotImplementedError("the simulated network has no TLS")
