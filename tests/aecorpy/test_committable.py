"""Events with the commit of their offset."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from aecorpy import (
    ClusterNode,
    Committable,
    ConsumerId,
    EntityEvent,
    EventTag,
    Fenced,
    OutcomeUnknown,
    TagConsumer,
    Unavailable,
)
from aecorpy.committable import committable_events
from journal.contract import Database
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.samples import Added, Counter
from tests.faulty_store import Fault, FaultyDatabase, lost_after, lost_before, unavailable

READER = TagConsumer(ConsumerId("mailer"), EventTag("counter", 0))


def stream(node: ClusterNode, epoch: int | None = None) -> AsyncIterator[Committable[EntityEvent[Added]]]:
    """The reader's events on a node."""
    return committable_events(node.journal(Counter), node.database.offsets, READER, epoch=epoch)


async def written(node: ClusterNode, start: int, count: int) -> None:
    """Numbers from `start` on, into shard 0."""
    counters = await node.deploy(Counter)
    key = next(key for key in map(str, range(1_000)) if counters.door.tagging.shard_of(key) == 0)
    for n in range(start, start + count):
        await counters(key).add(n)


async def take(events: AsyncIterator[Committable[EntityEvent[Added]]], count: int, commit: bool) -> list[int]:
    """The next numbers, committed one by one or not at all."""
    found: list[int] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            item = await anext(events)
            found.append(item.value.payload.n)
            if commit:
                await item.commit()
    return found


async def test_what_is_not_committed_comes_again(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    await written(node, 1, 5)
    for commit, expected in ((False, [1, 2, 3]), (True, [1, 2]), (False, [3, 4, 5]), (True, [3, 4, 5])):
        events = stream(node)
        assert await take(events, len(expected), commit) == expected
        await events.aclose()  # type: ignore[attr-defined]


async def test_it_is_live(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    await written(node, 1, 1)
    events = stream(node)
    assert await take(events, 1, True) == [1]
    waiting = asyncio.ensure_future(take(events, 2, True))
    await asyncio.sleep(0)
    counters_key = next(key for key in map(str, range(1_000)) if Counter.tagging.shard_of(key) == 0)
    store = node.journal(Counter)
    epoch = (await store.store.heads())[0].epoch
    await store.append(0, epoch, counters_key, 2, [Added(2), Added(3)])
    assert await waiting == [2, 3]
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_later_commit_covers_the_earlier_events(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    await written(node, 1, 3)
    events = stream(node)
    first, second, _ = [await anext(events) for _ in range(3)]
    await second.commit()
    await first.commit()
    await second.commit()
    await events.aclose()  # type: ignore[attr-defined]
    assert (await database.offsets.read("mailer"))[str(READER.tag)].offset == 2


async def test_the_older_of_two_readers_is_fenced(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    await written(node, 1, 3)
    async with aclosing(stream(node)) as older, aclosing(stream(node)) as newer:  # type: ignore[type-var]
        item = await anext(older)
        assert await take(newer, 1, True) == [1]
        with pytest.raises(Fenced):
            await item.commit()


async def test_a_claim_that_is_not_newer_is_refused(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    await written(node, 1, 1)
    async with aclosing(stream(node, 5)) as events:  # type: ignore[type-var]
        assert await take(events, 1, True) == [1]
    with pytest.raises(Fenced):
        await anext(stream(node, 5))


async def test_commits_at_the_same_time_take_turns(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    await written(node, 1, 5)
    async with aclosing(stream(node)) as events:  # type: ignore[type-var]
        items = [await anext(events) for _ in range(5)]
        await asyncio.gather(*(item.commit() for item in (items[1], items[0], items[4], items[3], items[2])))
    assert (await database.offsets.read("mailer"))[str(READER.tag)].offset == 5


@pytest.mark.parametrize("fault", [lost_before, lost_after, unavailable])
async def test_a_commit_that_failed_may_be_repeated(
    start_node: StartNode, faulty: FaultyDatabase, fault: Callable[[], Fault]
) -> None:
    node = await start_node()
    await written(node, 1, 3)
    async with aclosing(stream(node)) as events:  # type: ignore[type-var]
        item = await anext(events)
        faulty.on("offsets_commit", fault())
        with pytest.raises((OutcomeUnknown, Unavailable)):
            await item.commit()
        await item.commit()
        await (await anext(events)).commit()
    assert (await faulty.offsets.read("mailer"))[str(READER.tag)].offset == 2


async def test_a_reader_that_was_superseded_while_it_was_unsure_is_told(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    node = await start_node()
    await written(node, 1, 3)
    async with aclosing(stream(node)) as older, aclosing(stream(node)) as newer:  # type: ignore[type-var]
        item = await anext(older)
        faulty.on("offsets_commit", lost_before())
        with pytest.raises(OutcomeUnknown):
            await item.commit()
        assert await take(newer, 2, True) == [1, 2]
        with pytest.raises(Fenced, match="consumer 'mailer' on counter-0"):
            await item.commit()


async def test_a_changed_value_keeps_its_commit() -> None:
    committed = []

    async def commit() -> None:
        committed.append(True)

    changed = Committable(3, commit).map(str)
    assert changed.value == "3"
    await changed.commit()
    assert committed == [True]
