"""An engine on a thread of its own, with a loop of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread
from typing import Any

from sharding.actors.engine import Engine
from sharding.actors.run_queue import Budget

__all__ = ["LoopThread"]


class LoopThread:
    """Runs until its engine is shut down, by whomever.

    A daemon thread: a program that ends without a shutdown ends nevertheless, and its actors with it.

    Attributes:
        engine: the engine, running.
    """

    def __init__(self, capabilities: dict[str, Any] | None, budget: Budget | None) -> None:
        started: Future[Engine] = Future()
        self._thread = Thread(target=self._run, args=(started, capabilities, budget), name="actors", daemon=True)
        self._thread.start()
        self.engine = started.result()

    def join(self, seconds: float | None = None) -> bool:
        """Wait until the thread has ended.

        Returns:
            Whether it has.
        """
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @staticmethod
    def _run(started: Future[Engine], capabilities: dict[str, Any] | None, budget: Budget | None) -> None:
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(_serve(started, capabilities, budget))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            # Not asyncio.run: that waits without end for tasks that do not heed their cancellation.
            loop.close()


async def _serve(started: Future[Engine], capabilities: dict[str, Any] | None, budget: Budget | None) -> None:
    try:
        engine = Engine(capabilities=capabilities, budget=budget)
    except BaseException as error:
        started.set_exception(error)
        raise
    started.set_result(engine)
    await engine.wait_closed()
