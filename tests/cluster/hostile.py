"""What somebody does who reaches a node's port and should not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

from sharding.links.handshake import DiallerHandshake, Identity, Keys, Refused
from sharding.wire import framed


async def send(port: int, data: bytes) -> bytes:
    """Send `data`, and return all that comes back until the node closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(reader.read(-1), 10)
        return b""
    finally:
        await _close(writer)


async def shake_hands(port: int, keys: Keys, me: Identity, wanted: Identity, *, then: bytes = b"") -> tuple[str, bytes]:
    """Dial as a node would, and send `then`: why it was refused, if it was, and all that came back."""
    handshake = DiallerHandshake(keys, me, wanted, b"n" * 32)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(framed(handshake.hello))
        head = await asyncio.wait_for(reader.readexactly(4), 10)
        body = await reader.readexactly(int.from_bytes(head, "big"))
        try:
            writer.write(framed(handshake.prove(body)))
        except Refused as refused:
            if refused.answer:
                writer.write(framed(refused.answer))
                await reader.read(-1)
            return refused.reason.name, body
        writer.write(then)
        return "", await asyncio.wait_for(reader.read(-1), 10)
    finally:
        await _close(writer)


@contextmanager
def held(writers: list[asyncio.StreamWriter]) -> Iterator[None]:
    """Abort these connections with the block."""
    try:
        yield
    finally:
        for writer in writers:
            writer.transport.abort()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
