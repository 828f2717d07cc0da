"""One connection, from either side: its bytes cut into frames, its deadlines, and one end, told once."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from sharding.links.contract import LinkListener
from sharding.links.handshake import Identity, Keys
from sharding.links.network import Network
from sharding.links.settings import LinkSettings
from sharding.links.traffic import Complaints, Traffic
from sharding.wire import BadFrame, Registry, Splitter, framed

# Bodies of one byte, which no message has: a message is an array of at least two.
PING, PONG = b"\x01", b"\x02"
PING_FRAME, PONG_FRAME = framed(PING), framed(PONG)


@dataclass
class Office:
    """What the connections of one node share."""

    settings: LinkSettings
    keys: Keys
    registry: Registry
    listener: LinkListener
    network: Network
    draw: Callable[[], float]
    nonce: Callable[[], bytes]
    loop: asyncio.AbstractEventLoop
    traffic: Traffic
    complaints: Complaints
    me: Identity | None = None
    alive: dict[Connection, None] = field(default_factory=dict)  # no set: its order would differ from run to run
    emptied: asyncio.Future[None] | None = None

    def gone(self, connection: Connection) -> None:
        """The connection's transport is closed."""
        self.alive.pop(connection, None)
        if not self.alive and self.emptied is not None and not self.emptied.done():
            self.emptied.set_result(None)


class Connection(asyncio.Protocol):
    """The parts that both sides have in common. It begins with the handshake; `proved` comes when that is done."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.proved = False
        self._transport: asyncio.Transport | None = None
        self._splitter = Splitter(office.settings.handshake_frame)
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    @property
    def address(self) -> str:
        """The other end, for log lines."""
        name = self._transport.get_extra_info("peername") if self._transport else None
        return f"{name[0]}:{name[1]}" if isinstance(name, tuple) and len(name) >= 2 else "an unknown address"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands; the handshake has its time from now."""
        self._transport = cast(asyncio.Transport, transport)
        self.office.alive[self] = None
        if self._over:  # given up while it was being made
            self._transport.abort()
            return
        self.after(self.office.settings.handshake_seconds, self.too_slow)
        self.started()

    def data_received(self, data: bytes) -> None:
        """Cut what came into bodies and take each, unless one of them ends the connection."""
        self.office.traffic.bytes_in += len(data)
        splitter = self._splitter
        splitter.feed(data)
        try:
            while not self._over and (body := splitter.next()) is not None:
                self.take(body)
        except BadFrame as error:
            self.bad_frame(error)

    def connection_lost(self, error: Exception | None) -> None:
        """The transport is closed, by whichever side."""
        self.office.gone(self)
        self.stop_timer()
        self.end(str(error) or type(error).__name__ if error else "closed by the other side")

    def write(self, frame: bytes) -> None:
        """Hand bytes to the transport."""
        if self._transport is not None:
            self.office.traffic.bytes_out += len(frame)
            self._transport.write(frame)

    def after(self, seconds: float, call: Callable[[], object]) -> None:
        """Set the connection's one timer; an earlier setting is forgotten."""
        self.stop_timer()
        self._timer = self.office.loop.call_later(seconds, call)

    def stop_timer(self) -> None:
        """No timer is set any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def prove(self) -> None:
        """The handshake is done: larger frames are allowed."""
        self.proved = True
        self._splitter.limit = self.office.settings.max_frame

    def end(self, why: str, *, flush: bool = False, **known: Any) -> None:
        """End it, if it has not ended, and tell the owner.

        Args:
            why: the reason, for a log line.
            flush: let what was written leave first.
            known: handed on to `ended`.
        """
        if self._over:
            return
        self._over = True
        self.stop_timer()
        if self._transport is not None:
            if flush:
                self._transport.close()
                # With TLS that waits for the other side's goodbye, which may never come.
                self.after(self.office.settings.flush_seconds, self._transport.abort)
            else:
                self._transport.abort()
        self.ended(why, **known)

    def abort(self) -> None:
        """Close the transport at once, also when it is closing already."""
        self.end("closed by us")
        if self._transport is not None:
            self._transport.abort()

    @abstractmethod
    def started(self) -> None:
        """The transport is there."""

    @abstractmethod
    def take(self, body: bytes) -> None:
        """A whole body arrived."""

    @abstractmethod
    def bad_frame(self, error: BadFrame) -> None:
        """What arrived is no frame of ours."""

    @abstractmethod
    def too_slow(self) -> None:
        """The handshake was not done in time."""

    @abstractmethod
    def ended(self, why: str, **known: Any) -> None:
        """It is over; called once."""
