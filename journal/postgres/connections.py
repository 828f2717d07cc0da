"""A bounded set of connections that come back after failures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from journal.errors import Overloaded, Unavailable
from journal.postgres.failures import DRIVER_ERRORS, before_commit, held_up
from journal.postgres.link import Link

_log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
MOST_WAITING = 10_000


class Connections:
    """Links to one server, at most `size`, opened when needed and used last in, first out.

    Not asyncpg's own pool: that one asks the server to reset a session each time it is given back, which doubles the
    round trips of a single statement, and it connects again at once, however often it fails.

    Args:
        where: the server, for messages.
        dial: opens a connection.
        size: most connections at a time.
        wait_limit: seconds to wait for a free one.
    """

    def __init__(self, where: str, dial: Callable[[], Awaitable[Link]], *, size: int, wait_limit: float) -> None:
        self.where = where
        self._dial = dial
        self._size = size
        self._wait_limit = wait_limit
        self._free = asyncio.Semaphore(size)
        self._waiting = 0
        self._idle: list[Link] = []
        self._lent: set[Link] = set()
        self._closed = False
        self._all_back = asyncio.Event()
        self._pause = 0.0
        self._not_before = 0.0
        self._held_up = False

    async def take(self) -> Link:
        """A link for the caller alone, who gives it back.

        Raises:
            Unavailable: none can be had; the database is away, or closed here.
        """
        self._check_open()
        await self._wait_for_turn()
        try:
            self._check_open()
            link = self._open_idle() or await self._connect()
            if self._held_up:
                link = await self._cleared(link)
            if self._closed:  # while it was being opened
                link.terminate()
                self._check_open()
            self._lent.add(link)
        except BaseException:
            self._free.release()
            raise
        return link

    def failed(self, error: BaseException) -> None:
        """Hear of what went wrong on a link: where somebody kept a lock for too long, it is looked who that may be."""
        self._held_up = self._held_up or held_up(error)

    def give_back(self, link: Link) -> None:
        """Take a link back. One that is closed, or in the middle of a transaction, is not used again."""
        self._lent.discard(link)
        if self._closed and not self._lent:
            self._all_back.set()
        if self._closed or not link.usable:
            link.terminate()
        else:
            self._idle.append(link)
        self._free.release()

    async def close(self, within: float) -> None:
        """Refuse new users, wait `within` seconds for those there are, and close. Idempotent."""
        self._closed = True
        idle, self._idle = self._idle, []
        for link in idle:
            link.terminate()
        if self._lent:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._all_back.wait()
        for link in self._lent:
            link.terminate()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"PostgreSQL at {self.where}: the database was closed")

    async def _wait_for_turn(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        if self._waiting >= MOST_WAITING:
            raise Overloaded(f"PostgreSQL at {self.where}: connections", MOST_WAITING)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_limit):
                await self._free.acquire()
        except TimeoutError:
            raise Unavailable(
                f"PostgreSQL at {self.where}: all {self._size} connections were busy for {self._wait_limit} s"
            ) from None
        finally:
            self._waiting -= 1

    def _open_idle(self) -> Link | None:
        while self._idle:
            link = self._idle.pop()
            if link.usable:
                return link
            link.terminate()
        return None

    async def _cleared(self, link: Link) -> Link:
        """The link, or another, after silent sessions were ended."""
        self._held_up = False
        try:
            await link.end_silent_sessions()
        except BaseException:
            link.terminate()
            raise
        return link if link.usable else await self._connect()

    async def _connect(self) -> Link:
        if _now() < self._not_before:
            await asyncio.sleep(self._not_before - _now())
            self._check_open()
        try:
            link = await self._dial()
        except DRIVER_ERRORS as error:
            told = before_commit(self.where, error)
            if not self._pause:
                _log.warning("cannot be reached: %s", told)
            self._pause = min(self._pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
            self._not_before = _now() + self._pause
            raise told from error
        if self._pause:
            _log.info("PostgreSQL at %s is reached again", self.where)
        self._pause = self._not_before = 0.0
        return link


def _now() -> float:
    return asyncio.get_running_loop().time()
