"""The entities that the tests of the runtime use."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from aecorpy import (
    Entity,
    Fold,
    Folded,
    Impossible,
    ImpossibleEvent,
    Next,
    Rejection,
    Snapshotting,
    Tagging,
    command,
    event,
    query,
    snapshot,
)


@event("Added")
@dataclass(frozen=True, slots=True)
class Added:
    n: int
    note: str = ""


class Negative(Rejection):
    """A counter does not go below zero."""


@dataclass(eq=False)
class TooMuch(Rejection):
    """More than allowed."""

    asked: int
    limit: int


class Oops(Exception):
    """A bug in a command."""


class Speechless(Exception):
    """A bug in a command, with another one in its text."""

    def __str__(self) -> str:
        raise Oops("a bug in the text of an error")


def added(total: int, event: Added) -> Folded[int]:
    """The counter's fold, with three events that it does not like."""
    if event.note == "impossible":
        return Impossible("it says so itself")
    if event.note == "fold raises":
        raise Oops("a bug in the fold")
    if event.note == "fold raises without text":
        raise Speechless
    return Next(total + event.n)


class Stops:
    """Places at which awaiting commands wait until the test lets them go on."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self._open: dict[str, asyncio.Event] = {}

    def _event(self, name: str) -> asyncio.Event:
        return self._open.setdefault(name, asyncio.Event())

    async def wait(self, name: str) -> None:
        """Wait until `name` is let go."""
        self.started.append(name)
        await self._event(name).wait()

    def let_go(self, *names: str) -> None:
        """Let commands go on."""
        for name in names:
            self._event(name).set()


class Counter(Entity[int, Added]):
    """Counts, and misbehaves when asked to."""

    fold = Fold(0, added)
    tagging = Tagging.partitioned(4)
    rejections = (Negative, TooMuch)
    stops: ClassVar[Stops] = Stops()
    left: ClassVar[list[asyncio.Future[None]]] = []

    @command
    async def add(self, n: int) -> int:
        if self.state + n < 0:
            raise Negative()
        if n > 1_000:
            raise TooMuch(n, 1_000)
        self.append(Added(n))
        return self.state

    @command
    async def add_noted(self, n: int, note: str) -> int:
        self.append(Added(n, note))
        return self.state

    @command
    async def add_all(self, ns: tuple[int, ...]) -> int:
        self.append(*[Added(n) for n in ns])
        return self.state

    @command
    async def add_after(self, n: int, stop: str) -> int:
        """Append before and after waiting; the state after it."""
        self.append(Added(n))
        await self.stops.wait(stop)
        self.append(Added(n))
        return self.state

    @command
    async def add_after_read(self, n: int, stop: str) -> int:
        """Wait, and only then append."""
        await self.stops.wait(stop)
        if self.state + n < 0:
            raise Negative()
        self.append(Added(n))
        return self.state

    @command
    async def fail(self, n: int) -> None:
        self.append(Added(n))
        raise Oops("a bug in the command")

    @command
    async def fail_after(self, n: int, stop: str) -> None:
        self.append(Added(n))
        await self.stops.wait(stop)
        raise Oops("a bug after an await")

    @command
    async def fail_speechless(self, n: int) -> None:
        self.stops.started.append("speechless")
        self.append(Added(n))
        raise Speechless

    @command
    async def fail_speechless_after(self, n: int, stop: str) -> None:
        self.append(Added(n))
        await self.stops.wait(stop)
        raise Speechless

    @command
    async def leave_behind(self, n: int, stop: str) -> None:
        """Leave a task that appends after the command, and keep it in `left`."""

        async def late() -> None:
            await self.stops.wait(stop)
            self.append(Added(n))

        self.left.append(asyncio.ensure_future(late()))

    @command
    async def cancel_oneself(self, n: int) -> None:
        self.append(Added(n))
        raise asyncio.CancelledError

    @command
    async def cancel_oneself_later(self, n: int) -> None:
        self.append(Added(n))
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    @command
    async def catch_impossible(self, n: int) -> int:
        """Notice that an event is impossible, and go on with another."""
        with suppress(ImpossibleEvent):
            self.append(Added(n), Added(n, "impossible"), Added(n))
        return self.state

    @query
    async def get(self) -> int:
        return self.state

    @query
    async def get_version(self) -> int:
        return self.version

    @query
    async def get_after(self, stop: str) -> int:
        await self.stops.wait(stop)
        return self.state

    @query
    async def sneak(self) -> int:
        self.append(Added(1))
        return self.state


@snapshot("Total")
@dataclass(frozen=True, slots=True)
class Total:
    amount: int
    events: int


class Saver(Entity[Total | None, Added]):
    """A counter that keeps a snapshot every three events."""

    fold = Fold.optional(
        lambda added: Next(Total(added.n, 1)),
        lambda total, added: Next(Total(total.amount + added.n, total.events + 1)),
    )
    tagging = Tagging.partitioned(4)
    snapshotting = Snapshotting(3)

    @command
    async def add(self, n: int) -> Total | None:
        self.append(Added(n))
        return self.state

    @command
    async def add_all(self, ns: tuple[int, ...]) -> Total | None:
        self.append(*[Added(n) for n in ns])
        return self.state

    @query
    async def get(self) -> Total | None:
        return self.state
