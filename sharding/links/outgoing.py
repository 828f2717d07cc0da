"""A link: the way to one peer over one connection after another, and the bookkeeping of what was sent."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from typing import Any

from sharding.links.connection import Office
from sharding.links.contract import LinkDown, LinkFull, MessageTooLarge, Peer
from sharding.links.dialling import DialledConnection
from sharding.links.handshake import Identity
from sharding.links.traffic import LinkStatus, log
from sharding.wire import UnencodableMessage, unframed

_BYTES_PER_WRITE = 256 * 1024


class State(enum.Enum):
    """As in the drawing at `Link`."""

    DIALLING = "dialling"
    OPEN = "open"
    WAITING = "waiting"
    CLOSED = "closed"


class OutgoingLink:
    """The `Link` to one peer. See the contract for what it promises.

    Messages gather: the first one in a turn of the loop is written at once while the link is idle, so that one at a
    time is fast; those behind it are written together in the next turn, so that many are.
    """

    def __init__(self, office: Office, peer: Peer) -> None:
        self.peer = peer
        self._office = office
        self._state = State.DIALLING
        self._connection: DialledConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._redial: asyncio.TimerHandle | None = None
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._serial = 0  # of the last message taken
        self._handed = 0  # of the last message handed to a transport, or told to be lost
        self._idle = False  # open, nothing waits, no flush is due: write straight
        self._flush_due = False
        self._paused = False
        self._opened_at = 0.0
        self._failures = 0
        self._short_lives = 0

    @property
    def is_open(self) -> bool:
        """See `Link.is_open`."""
        return self._state is State.OPEN

    def status(self) -> LinkStatus:
        """Its state at this moment."""
        return LinkStatus(self.peer, self._state.value, self._waiting_bytes)

    def __repr__(self) -> str:
        node, incarnation, host, port = self.peer
        return f"<link to {node} ({incarnation}) at {host}:{port}, {self._state.value}>"

    def send(self, message: Any) -> int:
        """See `Link.send`."""
        if self._state is not State.OPEN and self._state is not State.DIALLING:
            raise LinkDown(
                f"{self.peer.node} at {self.peer.host}:{self.peer.port} cannot be reached now ({self._state.value})"
            )
        settings = self._office.settings
        try:
            frame = self._office.registry.encode(message, settings.max_frame)
        except UnencodableMessage as error:
            raise MessageTooLarge(str(error)) from None
        if self._idle:
            self._idle = False
            self._serial += 1
            self._hand_over(1, frame)
            self._flush_soon()
            return self._serial
        if self._waiting_bytes + len(frame) > settings.max_queued_bytes:
            raise LinkFull(f"{self._waiting_bytes} bytes wait for {self.peer.node} already: slow down and try again")
        self._serial += 1
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        return self._serial

    # --- writing

    def _hand_over(self, messages: int, data: bytes) -> None:
        self._handed += messages
        self._office.traffic.messages_out += messages
        if self._connection is not None:
            self._connection.write(data)

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._office.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._state is not State.OPEN or self._paused:
            return
        if not self._waiting:
            self._idle = True
            return
        self._write_waiting()
        if not self._paused:
            self._flush_soon()  # under load: gather once more, instead of a write of its own for the next message

    def _write_waiting(self) -> None:
        """Hand what waits to the transport until that is full."""
        while self._waiting and not self._paused:
            self._hand_over(*self._portion())

    def _portion(self) -> tuple[int, bytes]:
        if self._waiting_bytes <= _BYTES_PER_WRITE:
            count, data = len(self._waiting), b"".join(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            return count, data
        frames: list[bytes] = []
        size = 0
        while self._waiting and size < _BYTES_PER_WRITE:
            frames.append(self._waiting.popleft())
            size += len(frames[-1])
        self._waiting_bytes -= size
        return len(frames), b"".join(frames)

    def pause(self) -> None:
        """The transport is full."""
        self._paused = True
        self._idle = False

    def resume(self) -> None:
        """The transport takes more."""
        self._paused = False
        self._flush_soon()

    # --- connecting

    def dial(self) -> None:
        """Make a connection, or wait until we know who we are."""
        self._redial = None
        self._state = State.DIALLING
        if self._office.me is None:
            return
        wanted = Identity(self.peer.node, self.peer.incarnation)
        connection = self._connection = DialledConnection(self._office, self, self._office.me, wanted)
        task = self._office.loop.create_task(self._connect(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: DialledConnection) -> None:
        settings = self._office.settings
        try:
            async with asyncio.timeout(settings.connect_seconds):
                await self._office.network.connect(
                    lambda: connection, self.peer.host, self.peer.port, settings.client_tls
                )
        except ConnectionRefusedError:
            connection.end("nobody listens there", dead=True)
        except TimeoutError:
            connection.end(f"no connection within {settings.connect_seconds} s")
        except (OSError, ValueError, OverflowError) as error:  # a host or a port that can be none
            connection.end(f"no connection: {error}")

    def opened(self, connection: DialledConnection) -> None:
        """The handshake is done."""
        if connection is not self._connection or self._state is not State.DIALLING:
            connection.abort()
            return
        self._state = State.OPEN
        self._paused = False
        self._failures = 0
        self._opened_at = self._office.loop.time()
        self._office.traffic.opened += 1
        log.debug("%r", self)
        self._office.listener.opened(self)
        self._flush()

    def ended(self, connection: DialledConnection, why: str, *, dead: bool) -> None:
        """The connection is over, or could not be made."""
        if connection is not self._connection or self._state is State.CLOSED:
            return
        self._connection = None
        was_open = self._state is State.OPEN
        first_unsent, unsent = self._forget_waiting()
        if was_open:
            self._office.traffic.lost += 1
        if was_open or self._failures == 0:
            log.debug("%r: %s", self, why)
        elif not (dead or connection.is_explained):
            self._complain(why)
        self._try_again(self._pause_after_life() if was_open else self._pause_after_failure())
        self._tell_lost(first_unsent, unsent)
        if dead and not self._is_closed():
            self._office.listener.dead(self, why)

    def _complain(self, why: str) -> None:
        self._office.complaints.say(
            "out unreachable",
            f"no link to {self.peer.node} at {self.peer.host}:{self.peer.port}: {why}. If it lives, look at its "
            "address (`advertise`), at what is between, and whether both sides use TLS with certificates of one CA",
        )

    def _is_closed(self) -> bool:
        return self._state is State.CLOSED

    def _forget_waiting(self) -> tuple[int, deque[bytes]]:
        first_unsent, unsent = self._handed + 1, self._waiting
        self._handed = self._serial
        self._waiting = deque()
        self._waiting_bytes = 0
        self._idle = self._paused = False
        return first_unsent, unsent

    def _tell_lost(self, first_unsent: int, unsent: deque[bytes]) -> None:
        self._office.listener.lost(self, first_unsent)
        for frame in unsent:
            self._office.listener.unsent(self, self._office.registry.decode(unframed(frame)))

    def _pause_after_life(self) -> float:
        # At once, as a killed process is noticed by its refusal; but not over and over when each one is cut soon.
        stood = self._office.loop.time() - self._opened_at
        pause = self._pause(self._short_lives) if self._short_lives else 0.0
        self._short_lives = 0 if stood >= self._office.settings.longest_pause else self._short_lives + 1
        return pause

    def _pause_after_failure(self) -> float:
        self._failures += 1
        return self._pause(self._failures)

    def _pause(self, attempt: int) -> float:
        settings = self._office.settings
        grown = min(settings.longest_pause, settings.first_pause * 2.0 ** min(attempt - 1, 30))
        return grown * (0.5 + self._office.draw() / 2)

    def _try_again(self, pause: float) -> None:
        if pause == 0:
            self.dial()
            return
        self._state = State.WAITING
        self._redial = self._office.loop.call_later(pause, self.dial)

    def identity_changed(self) -> None:
        """We are somebody else now: connect anew, under the new name."""
        if self._connection is not None:
            self._connection.end("this node has another incarnation now")
        elif self._state is State.DIALLING:
            self.dial()

    # --- ending

    def finish(self) -> None:
        """Write what waits and close the connection when it has left."""
        was_open = self._state is State.OPEN
        if was_open:
            self._paused = False  # the transport takes it all, full or not: there will be no later
            while self._waiting:
                self._hand_over(*self._portion())
        self._close(flush=was_open)

    def drop(self) -> None:
        """Close at once, for good."""
        self._close(flush=False)

    def _close(self, *, flush: bool) -> None:
        if self._state is State.CLOSED:
            return
        active = self._state is not State.WAITING
        connection, self._connection = self._connection, None
        self._state = State.CLOSED
        first_unsent, unsent = self._forget_waiting()
        if self._redial is not None:
            self._redial.cancel()
        for task in self._tasks:
            task.cancel()
        if connection is not None:
            connection.end("closed by us", flush=flush)
        if active:
            self._tell_lost(first_unsent, unsent)

    async def tasks_ended(self) -> None:
        """Wait for the end of attempts to connect that were cancelled."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
