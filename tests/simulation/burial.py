"""The end of tasks that never end by themselves, without noise."""

from __future__ import annotations

import asyncio
from typing import Any

_LIMIT = 100


def bury(task: asyncio.Task[Any]) -> None:
    """Take a task that is never run again apart, so that its collection later does nothing and says nothing.

    Its coroutine cannot be dropped without running its `finally` blocks. That happens here, after the end of the
    simulation, when nothing they do has an effect any more.
    """
    if task.done():
        return
    quiet: Any = task
    quiet._log_destroy_pending = False
    coroutine = quiet.get_coro()
    for _ in range(_LIMIT):
        try:
            coroutine.close()
        except RuntimeError:
            continue  # a `finally` that awaits: it went on to the next await
        except Exception:  # noqa: BLE001 - the last words of a process that was killed
            return
        return
