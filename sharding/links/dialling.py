"""A connection that we made: the dialler's handshake, then our messages and pings. Only pongs come back."""

from __future__ import annotations

from typing import Any, Protocol

from sharding.links.connection import PING_FRAME, PONG, Connection, Office
from sharding.links.handshake import DiallerHandshake, Identity, Refusal, Refused
from sharding.wire import BadFrame, framed

_BYTES_IN_TRANSPORT = 256 * 1024


class Owner(Protocol):
    """The link that a connection was made for."""

    def opened(self, connection: DialledConnection) -> None:
        """The handshake is done."""

    def ended(self, connection: DialledConnection, why: str, *, dead: bool) -> None:
        """It is over; `dead`: and whom we wanted does not exist any more."""

    def pause(self) -> None:
        """The transport is full."""

    def resume(self) -> None:
        """The transport takes more."""


class DialledConnection(Connection):
    """See the module.

    Attributes:
        is_explained: why it did not become a link was logged.
    """

    def __init__(self, office: Office, owner: Owner, me: Identity, wanted: Identity) -> None:
        super().__init__(office)
        self._owner, self._wanted = owner, wanted
        self._handshake = DiallerHandshake(office.keys, me, wanted, office.nonce())
        self.is_explained = False
        self._written = 0
        self._left = 0  # bytes that had left the transport at the last tick, if it was full then
        self._pinged_at: float | None = None
        self._paused_at: float | None = None

    def started(self) -> None:
        """Say hello."""
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=_BYTES_IN_TRANSPORT)
        self.write(framed(self._handshake.hello))

    def write(self, frame: bytes) -> None:
        """Hand bytes to the transport."""
        self._written += len(frame)
        super().write(frame)

    def take(self, body: bytes) -> None:
        """The answer of the handshake, or a pong."""
        if self.proved:
            if body != PONG:
                raise BadFrame("something else than a pong on a connection that we made")
            self._pinged_at = None
            return
        try:
            proof = self._handshake.prove(body)
        except Refused as refused:
            self._refused(refused)
            return
        self.write(framed(proof))
        self.prove()
        self.after(self.office.settings.ping_seconds, self._tick)
        self._owner.opened(self)

    def _refused(self, refused: Refused) -> None:
        reason = refused.reason
        self.office.traffic.refused_out[reason] += 1
        self.office.complaints.say(
            f"out {reason.name}", f"no link to {self._wanted.node} at {self.address}: {reason.text}"
        )
        self.is_explained = True
        if refused.answer:
            self.write(framed(refused.answer))
        # Anybody could say that another incarnation is there; it counts only from one that knows the secret.
        dead = reason is Refusal.OTHER_INCARNATION and refused.proved
        self.end(reason.text, flush=bool(refused.answer), dead=dead)

    def bad_frame(self, error: BadFrame) -> None:
        """Close it."""
        if self.proved:
            self.office.traffic.bad_frames += 1
            self.office.complaints.say("out bad frame", f"link to {self._wanted.node} closed: {error}")
            self.end(str(error))
        else:
            self._refused(Refused(Refusal.GARBAGE))

    def too_slow(self) -> None:
        """No handshake in time."""
        self._refused(Refused(Refusal.TOO_SLOW))

    def pause_writing(self) -> None:
        """The peer takes less than we write."""
        self._paused_at = self.office.loop.time()
        self._left = self._left_transport()
        self._owner.pause()

    def resume_writing(self) -> None:
        """It has caught up, so it is alive, too."""
        self._paused_at = None
        if self._pinged_at is not None:
            self._pinged_at = self.office.loop.time()
        if not self._over:
            self._owner.resume()

    def _left_transport(self) -> int:
        return self._written - (self._transport.get_write_buffer_size() if self._transport else 0)

    def _tick(self) -> None:
        settings, now = self.office.settings, self.office.loop.time()
        if self._paused_at is not None:
            if now - self._paused_at >= settings.slow_reader_seconds:
                self.office.traffic.slow += 1
                self._give_up(f"it took nothing of what waits for {settings.slow_reader_seconds} s")
                return
            if (left := self._left_transport()) > self._left and self._pinged_at is not None:
                # The ping is behind what still waits here; that this moves is a sign of life, too.
                self._left, self._pinged_at = left, now
        if self._pinged_at is None:
            self._pinged_at = now
            self.write(PING_FRAME)
        elif now - self._pinged_at >= settings.silence_seconds:
            self.office.traffic.silent += 1
            self._give_up(f"no answer for {settings.silence_seconds} s")
            return
        self.after(min(settings.ping_seconds, self._pinged_at + settings.silence_seconds - now), self._tick)

    def _give_up(self, why: str) -> None:
        self.office.complaints.say("out silent", f"link to {self._wanted.node} at {self.address} closed: {why}")
        self.end(why)

    def ended(self, why: str, *, dead: bool = False, **known: Any) -> None:
        """Tell the link."""
        self._owner.ended(self, why, dead=dead)
