"""Ending tasks for certain: whoever does it goes on only when nothing of them runs any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and return when all have ended, however long one that ignores it goes on.

    When the caller is cancelled meanwhile, they are cancelled again, and `CancelledError` is raised in the end:
    otherwise what is left of an instance could run beside the next one.
    """
    cancelled: asyncio.CancelledError | None = None
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled = error
        left = {task for task in left if not task.done()}
    if cancelled is not None:
        raise cancelled
