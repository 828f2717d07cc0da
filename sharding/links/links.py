"""All links of one node: those it sends on, and the connections it hears on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sharding.links.connection import Office
from sharding.links.contract import Link, LinkDown, LinkListener, Peer
from sharding.links.handshake import Identity, Keys, Refusal
from sharding.links.incoming import IncomingConnection, acceptor
from sharding.links.network import Listening, Network, half_of_the_descriptors
from sharding.links.outgoing import OutgoingLink
from sharding.links.settings import MOST_NAME_BYTES, LinkSettings
from sharding.links.traffic import Complaints, LinksStatus, Traffic
from sharding.wire import Registry

_MOST_REMEMBERED = 1_000


class Links:
    """A node's connections with the others of its cluster: one for each peer and direction.

    To be made on a running loop, whose timers and time it uses. Nothing is kept that a peer can make grow without
    bound: connections are limited, and what is kept by incarnation is kept only of proved members.

    Args:
        settings: see `LinkSettings`.
        registry: the messages that can be sent and understood.
        listener: who hears of messages and of links that open, are lost, are dead.
        network: connects and listens.
        draw: gives numbers from 0 to 1, for the pauses between attempts.
        nonce: gives 32 fresh random bytes (`secrets.token_bytes`), for handshakes.
    """

    def __init__(
        self,
        settings: LinkSettings,
        registry: Registry,
        listener: LinkListener,
        *,
        network: Network,
        draw: Callable[[], float],
        nonce: Callable[[], bytes],
    ) -> None:
        loop = asyncio.get_running_loop()
        keys, complaints = Keys(settings.cluster, settings.secret), Complaints(loop)
        self._office = Office(settings, keys, registry, listener, network, draw, nonce, loop, Traffic(), complaints)
        self._links: dict[int, OutgoingLink] = {}
        self._unproved: dict[IncomingConnection, None] = {}
        self._incoming: dict[int, IncomingConnection] = {}
        self._dropped: dict[int, None] = {}
        self._listening: list[Listening] = []
        self._closed = False
        self._most_accepted = min(settings.max_connections, half_of_the_descriptors())

    @property
    def traffic(self) -> Traffic:
        """Counters since the start."""
        return self._office.traffic

    def hears(self, incarnation: int) -> bool:
        """Whether there is a connection on which the member sends to this node."""
        return incarnation in self._incoming

    def status(self) -> LinksStatus:
        """All links at this moment."""
        links = [link.status() for link in self._links.values()]
        return LinksStatus(links, list(self._incoming), len(self._unproved), self._office.traffic)

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Accept connections at an address.

        Args:
            host: an address of this machine. Anything but loopback needs a secret, or TLS.
            port: 0 takes a free one.

        Returns:
            the real host and port.

        Raises:
            UnsafeSetting: others could reach it there, and nothing would keep them out.
            OSError: the address cannot be had.
            LinkDown: it was closed.
        """
        settings = self._office.settings
        settings.check_address(host)
        if self._closed:
            raise LinkDown("these links are closed")
        listening = await self._office.network.listen(acceptor(self._office, self), host, port, settings.server_tls)
        if self._closed:
            listening.close()
            raise LinkDown("these links were closed")
        self._listening.append(listening)
        return listening.host, listening.port

    def introduce(self, node: str, incarnation: int) -> None:
        """Who we are from now on. Before, nobody is let in and links wait; connections of an earlier incarnation end.

        Args:
            node: our name, at most 255 bytes of UTF-8.
            incarnation: our number in the cluster, 0 to 2**64 - 1.

        Raises:
            ValueError: the name or the number does not fit.
        """
        me = Identity(_node(node), _incarnation(incarnation))
        if me == self._office.me or self._closed:
            return
        self._office.me = me
        self._abort_accepted()
        for link in list(self._links.values()):
            link.identity_changed()

    def to(self, peer: Peer) -> Link:
        """The link to a peer: the same object as long as the peer is the same. Dialling begins at once.

        Raises:
            LinkDown: these links are closed.
            ValueError: the peer's name or incarnation does not fit.
        """
        link = self._links.get(peer.incarnation)
        if link is not None and link.peer == peer:
            return link
        if self._closed:
            raise LinkDown("these links are closed")
        _node(peer.node), _incarnation(peer.incarnation)
        new = self._links[peer.incarnation] = OutgoingLink(self._office, peer)
        self._dropped.pop(peer.incarnation, None)
        if link is not None:
            link.drop()
        new.dial()
        return new

    def drop(self, incarnation: int) -> None:
        """That member is gone: both directions are closed, and it is not let in again. What waited is told as lost."""
        self._dropped[incarnation] = None
        if len(self._dropped) > _MOST_REMEMBERED:
            del self._dropped[next(iter(self._dropped))]
        incoming = self._incoming.get(incarnation)
        if incoming is not None:
            incoming.abort()
        link = self._links.pop(incarnation, None)
        if link is not None:
            link.drop()

    async def close(self) -> None:
        """Let what was sent leave, for `flush_seconds` at most, then close everything. Idempotent."""
        self._closed = True
        for listening in self._listening:
            listening.close()
        self._listening.clear()
        self._abort_accepted()
        links = list(self._links.values())
        self._links.clear()
        for link in links:
            link.finish()
        try:
            await asyncio.gather(*(link.tasks_ended() for link in links))
            async with asyncio.timeout(self._office.settings.flush_seconds):
                await self._emptied()
        except TimeoutError:
            pass  # whoever does not read now has had its time
        finally:
            for connection in list(self._office.alive):
                connection.abort()
        await self._emptied()

    def _abort_accepted(self) -> None:
        for connection in (*self._unproved, *self._incoming.values()):
            connection.abort()

    async def _emptied(self) -> None:
        if self._office.alive:
            if self._office.emptied is None or self._office.emptied.done():
                self._office.emptied = self._office.loop.create_future()
            await asyncio.shield(self._office.emptied)

    # --- the reception of accepted connections

    def arrived(self, connection: IncomingConnection) -> None:
        """Take it among the unproved; over the limit the oldest of those goes, or this one if all are proved."""
        if self._closed:
            connection.abort()
            return
        self._unproved[connection] = None
        if len(self._unproved) + len(self._incoming) > self._most_accepted:
            next(iter(self._unproved)).refuse(Refusal.TOO_MANY)

    def admits(self, dialler: Identity) -> bool:
        """Whether it was not dropped."""
        return dialler.incarnation not in self._dropped

    def proved(self, connection: IncomingConnection, dialler: Identity) -> None:
        """From now on this is the connection of that member; one it had before is over."""
        self._unproved.pop(connection, None)
        earlier = self._incoming.get(dialler.incarnation)
        if earlier is not None:
            earlier.abort()
        self._incoming[dialler.incarnation] = connection

    def left(self, connection: IncomingConnection) -> None:
        """Forget it."""
        self._unproved.pop(connection, None)
        if connection.dialler is not None and self._incoming.get(connection.dialler.incarnation) is connection:
            del self._incoming[connection.dialler.incarnation]
            self._office.listener.unheard(connection.dialler.incarnation)


def _node(node: str) -> str:
    if not 0 < len(node.encode()) <= MOST_NAME_BYTES:
        raise ValueError(f"a node's name has 1 to {MOST_NAME_BYTES} bytes: {node!r}")
    return node


def _incarnation(incarnation: int) -> int:
    if not 0 <= incarnation < 1 << 64:
        raise ValueError(f"an incarnation is a number from 0 to 2**64 - 1: {incarnation}")
    return incarnation
