"""Events together with the commit of their offset, for processes that do something else with them than a view.

Names and shape are Aecor's. Delivery is at least once: what was handled but not committed comes again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, NewType, TypeVar

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

    `commit` covers everything before the value on the same tag, too; it raises `Fenced` when another consumer of the
    same name has claimed the tag since.
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

    async def commit(offset: int) -> None:
        nonlocal committed
        if offset > committed:
            await offsets.commit(reader.consumer, [OffsetMove(tag, committed, offset)], epoch)
            committed = offset

    async for event in journal.events(reader.tag, committed):
        yield Committable(event, lambda offset=event.offset: commit(offset))  # type: ignore[misc]
