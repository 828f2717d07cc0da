"""The last exchange of a node that leaves: when everybody has said farewell, nothing more is on its way to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from sharding.post import Post, Unreachable
from sharding.protocol import Parting

NEWS_PAUSE = 0.01


class Farewells:
    """Asks all members to send nothing more, and waits for their answers.

    Args:
        loop: whose time counts.
        post: reaches members.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, post: Post) -> None:
        self._loop = loop
        self._post = post
        self._awaited: set[int] = set()
        self._all_said: asyncio.Future[None] | None = None

    async def exchange(self, members: Iterable[int], waiting: Callable[[], int], seconds: float) -> bool:
        """Say that we part, and wait for farewells, and until what was sent here is sent on.

        Args:
            members: whom to ask.
            waiting: how many messages still wait for the homes of their shards.
            seconds: to wait at most.

        Returns:
            whether all that happened in time.
        """
        self._awaited = set(members)
        self._all_said = self._loop.create_future()
        for incarnation in sorted(self._awaited):
            try:
                self._post.send(incarnation, Parting(self._post.me))
            except Unreachable:
                self.said(incarnation)
        try:
            async with asyncio.timeout(seconds):
                if self._awaited:
                    await self._all_said
                while waiting():  # noqa: ASYNC110 - a sum over many buffers, which no one event tells of
                    await asyncio.sleep(NEWS_PAUSE)
        except TimeoutError:
            return False
        return True

    def said(self, incarnation: int) -> None:
        """The member has said farewell, or cannot be asked."""
        self._awaited.discard(incarnation)
        if not self._awaited and self._all_said is not None and not self._all_said.done():
            self._all_said.set_result(None)
