"""Protocols that the network's tests talk with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class Notes(asyncio.Protocol):
    """Keeps what it hears.

    Attributes:
        got: the bytes, in pieces as they came.
        lost: done when the connection ends, with the error or None.
        events: what was called, in order; data as its length.
    """

    def __init__(self, *, keep_open: bool = False) -> None:
        self.got: list[bytes] = []
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.events: list[str] = []
        self.keep_open = keep_open

    @property
    def text(self) -> bytes:
        """All bytes."""
        return b"".join(self.got)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        self.got.append(data)
        self.events.append("data")

    def eof_received(self) -> bool:
        self.events.append("eof")
        return self.keep_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")
        self.lost.set_result(exc)

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")


class Echo(Notes):
    """Sends back what it gets."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.transport.write(data)


def kept(into: list[Notes], kind: Callable[[], Notes] = Notes) -> Callable[[], Notes]:
    """A factory of protocols that keeps what it made."""

    def make() -> Notes:
        into.append(kind())
        return into[-1]

    return make
