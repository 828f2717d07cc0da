"""Waiting until a view has seen something: how far its consumer's offsets have come, asked once for all who wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aecorpy.errors import JournalError, Unavailable
from journal.contract import Database, JournalStore
from journal.records import ConsumerOffset, offset_on
from journal.tagging import EventTag

LOOK_SECONDS = 0.005
LONGEST_PAUSE = 1.0

_log = logging.getLogger(__name__)


class ViewBehind(Unavailable):
    """A view has not seen in time what it was waited for. It may later."""

    def __init__(self, view: str, missing: Mapping[str, tuple[int, int]], seconds: float) -> None:
        some = ", ".join(f"{tag} at {there} of {wanted}" for tag, (there, wanted) in sorted(missing.items())[:5])
        more = "" if len(missing) <= 5 else f" and {len(missing) - 5} more"
        super().__init__(
            f"view {view!r} is behind after {round(seconds, 2):g} s: {some}{more}; "
            "see `aecorpy projections` for whether it runs, is paused or failing"
        )
        self.view, self.missing = view, dict(missing)


@dataclass(slots=True, eq=False)
class _Waiter:
    wanted: Mapping[str, int]
    seen: asyncio.Future[None]


class ViewProgress:
    """How far views have come.

    Args:
        database: where their offsets are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiters: dict[str, dict[_Waiter, None]] = {}
        self._lookers: dict[str, asyncio.Task[None]] = {}
        self._last: dict[str, Mapping[str, ConsumerOffset]] = {}

    async def reached(self, view: str, wanted: Mapping[str, int], seconds: float) -> None:
        """Return when the consumer `view` is at or beyond an offset on each of some tags.

        Args:
            view: the consumer.
            wanted: offsets by tag.
            seconds: how long to wait.

        Raises:
            ViewBehind: it was not there in time.
        """
        waiter = _Waiter(wanted, asyncio.get_running_loop().create_future())
        self._waiters.setdefault(view, {})[waiter] = None
        if view not in self._lookers:
            self._lookers[view] = asyncio.get_running_loop().create_task(self._look(view), name=f"view-{view}")
        try:
            async with asyncio.timeout(seconds):
                await waiter.seen
        except TimeoutError:
            raise ViewBehind(view, _missing(wanted, self._last.get(view, {})), seconds) from None
        finally:
            self._waiters[view].pop(waiter, None)

    async def caught_up(self, view: str, store: JournalStore, seconds: float) -> None:
        """Return when the consumer `view` has seen everything that is in a journal now. Raises as `reached` does."""
        wanted = {str(EventTag(store.name, shard)): head for shard, _, head in await store.heads() if head}
        await self.reached(view, wanted, seconds)

    async def close(self) -> None:
        """Stop looking. Who still waits hears of it when its time is over."""
        for looker in list(self._lookers.values()):
            looker.cancel()
            await asyncio.wait([looker])

    async def _look(self, view: str) -> None:
        pause = LOOK_SECONDS
        try:
            while waiters := self._waiters[view]:
                try:
                    there = self._last[view] = await self._database.offsets.read(view)
                    pause = LOOK_SECONDS
                except JournalError as error:
                    pause = min(2 * pause, LONGEST_PAUSE)
                    _log.warning("cannot see how far view %r is: %s", view, error)
                else:
                    for waiter in list(waiters):
                        if not waiter.seen.done() and not _missing(waiter.wanted, there):
                            waiter.seen.set_result(None)
                            del waiters[waiter]
                await asyncio.sleep(pause)
        finally:
            del self._lookers[view]


class ViewsOfJournal:
    """The views of one entity type's events, for callers who want to read what they wrote.

    Args:
        progress: of all views.
        store: the type's journal.
        shard_of: the shard of an entity's key.
    """

    def __init__(self, progress: ViewProgress, store: JournalStore, shard_of: Callable[[str], int]) -> None:
        self._progress = progress
        self._store = store
        self._shard_of = shard_of

    async def wait(self, view: str, key: str, version: int | None, seconds: float) -> None:
        """Return when `view` has seen an entity as of `version`, or as it is now.

        Raises:
            ViewBehind: it has not, in time.
            Unavailable: the entity has not come to that version in time, or the store is away.
        """
        shard = self._shard_of(key)
        tag = str(EventTag(self._store.name, shard))
        end = asyncio.get_running_loop().time() + seconds
        while True:
            if version is None:
                offset = (await self._store.heads())[shard].head
            else:
                events = await self._store.read_entity(key, version, 1)
                offset = events[0].offset if events else 0
            left = end - asyncio.get_running_loop().time()
            if offset or version is None:
                return await self._progress.reached(view, {tag: offset}, max(0.0, left))
            if left <= 0:
                raise Unavailable(f"{self._store.name} {key!r} has not come to version {version} within {seconds:g} s")
            await asyncio.sleep(min(LOOK_SECONDS, left))


def _missing(wanted: Mapping[str, int], there: Mapping[str, ConsumerOffset]) -> dict[str, tuple[int, int]]:
    found = {tag: offset_on(there, tag) for tag in wanted}
    return {tag: (found[tag], offset) for tag, offset in wanted.items() if found[tag] < offset}
