"""Group commit: appends that arrive together go together, and each caller hears of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from journal.contract import JournalStore
from journal.errors import Conflict, Fenced, JournalError, OutcomeUnknown, Overloaded, Unavailable
from journal.memory import MemoryDatabase
from journal.records import Append, Appended, NewEvent
from journal.writer import GroupCommit
from tests.faulty_store import Fails, FailsAfter, Fault, FaultyDatabase, Gate, conflict, lost_before, unavailable
from tests.waiting import eventually

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHARDS = 4


@pytest.fixture
def faulty() -> FaultyDatabase:
    """A memory that fails when told to."""
    return FaultyDatabase(MemoryDatabase(clock=lambda: NOW))


@pytest.fixture
async def store(faulty: FaultyDatabase) -> JournalStore:
    """A journal of four shards, each claimed."""
    store = await faulty.journal("booking", SHARDS)
    for shard in range(SHARDS):
        await store.claim(shard, 1)
    return store


def appending(key: str, seq_nr: int = 1, shard: int = 0, count: int = 1) -> Append:
    """An append of some events."""
    return Append(shard, 1, key, seq_nr, [NewEvent("Happened", 1, b"x")] * count)


class Outcomes(list[Appended | JournalError]):
    """What callers heard, in order."""

    async def all(self, count: int) -> list[Appended | JournalError]:
        """All of them, once there are so many."""
        await eventually(lambda: len(self) >= count, every=0)
        return list(self)


async def turns() -> None:
    """Let happen what can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_append_is_committed_at_once(store: JournalStore) -> None:
    assert await GroupCommit(store).append(appending("a", count=3, shard=2)) == Appended(2, 3)


async def test_appends_that_arrive_together_go_together(faulty: FaultyDatabase, store: JournalStore) -> None:
    writer, outcomes = GroupCommit(store), Outcomes()
    for number in range(50):
        writer.submit(appending(f"k{number}", shard=number % SHARDS), outcomes.append)
    assert writer.waiting == 50
    assert outcomes == [], "nobody hears before the loop has run"
    heard = await outcomes.all(50)
    assert heard == [Appended(number % SHARDS, number // SHARDS + 1) for number in range(50)]
    assert [len(batch) for batch in faulty.batches] == [50]


async def test_what_arrives_during_a_commit_goes_into_the_next(faulty: FaultyDatabase, store: JournalStore) -> None:
    writer, outcomes = GroupCommit(store), Outcomes()
    gate = faulty.block("append")
    writer.submit(appending("a"), outcomes.append)
    await gate.reached()
    for seq_nr in range(2, 12):
        writer.submit(appending("a", seq_nr), outcomes.append)
    await turns()
    assert len(faulty.batches) == 1, "one batch is in flight at a time"
    gate.release()
    assert await outcomes.all(11) == [Appended(0, offset) for offset in range(1, 12)]
    assert [len(batch) for batch in faulty.batches] == [1, 10]


@pytest.mark.parametrize(
    ("first", "behind", "sizes"),
    [(100, 0, [50, 50]), (62, 0, [62]), (10, 90, [10, 50, 40]), (90, 10, [45, 50, 5]), (1, 60, [1, 60])],
)
async def test_a_large_load_goes_in_halves_that_take_turns(
    faulty: FaultyDatabase, store: JournalStore, first: int, behind: int, sizes: list[int]
) -> None:
    """While one half is being committed, the callers of the other prepare what comes next."""
    writer, outcomes = GroupCommit(store), Outcomes()
    gate = faulty.block("append")
    for seq_nr in range(1, first + 1):
        writer.submit(appending("a", seq_nr), outcomes.append)
    await gate.reached()
    for seq_nr in range(first + 1, first + behind + 1):
        writer.submit(appending("a", seq_nr), outcomes.append)
    gate.release()
    assert await outcomes.all(first + behind) == [Appended(0, offset) for offset in range(1, first + behind + 1)]
    assert [len(batch) for batch in faulty.batches] == sizes


async def test_batches_have_a_largest_size(faulty: FaultyDatabase, store: JournalStore) -> None:
    writer, outcomes = GroupCommit(store, max_batch=4), Outcomes()
    for seq_nr in range(1, 11):
        writer.submit(appending("a", seq_nr), outcomes.append)
    await outcomes.all(10)
    assert [len(batch) for batch in faulty.batches] == [4, 4, 2]


async def test_a_full_queue_refuses_at_once_and_takes_again_later(faulty: FaultyDatabase, store: JournalStore) -> None:
    writer, outcomes = GroupCommit(store, max_waiting=3), Outcomes()
    gate = faulty.block("append")
    writer.submit(appending("a"), outcomes.append)
    await gate.reached()
    for seq_nr in range(2, 5):
        writer.submit(appending("a", seq_nr), outcomes.append)
    with pytest.raises(Overloaded, match=r"journal 'booking': queue is full \(3 waiting\)"):
        writer.submit(appending("a", 5), outcomes.append)
    with pytest.raises(Overloaded):
        await writer.append(appending("a", 5))
    gate.release()
    await outcomes.all(4)
    assert await writer.append(appending("a", 5)) == Appended(0, 5)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (unavailable(), Unavailable),
        (lost_before(), OutcomeUnknown),
        (Fails(RuntimeError("a bug")), OutcomeUnknown),
        (FailsAfter(RuntimeError("a bug")), OutcomeUnknown),
    ],
)
async def test_when_a_batch_fails_all_its_callers_hear_of_it_and_the_next_goes_on(
    faulty: FaultyDatabase, store: JournalStore, fault: Fault, told: type[JournalError]
) -> None:
    writer, outcomes = GroupCommit(store), Outcomes()
    faulty.on("append", fault)
    for key in "abc":
        writer.submit(appending(key), outcomes.append)
    assert [type(outcome) for outcome in await outcomes.all(3)] == [told] * 3
    assert isinstance(await writer.append(appending("d")), Appended)


async def test_one_append_of_a_batch_conflicts_and_only_that_one_fails(
    faulty: FaultyDatabase, store: JournalStore
) -> None:
    writer = GroupCommit(store)
    faulty.on("append", conflict("b"))
    calls = [asyncio.ensure_future(writer.append(appending(key))) for key in "abc"]
    first, second, third = await asyncio.gather(*calls, return_exceptions=True)
    assert (first, third) == (Appended(0, 1), Appended(0, 2))
    assert isinstance(second, Conflict)


async def test_errors_reach_their_callers_as_themselves(store: JournalStore) -> None:
    writer = GroupCommit(store)
    with pytest.raises(Conflict):
        await writer.append(appending("a", 2))
    with pytest.raises(Fenced):
        await writer.append(Append(0, 7, "a", 1, [NewEvent("Happened", 1, b"")]))
    assert await writer.append(appending("a")) == Appended(0, 1)


async def test_a_store_that_loses_count_leaves_nobody_waiting(
    store: JournalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def append(batch: Sequence[Append]) -> list[Appended | JournalError]:
        return [Appended(0, 1)]

    monkeypatch.setattr(store, "append", append)
    writer, outcomes = GroupCommit(store), Outcomes()
    for key in "abc":
        writer.submit(appending(key), outcomes.append)
    assert [type(outcome) for outcome in await outcomes.all(3)] == [OutcomeUnknown] * 3


async def test_a_receiver_that_raises_does_not_keep_the_others_waiting(
    store: JournalStore, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("a receiver's bug")

    writer, outcomes = GroupCommit(store), Outcomes()
    writer.submit(appending("a"), outcomes.append)
    writer.submit(appending("b"), broken)
    writer.submit(appending("c"), outcomes.append)
    assert await outcomes.all(2) == [Appended(0, 1), Appended(0, 3)]
    assert "a receiver's bug" in caplog.text
    assert await writer.append(appending("d")) == Appended(0, 4)


async def test_a_cancelled_caller_does_not_take_its_append_back(faulty: FaultyDatabase, store: JournalStore) -> None:
    writer = GroupCommit(store)
    gate = faulty.block("append")
    first, second = (asyncio.ensure_future(writer.append(appending(key))) for key in "ab")
    await gate.reached()
    for caller in (first, second):
        caller.cancel()
    await asyncio.wait([first, second])
    gate.release()
    assert await writer.append(appending("b", 2)) == Appended(0, 3)


async def test_growth_is_told_once_per_shard_after_the_commit(faulty: FaultyDatabase, store: JournalStore) -> None:
    grown: list[tuple[int, int]] = []
    writer, outcomes = GroupCommit(store, on_growth=lambda shard, head: grown.append((shard, head))), Outcomes()
    gate = faulty.block("append", conflict("bad"))
    for key, shard in [("a", 0), ("b", 1), ("c", 0), ("bad", 2)]:
        writer.submit(appending(key, shard=shard, count=2), outcomes.append)
    await gate.reached()
    assert grown == []
    gate.release()
    await outcomes.all(4)
    await turns()
    assert sorted(grown) == [(0, 4), (1, 2)]


async def test_closing_commits_what_is_queued_and_refuses_more(faulty: FaultyDatabase, store: JournalStore) -> None:
    writer, outcomes = GroupCommit(store, max_batch=2), Outcomes()
    gate = faulty.block("append")
    for seq_nr in range(1, 6):
        writer.submit(appending("a", seq_nr), outcomes.append)
    await gate.reached()
    closing = asyncio.ensure_future(writer.close())
    await turns()
    with pytest.raises(Unavailable, match="the writer is closed"):
        writer.submit(appending("a", 6), outcomes.append)
    assert not closing.done()
    gate.release()
    await closing
    assert outcomes == [Appended(0, offset) for offset in range(1, 6)]
    await writer.close()


async def test_closing_an_idle_writer_is_nothing(store: JournalStore) -> None:
    writer = GroupCommit(store)
    await writer.append(appending("a"))
    await writer.close()
    await writer.close()
    with pytest.raises(Unavailable):
        await writer.append(appending("a", 2))


async def test_closing_that_is_given_up_leaves_nobody_waiting(faulty: FaultyDatabase, store: JournalStore) -> None:
    writer, outcomes = GroupCommit(store, max_batch=2), Outcomes()
    faulty.on("append", Gate())
    for seq_nr in range(1, 6):
        writer.submit(appending("a", seq_nr), outcomes.append)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await writer.close()
    told = [type(outcome) for outcome in await outcomes.all(5)]
    assert told == [OutcomeUnknown, OutcomeUnknown, Unavailable, Unavailable, Unavailable]
    assert [task for task in asyncio.all_tasks() if task.get_name() == "group-commit"] == []


async def test_what_is_queued_behind_a_failed_append_of_the_same_entity_is_not_sent(
    faulty: FaultyDatabase, store: JournalStore
) -> None:
    writer, outcomes = GroupCommit(store), Outcomes()
    gate = faulty.block("append", unavailable())
    writer.submit(appending("a"), outcomes.append)
    await gate.reached()
    await store.append([appending("a")])  # such as one whose outcome was unknown: it fills the place after all
    writer.submit(appending("a", 2), outcomes.append)
    writer.submit(appending("b"), outcomes.append)
    gate.release()
    first, behind, other = await outcomes.all(3)
    assert type(first) is Unavailable
    assert isinstance(behind, Unavailable)
    assert "an append of 'a' before this one failed" in str(behind)
    assert other == Appended(0, 2)
    assert len(await store.read_entity("a", 1, 10)) == 1
