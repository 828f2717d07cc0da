"""Nodes with links, which write down what they hear."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from sharding.links import Link, Links, LinkSettings, LoopNetwork, Network, Peer
from sharding.wire import Registry

SECRET = b"a secret that nobody outside should ever see"
SETTINGS = LinkSettings("tickets", SECRET, ping_seconds=0.05, silence_seconds=0.2, first_pause=0.01, longest_pause=0.05)


class Said(NamedTuple):
    """A message: a number and some text."""

    number: int
    text: str = ""


class Blob(NamedTuple):
    """A message: bytes."""

    data: bytes


REGISTRY = Registry({1: Said, 2: Blob})


class Heard:
    """A listener that keeps what it is told, and gives notice of it."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, Any]] = []
        self.told: list[tuple[Any, ...]] = []
        self._something = asyncio.Event()

    def received(self, incarnation: int, message: Any) -> None:
        self.messages.append((incarnation, message))
        self._something.set()

    def opened(self, link: Link) -> None:
        self._tell("opened", link)

    def lost(self, link: Link, first_unsent: int) -> None:
        self._tell("lost", link, first_unsent)

    def unsent(self, link: Link, message: Any) -> None:
        self._tell("unsent", link, message)

    def unheard(self, incarnation: int) -> None:
        self._tell("unheard", incarnation)

    def dead(self, link: Link, reason: str) -> None:
        self._tell("dead", link, reason)

    def _tell(self, *what: Any) -> None:
        self.told.append(what)
        self._something.set()

    def of(self, word: str) -> list[tuple[Any, ...]]:
        """What was told under a word, without the word."""
        return [told[1:] for told in self.told if told[0] == word]

    async def until(self, messages: int = 0, **told: int) -> None:
        """Wait until so many messages and so many of each word were heard."""
        await self._until(
            lambda: len(self.messages) >= messages and all(len(self.of(word)) >= n for word, n in told.items())
        )

    async def until_any(self, *words: str) -> None:
        """Wait until one of these words was heard."""
        await self._until(lambda: any(map(self.of, words)))

    async def _until(self, condition: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(5):
                while not condition():
                    self._something.clear()
                    await self._something.wait()
        except TimeoutError:
            raise AssertionError(f"{len(self.messages)} messages heard; told: {self.told}") from None


class Node:
    """One node: its links and what it hears."""

    def __init__(
        self, name: str, incarnation: int, settings: LinkSettings = SETTINGS, network: Network | None = None
    ) -> None:
        numbers = random.Random(incarnation)
        self.heard = Heard()
        self.name, self.incarnation = name, incarnation
        self.links = Links(
            settings,
            REGISTRY,
            self.heard,
            network=network or LoopNetwork(),
            draw=numbers.random,
            nonce=lambda: numbers.randbytes(32),
        )
        self.peer = Peer(name, incarnation, "127.0.0.1", 0)

    async def start(self, port: int = 0, *, introduce: bool = True) -> Node:
        host, port = await self.links.listen("127.0.0.1", port)
        self.peer = Peer(self.name, self.incarnation, host, port)
        if introduce:
            self.links.introduce(self.name, self.incarnation)
        return self


@asynccontextmanager
async def two_nodes(**settings: Any) -> AsyncIterator[tuple[Node, Node]]:
    """A (incarnation 1) and B (incarnation 2), started, with these settings; closed afterwards."""
    async with nodes(replace(SETTINGS, **settings), replace(SETTINGS, **settings)) as (a, b):
        yield a, b


@asynccontextmanager
async def nodes(*settings: LinkSettings) -> AsyncIterator[tuple[Node, ...]]:
    """Nodes named a, b, … with incarnations 1, 2, …, one for each of the settings."""
    started: list[Node] = []
    try:
        for incarnation, chosen in enumerate(settings, 1):
            started.append(await Node(chr(96 + incarnation), incarnation, chosen).start())
        yield tuple(started)
    finally:
        for node in started:
            await node.links.close()
