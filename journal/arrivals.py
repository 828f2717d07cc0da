"""Waking readers when a shard has grown.

Appends of this process wake its readers at once, after their commit. What other processes append is found by polling
the heads of all shards in one query, only while somebody reads, and more often while something comes. `NOTIFY` is not
used: inside an append it would take a lock of the whole PostgreSQL server at commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from journal.contract import JournalStore
from journal.errors import Unavailable

_log = logging.getLogger(__name__)


class Arrivals:
    """How far each shard of one journal is known to have grown, and who waits for more.

    Args:
        store: whose heads are polled.
        poll_seconds: pause between two polls while somebody waits; a quarter of it after one that found something.
    """

    def __init__(self, store: JournalStore, *, poll_seconds: float = 0.02) -> None:
        self._store = store
        self._poll_seconds = poll_seconds
        self._heads = [0] * store.shard_count
        self._waiters: dict[int, dict[asyncio.Future[None], None]] = {}  # in the order in which they came
        self._poller: asyncio.Task[None] | None = None
        self._asked = False
        self._closed = False

    def grown(self, shard: int, head: int) -> None:
        """Note that `shard` has events up to `head`, and wake who waits for them."""
        if head <= self._heads[shard]:
            return
        self._heads[shard] = head
        for waiter in self._waiters.pop(shard, ()):
            if not waiter.done():
                waiter.set_result(None)

    def grown_beyond(self, after: Mapping[int, int]) -> dict[int, int]:
        """Those entries of `after` whose shard is known to have an event beyond the offset given for it."""
        return {shard: offset for shard, offset in after.items() if self._heads[shard] > offset}

    async def wait_beyond(self, after: Mapping[int, int]) -> None:
        """Return when some shard in `after` has an event beyond the offset given for it.

        Raises:
            Unavailable: the journal was closed.
        """
        if self._closed:
            raise self._over()
        # Also for a reader that need not wait: while it is busy with one shard, others grow that it does not know of.
        self._asked = True
        if self._poller is None:
            self._poller = asyncio.get_running_loop().create_task(self._poll(), name="journal-arrivals")
        if any(self._heads[shard] > offset for shard, offset in after.items()):
            return
        waiter = asyncio.get_running_loop().create_future()
        for shard in after:
            self._waiters.setdefault(shard, {})[waiter] = None
        try:
            await waiter
        finally:
            self._forget(waiter, after)

    def _over(self) -> Unavailable:
        return Unavailable(f"journal {self._store.name!r} was closed")

    def _forget(self, waiter: asyncio.Future[None], after: Mapping[int, int]) -> None:
        for shard in after:
            waiting = self._waiters.get(shard)
            if waiting is not None:
                waiting.pop(waiter, None)
                if not waiting:
                    del self._waiters[shard]

    async def close(self) -> None:
        """Stop polling; who still waits gets `Unavailable`. Idempotent."""
        self._closed = True
        for waiters in list(self._waiters.values()):
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(self._over())
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait([self._poller])

    async def _poll(self) -> None:
        pause = self._poll_seconds
        try:
            while self._waiters or self._asked:
                self._asked = False
                try:
                    heads = await self._store.heads()
                    known = sum(self._heads)
                    for shard, _, head in heads:
                        self.grown(shard, head)
                    pause = self._poll_seconds / 4 if sum(self._heads) > known else self._poll_seconds
                except Exception as error:  # noqa: BLE001 - a store's bug must not leave readers waiting for ever
                    pause = min(pause * 2, 1.0)
                    _log.warning("journal %r: cannot look for new events: %r", self._store.name, error)
                await asyncio.sleep(pause)
        finally:
            self._poller = None
