"""Waiting for a view to show what the journal holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aecorpy import AecorError
from aecorpy.projection import ProjectionStatus
from journal.records import ShardHead

STALLED_SECONDS = 60.0


async def caught_up(
    status: Callable[[], ProjectionStatus], heads: Sequence[ShardHead], limit: float = STALLED_SECONDS
) -> None:
    """Return when a projection has handled all up to `heads`.

    Args:
        status: asks the projection where it is.
        heads: how far it is to come on each shard's tag.
        limit: seconds after which to give up when it does not move.

    Raises:
        AecorError: it has stopped, or does not move.
    """
    clock = asyncio.get_running_loop().time
    moved, since = -1, clock()
    while behind(now := status(), heads):
        if now.error is not None:
            raise AecorError(f"the view has stopped: {now.error}")
        if now.handled > moved:
            moved, since = now.handled, clock()
        elif clock() - since > limit:
            raise AecorError(f"the view does not catch up: {_trouble(now)}")
        await asyncio.sleep(0.01)


def behind(status: ProjectionStatus, heads: Sequence[ShardHead]) -> int:
    """How many events a projection has yet to handle up to `heads`."""
    return sum(max(0, shard.head - tag.offset) for tag, shard in zip(status.tags, heads, strict=True))


def _trouble(status: ProjectionStatus) -> str:
    return next((tag.error for tag in status.tags if tag.error), f"no event within the time, {status.handled} before")
