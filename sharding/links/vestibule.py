"""Where accepted connections are until their TLS handshake is done, a bounded number of them.

asyncio's own TLS servers tell nobody of a connection before that, so whoever connects and says nothing could hold as
many as the process has descriptors.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

HANDSHAKE_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class Vestibule:
    """Accepted connections on their way to TLS; over the limit the oldest goes.

    Args:
        protocol: makes the protocol of a connection that has arrived at TLS.
        tls: the server's context.
        most: how many there may be at a time.
    """

    def __init__(self, protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext, most: int) -> None:
        self._protocol = protocol
        self._tls = tls
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._handshakes: dict[asyncio.Task[None], socket.socket] = {}
        self._is_full = False

    def arrival(self) -> asyncio.Protocol:
        """The protocol of a connection that has just been accepted."""
        return _Arrival(self.admit)

    def admit(self, connection: socket.socket) -> None:
        """Begin the handshake."""
        task = self._loop.create_task(self._shake_hands(connection), name="TLS handshake")
        self._handshakes[task] = connection
        task.add_done_callback(self._over)
        if len(self._handshakes) > self._most:
            if not self._is_full:
                _log.warning("%d connections wait for TLS: from now on the oldest is closed for each more", self._most)
            self._is_full = True
            next(iter(self._handshakes)).cancel()

    def close(self) -> None:
        """Let nobody in who is not through yet."""
        for task in self._handshakes:
            task.cancel()

    async def _shake_hands(self, connection: socket.socket) -> None:
        with suppress(OSError):  # also of TLS: who connected is told what TLS tells, and is nobody to us
            await self._loop.connect_accepted_socket(
                self._protocol, connection, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )

    def _over(self, task: asyncio.Task[None]) -> None:
        connection = self._handshakes.pop(task)
        if not self._handshakes:
            self._is_full = False
        if task.cancelled():  # perhaps before it began
            connection.close()
        elif (error := task.exception()) is not None:
            connection.close()
            _log.error("a connection could not be accepted: %r", error)


class _Arrival(asyncio.Protocol):
    """Hands the connection on before anything of it is read."""

    def __init__(self, admit: Callable[[socket.socket], None]) -> None:
        self._admit = admit

    def connection_made(self, transport: Any) -> None:
        """The transport closes its own descriptor of the connection; another one stays."""
        transport.pause_reading()
        kept = transport.get_extra_info("socket").dup()
        transport.abort()
        self._admit(kept)
