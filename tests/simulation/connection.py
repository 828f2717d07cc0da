"""One connection: two ends, each an asyncio transport, and what is on its way between them."""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, cast

from sharding.links.network import ProtocolFactory
from tests.simulation.nodes import Node

if TYPE_CHECKING:
    from tests.simulation.network import SimNetwork

KERNEL_BYTES: Final = 128 * 1024  # what both machines hold for a connection, on top of the transport's own buffer
_SPLIT: Final = 0.1  # the share of writes that arrive in two pieces


class _End(Exception):
    """What comes instead of bytes: nothing more (FIN), or a reset (RST)."""


FIN: Final = _End("fin")
RST: Final = _End("rst")


class Connection:
    """Between the node that connected (end 0) and the one that accepted (end 1)."""

    def __init__(self, network: SimNetwork, source: Node, target: Node, port: int) -> None:
        self.network = network
        from_ = (network.host(source.name), network.free_port())
        to = (network.host(target.name), port)
        self.ends = (End(self, 0, source, from_, to), End(self, 1, target, to, from_))

    def reset(self) -> None:
        """Reset it from the middle: both ends lose what is on its way to them, from a drawn byte on."""
        for end in self.ends:
            end.incoming.tear(self.network.draws.random())

    def closed(self) -> None:
        """One end has closed."""
        if all(end.gone for end in self.ends):
            self.network.forget(self)


class Incoming:
    """What is on its way to an end, in order.

    Attributes:
        unread: bytes sent that the end's protocol has not got.
    """

    def __init__(self, end: End, source: str, target: str) -> None:
        self._end = end
        self._path = end.network.paths.path(source, target)
        self._segments: deque[bytes | _End] = deque()  # sent, and not yet here
        self._here: deque[bytes | _End] = deque()
        self._due = 0.0
        self._torn = False
        self.unread = 0

    def send(self, what: bytes | _End) -> None:
        """Let it follow what was sent before."""
        if self._torn:
            return
        if isinstance(what, bytes):
            self.unread += len(what)
            draws = self._end.network.draws
            if len(what) > 1 and draws.random() < _SPLIT:
                cut = draws.randrange(1, len(what))
                self._put(what[:cut])
                what = what[cut:]
        self._put(what)

    def _put(self, what: bytes | _End) -> None:
        self._segments.append(what)
        self._path.when_open(self._sail)

    def _sail(self) -> None:
        loop = self._end.network.loop
        # Never before the one ahead of it: the order within a connection is kept.
        self._due = max(self._due, loop.now + self._path.delay())
        loop.call_after(self._due - loop.now, self._arrive, context=loop.context(None))

    def _arrive(self) -> None:
        # Which of several arrivals runs first does not matter: each brings the segment that is next.
        if self._segments and not self._path.cut:
            self._here.append(self._segments.popleft())
            self._end.wake()
        elif self._segments:
            self._path.when_open(self._sail)

    def tear(self, share: float) -> None:
        """Lose what is on its way from some byte on, and reset after what is left."""
        if self._torn:
            return
        waiting = [each for each in self._segments if isinstance(each, bytes)]
        kept = b"".join(waiting)[: int(share * sum(map(len, waiting)))]
        self._segments.clear()
        if kept:
            self.send(kept)
        self.send(RST)
        self._torn = True

    def next(self) -> bytes | _End | None:
        """What has arrived, and is next."""
        if not self._here:
            return None
        what = self._here.popleft()
        if isinstance(what, bytes):
            self.unread -= len(what)
        return what


class End(asyncio.Transport):
    """An end of a connection, as a transport.

    Attributes:
        node: whose it is.
        gone: it is closed: its protocol was told, or its node is dead.
    """

    def __init__(self, connection: Connection, side: int, node: Node, own: Any, peer: Any) -> None:
        super().__init__({"peername": peer, "sockname": own})
        self.connection, self.network, self.node = connection, connection.network, node
        self._side = side
        self._context = self.network.loop.context(node)
        self._protocol: asyncio.Protocol | None = None
        self._incoming: Incoming | None = None
        self._reading, self._woken = True, False
        self._closing, self._finished = False, False
        self._low, self._high = 16 * 1024, 64 * 1024
        self._protocol_paused = False
        self.gone = False

    # ---- between the ends

    @property
    def peer(self) -> End:
        """The other end."""
        return self.connection.ends[1 - self._side]

    @property
    def incoming(self) -> Incoming:
        """What comes from the other end."""
        if self._incoming is None:
            self._incoming = Incoming(self, self.peer.node.name, self.node.name)
        return self._incoming

    def make(self, protocol: ProtocolFactory, then: Callable[[], object] = lambda: None) -> None:
        """Give it its protocol, on its node."""

        def made() -> None:
            if self.gone:
                return
            self._protocol = protocol()
            self._protocol.connection_made(self)
            then()
            self.wake()

        self._soon(made)

    def wake(self) -> None:
        """Something arrived: let the protocol have it, on its node."""
        if self.node.dead or self.gone:
            self._answer_for_the_gone()
        elif not self._woken:
            self._woken = True
            self._soon(self._deliver)

    def _answer_for_the_gone(self) -> None:
        what = self.incoming.next()
        while what is not None:
            if isinstance(what, bytes):
                self.peer.incoming.tear(1.0)
            what = self.incoming.next()

    def vanish(self) -> None:
        """The process is gone; its machine resets the connection, after what it still sends."""
        if not self.gone:
            self.gone = self._closing = True
            self.peer.incoming.tear(self.network.draws.random())
            self.connection.closed()

    def _soon(self, call: Callable[..., object], *args: Any) -> None:
        self.network.loop.call_soon(call, *args, context=self._context)

    def _deliver(self) -> None:
        self._woken = False
        if self._protocol is None or not self._reading or self.gone:
            return
        if self._closing:
            self._take_after_close()
            return
        what = self.incoming.next()
        if what is None:
            return
        if isinstance(what, bytes):
            self._protocol.data_received(what)
            self.peer._drained()
        elif what is RST:
            self._lose(ConnectionResetError(errno.ECONNRESET, "connection reset by peer"))
        elif not self._protocol.eof_received():
            self.close()
        if not self.gone:
            self.wake()

    def _take_after_close(self) -> None:
        # A closed socket: bytes are answered with a reset, and only a reset matters.
        what = self.incoming.next()
        while what is not None:
            if what is RST:
                self._lose(ConnectionResetError(errno.ECONNRESET, "connection reset by peer"))
                return
            if isinstance(what, bytes):
                self.peer.incoming.tear(1.0)
            what = self.incoming.next()

    # ---- writing

    def write(self, data: Any) -> None:
        """See `asyncio.WriteTransport.write`. After a close it does nothing."""
        if self._closing or self._finished or not data:
            return
        self.peer.incoming.send(bytes(data))
        if self.get_write_buffer_size() > self._high and not self._protocol_paused:
            self._protocol_paused = True
            cast(asyncio.Protocol, self._protocol).pause_writing()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """See `asyncio.WriteTransport.writelines`."""
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        """Bytes that neither this machine nor the peer's has taken."""
        return max(0, self.peer.incoming.unread - KERNEL_BYTES)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """See `asyncio.WriteTransport.set_write_buffer_limits`."""
        if high is None:
            high = 64 * 1024 if low is None else 4 * low
        if low is None:
            low = high // 4
        if not 0 <= low <= high:
            raise ValueError(f"high ({high}) must be >= low ({low}) must be >= 0")
        self._low, self._high = low, high

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """See `asyncio.WriteTransport.get_write_buffer_limits`."""
        return self._low, self._high

    def _drained(self) -> None:
        self._soon(self._after_drain)

    def _after_drain(self) -> None:
        if self.gone or self._protocol is None:
            return
        if self._protocol_paused and self.get_write_buffer_size() <= self._low:
            self._protocol_paused = False
            self._protocol.resume_writing()
        if self._closing and self.get_write_buffer_size() == 0:
            self._lose(None)

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def write_eof(self) -> None:
        """See `asyncio.WriteTransport.write_eof`."""
        if not self._finished:
            self._finished = True
            self.peer.incoming.send(FIN)

    # ---- reading and the end

    def is_reading(self) -> bool:
        """Whether the protocol gets what arrives."""
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        """See `asyncio.ReadTransport.pause_reading`."""
        self._reading = False

    def resume_reading(self) -> None:
        """See `asyncio.ReadTransport.resume_reading`."""
        self._reading = True
        self.wake()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._closing

    def close(self) -> None:
        """Send what was written, then the end; the protocol hears of it when this machine has taken everything."""
        if self._closing:
            return
        self._closing = True
        self._reading = True  # a closed transport hears of resets, whoever paused it
        self.write_eof()
        self._soon(self._after_drain)

    def abort(self) -> None:
        """Reset the connection now."""
        if self.gone:
            return
        self._closing = True
        self.peer.incoming.tear(self.network.draws.random())
        self._soon(self._lose, None)

    def _lose(self, error: Exception | None) -> None:
        if self.gone:
            return
        self.gone = self._closing = True
        self.connection.closed()
        if self._protocol is not None:
            self._protocol.connection_lost(error)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """See `asyncio.BaseTransport.set_protocol`."""
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """See `asyncio.BaseTransport.get_protocol`."""
        return cast(asyncio.BaseProtocol, self._protocol)
