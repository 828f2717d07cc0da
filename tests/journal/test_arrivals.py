"""Readers are woken when a shard has grown, whoever wrote."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from journal.arrivals import Arrivals
from journal.contract import JournalStore
from journal.errors import OutcomeUnknown, Unavailable
from journal.memory import MemoryDatabase
from journal.records import Append, NewEvent
from tests.faulty_store import Fails, FaultyDatabase, unavailable
from tests.waiting import eventually

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLL = 0.002


@pytest.fixture
def faulty() -> FaultyDatabase:
    """A memory that fails when told to."""
    return FaultyDatabase(MemoryDatabase(clock=lambda: NOW))


@pytest.fixture
async def store(faulty: FaultyDatabase) -> JournalStore:
    """A journal of four shards."""
    store = await faulty.journal("booking", 4)
    for shard in range(4):
        await store.claim(shard, 1)
    return store


async def grow(store: JournalStore, shard: int, key: str = "a", seq_nr: int = 1) -> None:
    """Append an event as another process would."""
    await store.append([Append(shard, 1, key, seq_nr, [NewEvent("Happened", 1, b"")])])


async def waiting(arrivals: Arrivals, after: dict[int, int]) -> asyncio.Task[None]:
    """A reader that waits."""
    task = asyncio.ensure_future(arrivals.wait_beyond(after))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def done(task: asyncio.Task[None]) -> None:
    """Return when the reader is woken."""
    await asyncio.wait_for(task, 5)


async def test_own_appends_wake_their_readers_at_once(store: JournalStore) -> None:
    arrivals = Arrivals(store, poll_seconds=1_000)
    first, second, other = [await waiting(arrivals, {shard: 0}) for shard in (1, 1, 2)]
    arrivals.grown(1, 3)
    await done(first)
    await done(second)
    assert not other.done()
    await done(await waiting(arrivals, {1: 2}))
    behind = await waiting(arrivals, {1: 3})
    assert not behind.done()
    await arrivals.close()


async def test_waiting_for_several_shards_ends_with_the_first(store: JournalStore) -> None:
    arrivals = Arrivals(store, poll_seconds=1_000)
    reader = await waiting(arrivals, {0: 0, 1: 5, 2: 0})
    arrivals.grown(1, 5)
    arrivals.grown(3, 1)
    await asyncio.sleep(0)
    assert arrivals.grown_beyond({0: 0, 1: 5, 2: 0}) == {}
    arrivals.grown(2, 1)
    await done(reader)
    assert arrivals.grown_beyond({0: 0, 1: 4, 2: 0}) == {1: 4, 2: 0}
    await arrivals.close()


async def test_old_news_is_no_news(store: JournalStore) -> None:
    arrivals = Arrivals(store, poll_seconds=1_000)
    arrivals.grown(0, 5)
    reader = await waiting(arrivals, {0: 5})
    arrivals.grown(0, 5)
    arrivals.grown(0, 3)
    await asyncio.sleep(0)
    assert not reader.done()
    assert arrivals.grown_beyond({0: 4}) == {0: 4}
    await arrivals.close()


async def test_appends_of_other_processes_are_found(store: JournalStore) -> None:
    arrivals = Arrivals(store, poll_seconds=POLL)
    reader = await waiting(arrivals, {0: 0, 3: 0})
    await grow(store, 3)
    await done(reader)
    await arrivals.close()


async def test_while_events_come_the_next_are_looked_for_sooner(store: JournalStore) -> None:
    arrivals = Arrivals(store, poll_seconds=1.6)
    await grow(store, 0)
    reader = await waiting(arrivals, {1: 0})
    await eventually(lambda: arrivals.grown_beyond({0: 0}), every=POLL)
    await grow(store, 1, "b")
    await asyncio.wait_for(reader, 1.2)
    await arrivals.close()


async def test_nobody_polls_while_nobody_waits(faulty: FaultyDatabase, store: JournalStore) -> None:
    arrivals = Arrivals(store, poll_seconds=POLL)
    assert faulty.counts["heads"] == 0
    reader = await waiting(arrivals, {0: 0})
    await eventually(lambda: faulty.counts["heads"] > 2, every=POLL)
    reader.cancel()
    await asyncio.wait([reader])
    await eventually(lambda: not polling(), every=POLL)
    before = faulty.counts["heads"]
    await asyncio.sleep(POLL * 10)
    assert faulty.counts["heads"] == before
    again = await waiting(arrivals, {0: 0})
    await grow(store, 0)
    await done(again)
    await arrivals.close()


@pytest.mark.parametrize("error", [OutcomeUnknown("lost"), ZeroDivisionError("a bug in the store")])
async def test_a_store_that_is_away_is_asked_again(
    faulty: FaultyDatabase, store: JournalStore, error: Exception
) -> None:
    arrivals = Arrivals(store, poll_seconds=POLL)
    faulty.on("heads", unavailable(), Fails(error), unavailable())
    reader = await waiting(arrivals, {0: 0})
    await grow(store, 0)
    await done(reader)
    await arrivals.close()


async def test_a_reader_that_is_busy_with_one_shard_hears_of_the_others(store: JournalStore) -> None:
    arrivals = Arrivals(store, poll_seconds=POLL)
    arrivals.grown(0, 1_000_000)
    await grow(store, 1)

    async def looked() -> dict[int, int]:
        await arrivals.wait_beyond({0: 0, 1: 0})
        return arrivals.grown_beyond({1: 0})

    assert await eventually(looked, every=POLL) == {1: 0}
    await arrivals.close()


async def test_a_store_that_is_away_is_asked_ever_less(faulty: FaultyDatabase, store: JournalStore) -> None:
    arrivals = Arrivals(store, poll_seconds=POLL)
    faulty.go_away()
    reader = await waiting(arrivals, {0: 0})
    await asyncio.sleep(POLL * 50)
    assert faulty.counts["heads"] < 12
    reader.cancel()
    await arrivals.close()


async def test_closing_ends_the_polling_and_the_waiting(store: JournalStore) -> None:
    arrivals = Arrivals(store, poll_seconds=POLL)
    readers = [await waiting(arrivals, {0: 0, 1: 0}) for _ in range(3)]
    await arrivals.close()
    await asyncio.wait(readers, timeout=5)
    for reader in readers:
        with pytest.raises(Unavailable, match="was closed"):
            await reader
    assert not polling()
    await arrivals.close()


async def test_after_closing_nobody_waits_for_ever(store: JournalStore) -> None:
    arrivals = Arrivals(store, poll_seconds=POLL)
    await arrivals.close()
    with pytest.raises(Unavailable, match="was closed"):
        await arrivals.wait_beyond({0: 0})
    assert not polling()


async def test_many_readers_leave_nothing_behind(store: JournalStore) -> None:
    arrivals = Arrivals(store, poll_seconds=1_000)
    readers = [await waiting(arrivals, dict.fromkeys(range(4), 0)) for _ in range(100)]
    for reader in readers[::2]:
        reader.cancel()
    arrivals.grown(2, 1)
    await asyncio.wait(readers, timeout=5)
    assert all(reader.done() for reader in readers)
    assert arrivals._waiters == {}
    await arrivals.close()


def polling() -> bool:
    """Whether a poller runs."""
    return any(task.get_name() == "journal-arrivals" for task in asyncio.all_tasks())
