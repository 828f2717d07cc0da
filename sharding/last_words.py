"""What members that are lost still have to say: answers come on their own connections, which may outlive ours."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from sharding.asks import RemoteAsks
from sharding.links import Links

HEARING_SECONDS = 1.0


class _Awaited(NamedTuple):
    why: str
    drop: bool
    timer: asyncio.TimerHandle


class LastWords:
    """Gives up asks that are in doubt, and drops members, once nothing of them can be on its way any more.

    Args:
        loop: whose time counts.
        asks: the node's.
        links: the node's; None when it is alone.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, asks: RemoteAsks, links: Links | None) -> None:
        self._loop = loop
        self._asks = asks
        self._links = links
        self._awaited: dict[int, _Awaited] = {}

    def listen(self, incarnation: int, why: str, *, drop: bool) -> None:
        """Hear the member out, for at most a second: what it sent is read before the end of its connection is.

        Args:
            why: what callers are told whose asks are given up then.
            drop: whether the member is gone for good.
        """
        awaited = self._awaited.get(incarnation)
        if awaited is not None:
            self._awaited[incarnation] = awaited._replace(drop=drop or awaited.drop)
        elif self._links is None or not self._links.hears(incarnation):
            self._heard_out(incarnation, why, drop)
        else:
            timer = self._loop.call_later(HEARING_SECONDS, self.unheard, incarnation)
            self._awaited[incarnation] = _Awaited(why, drop, timer)

    def unheard(self, incarnation: int) -> None:
        """Its connection has ended, or it has had its time."""
        awaited = self._awaited.pop(incarnation, None)
        if awaited is not None:
            awaited.timer.cancel()
            self._heard_out(incarnation, awaited.why, awaited.drop)

    def _heard_out(self, incarnation: int, why: str, drop: bool) -> None:
        self._asks.give_up(incarnation, why)
        if drop and self._links is not None:
            self._links.drop(incarnation)

    def close(self) -> None:
        """Listen to nobody any more."""
        for awaited in self._awaited.values():
            awaited.timer.cancel()
        self._awaited.clear()
