"""Tasks whose actors are gone and which have not ended yet."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

__all__ = ["LeavingTasks"]

_log = logging.getLogger("sharding.actors")


class LeavingTasks:
    """Owns cancelled tasks until they end, so that their errors are logged and a shutdown can wait for them."""

    def __init__(self) -> None:
        self._names: dict[asyncio.Future[Any], str] = {}

    def __len__(self) -> int:
        return len(self._names)

    def add(self, task: asyncio.Future[Any], name: str) -> None:
        """Take over a task of the actor called `name`."""
        self._names[task] = name
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Future[Any]) -> None:
        name = self._names.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("%s: a task raised after its actor had exited", name, exc_info=error)

    async def wait(self, seconds: float) -> list[str]:
        """Wait until all have ended, at most so long.

        Returns:
            The actors whose tasks still run.
        """
        if self._names:
            await asyncio.wait(list(self._names), timeout=seconds)
        return [name for task, name in self._names.items() if not task.done()]
