"""Events together with the commit of their offset, for processes that do something else with them than a view.

Names and shape are Aecor's. Delivery is at least once: what was handled but not committed comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, NewType, TypeVar

from aecorpy.errors import Fenced
from journal.contract import OffsetStore
from journal.events import EntityEvent, EventJournal
from journal.records import OffsetMove
from journal.tagging import EventTag

ConsumerId = NewType("ConsumerId", str)
T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class TagConsumer:
    """Who reads what: a consumer on one tag, which is one stored offset."""

    consumer: ConsumerId
    tag: EventTag


@dataclass(frozen=True)
class Committable(Generic[T]):
    """A value with the commit of its offset, to be awaited once the value is dealt with.

    `commit` covers everything before the value on the same tag, too, and may be repeated after `Unavailable` and
    `OutcomeUnknown`; it raises `Fenced` when another consumer of the same name has claimed the tag since.
    """

    value: T
    commit: Callable[[], Awaitable[None]]

    def map(self, change: Callable[[T], U]) -> Committable[U]:
        """The same commit, with `change(value)`."""
        return Committable(change(self.value), self.commit)


async def committable_events(
    journal: EventJournal[E], offsets: OffsetStore, reader: TagConsumer, *, epoch: int | None = None
) -> AsyncIterator[Committable[EntityEvent[E]]]:
    """Live events of a tag behind the reader's offset, without end.

    Args:
        journal: whose events.
        offsets: where the reader's offset is kept.
        reader: the consumer and the tag.
        epoch: the claim to read under; None takes the next one in the store, which fences an earlier reader.

    Raises:
        Fenced: the claim is not newer than the stored one.
    """
    tag = str(reader.tag)
    if epoch is None:
        stored = (await offsets.read(reader.consumer)).get(tag)
        epoch = 1 if stored is None else stored.epoch + 1
    committed = (await offsets.claim(reader.consumer, [tag], epoch))[tag]
    place = _Place(offsets, reader.consumer, tag, epoch, committed)
    async for event in journal.events(reader.tag, committed):
        yield Committable(event, lambda offset=event.offset: place.commit(offset))  # type: ignore[misc]


class _Place:
    """Where one reader is. Commits take turns, as each begins where the last one has ended."""

    def __init__(self, offsets: OffsetStore, consumer: ConsumerId, tag: str, epoch: int, committed: int) -> None:
        self._offsets = offsets
        self._consumer, self._tag, self._epoch = consumer, tag, epoch
        self._committed = committed
        self._is_sure = True
        self._turn = asyncio.Lock()

    async def commit(self, offset: int) -> None:
        async with self._turn:
            if not self._is_sure:  # a commit's answer was lost, or not waited for
                await self._reread()
            if offset > self._committed:
                self._is_sure = False
                move = OffsetMove(self._tag, self._committed, offset)
                await self._offsets.commit(self._consumer, [move], self._epoch)
                self._committed, self._is_sure = offset, True

    async def _reread(self) -> None:
        stored = (await self._offsets.read(self._consumer))[self._tag]
        if stored.epoch != self._epoch:
            raise Fenced(f"consumer {self._consumer!r} on {self._tag}", self._epoch, stored.epoch)
        self._committed, self._is_sure = stored.offset, True
