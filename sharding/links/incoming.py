"""An accepted connection: what a proved member sends us. Only handshake answers and pongs go back on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from sharding.links.connection import PING, PONG_FRAME, Connection, Office
from sharding.links.handshake import AcceptorHandshake, Identity, Refusal, Refused
from sharding.wire import BadFrame, framed

_MOST_ANSWERS_WAITING = 64 * 1024


class Reception(Protocol):
    """Who keeps accepted connections."""

    def arrived(self, connection: IncomingConnection) -> None:
        """A connection was accepted; nothing is known about it."""

    def admits(self, dialler: Identity) -> bool:
        """Whether a member that proved to be `dialler` may send."""

    def proved(self, connection: IncomingConnection, dialler: Identity) -> None:
        """It is from `dialler`."""

    def left(self, connection: IncomingConnection) -> None:
        """It is over."""


class IncomingConnection(Connection):
    """See the module. `dialler` is who is at the other end, proved or, before `proved`, only said."""

    def __init__(self, office: Office, reception: Reception) -> None:
        super().__init__(office)
        self.dialler: Identity | None = None
        self._reception = reception
        self._handshake: AcceptorHandshake | None = None
        self._heard = 0.0
        self._decode: Callable[[bytes], Any] = office.registry.decode
        self._received = office.listener.received

    def started(self) -> None:
        """Wait for the hello."""
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=_MOST_ANSWERS_WAITING)
        self._reception.arrived(self)

    def take(self, body: bytes) -> None:
        """A step of the handshake, a ping, or a message."""
        if self.proved and self.dialler is not None:
            self._heard = self.office.loop.time()
            if len(body) > 1:
                message = self._decode(body)
                self.office.traffic.messages_in += 1
                self._received(self.dialler.incarnation, message)
            elif body == PING:
                self.write(PONG_FRAME)
            else:
                raise BadFrame("a body of one byte that is no ping")
            return
        try:
            self._shake_hands(body)
        except Refused as refused:
            self.refuse(refused.reason, refused.answer)

    def _shake_hands(self, body: bytes) -> None:
        if self._handshake is None:
            self._handshake = AcceptorHandshake(self.office.keys, self.office.me, self.office.nonce())
            self.dialler, answer = self._handshake.challenge(body)
            if not self._reception.admits(self.dialler):
                raise self._handshake.refuse(Refusal.GONE, body)
            self.write(framed(answer))
        elif self.dialler is not None:
            self._handshake.check(body)
            if not self._reception.admits(self.dialler):  # it was dropped between hello and proof
                raise Refused(Refusal.GONE)
            self.prove()
            self._heard = self.office.loop.time()
            self._watch()
            self._reception.proved(self, self.dialler)

    def refuse(self, reason: Refusal, answer: bytes = b"") -> None:
        """Count and log why this connection gets no further, answer if there is an answer, and close it."""
        self.office.traffic.refused_in[reason] += 1
        self.office.complaints.say(f"in {reason.name}", f"connection from {self.address} refused: {reason.text}")
        if answer:
            self.write(framed(answer))
        self.end(reason.text, flush=bool(answer))

    def bad_frame(self, error: BadFrame) -> None:
        """Close it; nobody else is disturbed."""
        if not self.proved:
            self.refuse(Refusal.GARBAGE)
            return
        self.office.traffic.bad_frames += 1
        self.office.complaints.say("bad frame", f"connection from {self.dialler} closed: {error}")
        self.end(str(error))

    def too_slow(self) -> None:
        """No proof in time."""
        self.refuse(Refusal.TOO_SLOW)

    def pause_writing(self) -> None:
        """It sends pings and does not read the answers."""
        self.office.traffic.slow += 1
        self.office.complaints.say("in slow", f"connection from {self.dialler} closed: it does not read our answers")
        self.end("it does not read our answers")

    def _watch(self) -> None:
        # A dialler pings; when nothing comes for so long, its process or the network is gone without a word.
        patience = self.office.settings.silence_seconds
        silent = self.office.loop.time() - self._heard
        if silent < patience:
            self.after(patience - silent, self._watch)
            return
        self.office.traffic.silent += 1
        self.office.complaints.say("in silent", f"connection from {self.dialler} closed: silent for {silent:.1f} s")
        self.end("silent")

    def ended(self, why: str, **known: Any) -> None:
        """Tell the reception."""
        self._reception.left(self)


def acceptor(office: Office, reception: Reception) -> Callable[[], asyncio.Protocol]:
    """Makes the protocol of each accepted connection."""
    return lambda: IncomingConnection(office, reception)
