"""Two processes that talk on loopback: over links, or by a bare asyncio echo of the same bytes.

`python -m benchmarks.linked_pair links PORT` and `… echo` are the other process; it prints its port and serves until
its standard input is closed, so it does not outlive who started it.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

from benchmarks.harness.load import Load, closed_loop
from sharding.links import Link, Links, LinkSettings, LoopNetwork, Peer
from sharding.wire import Registry


class Ask(NamedTuple):
    """A question, with what an entity's command would carry."""

    number: int
    key: str
    payload: bytes


class Answer(NamedTuple):
    """Its answer."""

    number: int
    payload: bytes


REGISTRY = Registry({1: Ask, 2: Answer})
SETTINGS = LinkSettings("benchmark", secret=b"known to both benchmark processes")
CALLER, ANSWERER = ("caller", 1), ("answerer", 2)


class Caller:
    """Asks over a link, and hears the answers on a connection that the other side made."""

    def __init__(self) -> None:
        self.links = _links(self)
        self.link: Link | None = None
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._number = 0
        self._opened = asyncio.Event()

    async def connect(self, port: int) -> None:
        """Open the link to the process at `port`."""
        self.link = self.links.to(Peer(*ANSWERER, "127.0.0.1", port))
        async with asyncio.timeout(10):
            await self._opened.wait()

    async def ask(self, key: str, payload: bytes) -> bytes:
        """One question and its answer."""
        if self.link is None:
            raise RuntimeError("not connected")
        self._number += 1
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        self.link.send(Ask(self._number, key, payload))
        return await answer

    def received(self, incarnation: int, message: Any) -> None:
        """An answer."""
        self._answers.pop(message.number).set_result(message.payload)

    def opened(self, link: Link) -> None:
        """It can begin."""
        self._opened.set()

    def lost(self, link: Link, first_unsent: int) -> None:
        """Nobody answers any more; also at the end, when none is left."""
        for answer in self._answers.values():
            answer.set_exception(ConnectionError("the link was lost"))

    def unsent(self, link: Link, message: Any) -> None:
        """`lost` has said it."""

    def unheard(self, incarnation: int) -> None:
        """`lost` has said it."""

    def dead(self, link: Link, reason: str) -> None:
        """`lost` has said it."""


class Answerer:
    """Answers each question with its payload."""

    def __init__(self, port: int) -> None:
        self.links = _links(self)
        self._back = self.links.to(Peer(*CALLER, "127.0.0.1", port))

    def received(self, incarnation: int, message: Any) -> None:
        """A question."""
        self._back.send(Answer(message.number, message.payload))

    def opened(self, link: Link) -> None:
        """Nothing to do."""

    def lost(self, link: Link, first_unsent: int) -> None:
        """The caller has gone, or comes."""

    def unsent(self, link: Link, message: Any) -> None:
        """`lost` has said it."""

    def unheard(self, incarnation: int) -> None:
        """The same."""

    def dead(self, link: Link, reason: str) -> None:
        """The same."""


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self._transport.write(data)


class EchoCaller(asyncio.Protocol):
    """Sends bytes and waits until as many have come back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Count."""
        self._missing -= len(data)
        if self._missing == 0:
            self._answer.set_result(None)

    async def ask(self, data: bytes) -> None:
        """One round trip."""
        self._missing = len(data)
        self._answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        await self._answer


async def asks(callers: int, payload_bytes: int, seconds: float) -> Load:
    """Questions and answers between two processes, one link each way, so many in flight."""
    payload = bytes(payload_bytes)
    caller = Caller()
    try:
        _, port = await caller.links.listen()
        caller.links.introduce(*CALLER)
        async with _other_process("links", str(port)) as other:
            await caller.connect(other)
            return await closed_loop(callers, seconds, lambda _: caller.ask("booking-1", payload))
    finally:
        await caller.links.close()


async def asks_per_second(callers: int, payload_bytes: int, seconds: float) -> float:
    """See `asks`."""
    return (await asks(callers, payload_bytes, seconds)).per_second


async def echoes_per_second(payload_bytes: int, seconds: float) -> float:
    """Round trips per second of the same bytes over a bare connection, one at a time."""
    data = REGISTRY.encode(Ask(1, "booking-1", bytes(payload_bytes)))
    async with _other_process("echo") as port:
        transport, echo = await asyncio.get_running_loop().create_connection(EchoCaller, "127.0.0.1", port)
        try:
            return (await closed_loop(1, seconds, lambda _: echo.ask(data))).per_second
        finally:
            transport.close()


def _links(listener: Any) -> Links:
    return Links(
        SETTINGS,
        REGISTRY,
        listener,
        network=LoopNetwork(),
        draw=random.random,
        nonce=lambda: secrets.token_bytes(32),
    )


@asynccontextmanager
async def _other_process(*arguments: str) -> AsyncIterator[int]:
    """The other process; its port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.linked_pair", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no pipe")
        async with asyncio.timeout(30):
            port = int(await process.stdout.readline())
        yield port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _serve(what: str, port: int) -> None:
    if what == "links":
        links = Answerer(port).links
        _, mine = await links.listen()
        links.introduce(*ANSWERER)
    else:
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
        mine = server.sockets[0].getsockname()[1]
    print(mine, flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
