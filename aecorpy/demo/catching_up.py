"""Waiting for a view to show what the journal holds."""

from __future__ import annotations

import asyncio
from typing import Protocol

from aecorpy import AecorError
from aecorpy.management.look import DeploymentSeen
from aecorpy.projection.progress import ViewBehind

STALLED_SECONDS = 60.0
LOOK_SECONDS = 1.0


class Followed(Protocol):
    """What a view is to who waits for it: a `DistributedProjection`."""

    async def status(self) -> DeploymentSeen:
        """How far it is."""

    async def caught_up(self, within: float = ..., /) -> None:
        """Return when it has seen all there is now; raise `ViewBehind` if not in time."""


async def caught_up(view: Followed, limit: float = STALLED_SECONDS, every: float = LOOK_SECONDS) -> None:
    """Return when a view has handled everything that is in the journal now.

    Args:
        view: how to ask it.
        limit: seconds after which to give up when it does not move.
        every: seconds between two looks at whether it moves.

    Raises:
        AecorError: it was stopped, or does not move.
        Unavailable: the store cannot be read.
    """
    clock = asyncio.get_running_loop().time
    moved, since = -1, clock()
    while True:
        try:
            return await view.caught_up(every)
        except ViewBehind:
            now = await view.status()
        if now.control.paused:
            raise AecorError(f"the view is paused by {now.control.by}: {now.control.why}")
        if now.handled > moved:
            moved, since = now.handled, clock()
        elif clock() - since > limit:
            raise AecorError(f"the view does not catch up: {now.error or f'no event in {limit:g} s'}")
