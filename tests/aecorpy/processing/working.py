"""One worker on virtual time, with its keep-alive actor and shard played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aecorpy.processing.process import Process, ProcessContext
from aecorpy.processing.states import Control
from aecorpy.processing.worker import Patience, Report, Task, Worker
from journal.memory import MemoryDatabase
from sharding.actors import AsyncActor, Engine
from sharding.messages import Appear
from tests.aecorpy.conftest import NOW
from tests.sharding.virtually import until


class Inbox(AsyncActor):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Any] = []

    def receiveMessage(self, message: Any, sender: Any) -> None:
        """Keep it."""
        self.got.append(message)


class Desk:
    """A worker at work.

    Args:
        process: what it runs.
        control: what management wants at first.
        patience: its pauses and bounds.
    """

    def __init__(
        self,
        process: Process,
        control: Control | None = None,
        patience: Patience | None = None,
        hold: Callable[[BaseException], Any] | None = None,
    ) -> None:
        self.engine = Engine(asyncio.get_running_loop())
        self.keep_alive, self.shard = Inbox(), Inbox()
        keep_alive, shard = self.engine.create(lambda: self.keep_alive), self.engine.create(lambda: self.shard)
        context = ProcessContext("jobs", process.name, 0, "node-1", 7, MemoryDatabase(clock=lambda: NOW))
        task = Task(process, context, 1, hold=hold)
        self.worker = self.engine.create(
            lambda: Worker(task, control or Control(), patience or Patience(), keep_alive, shard, lambda: 0.5)
        )
        self.tell(Appear())

    def tell(self, message: Any) -> None:
        """To the worker."""
        self.engine.tell(self.worker, message)

    @property
    def reports(self) -> list[Report]:
        """All of its reports."""
        return [message for message in self.keep_alive.got if isinstance(message, Report)]

    @property
    def state(self) -> str:
        """What it reported last."""
        return self.reports[-1].state.state if self.reports else "nothing"

    @property
    def states(self) -> list[str]:
        """What it reported, without repetitions."""
        states = [report.state.state for report in self.reports]
        return [state for place, state in enumerate(states) if place == 0 or states[place - 1] != state]

    async def becomes(self, state: str, within: float = 60.0) -> float:
        """Wait for a state; returns how many seconds that took."""
        return await until(lambda: self.state == state, within)

    async def close(self) -> None:
        """End everything."""
        await self.engine.shutdown()


def process(body: Callable[[], Awaitable[None]], name: str = "job") -> Process:
    """A process without interest in its context."""

    async def run(_: ProcessContext) -> None:
        await body()

    return Process.of(name, run)
