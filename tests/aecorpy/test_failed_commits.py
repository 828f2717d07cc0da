"""What callers are told when a commit fails, and that the entity's next answers are true."""

from __future__ import annotations

import asyncio

import pytest

from aecorpy import BadPayload, EntityRefs, OutcomeUnknown, Unavailable
from aecorpy.errors import Conflict, JournalError
from journal.records import Append, NewEvent
from tests.aecorpy.looking import numbers, started, turns
from tests.aecorpy.samples import Added, Counter, Stops
from tests.faulty_store import Fails, FailsAfter, FaultyDatabase, conflict, lost_after, lost_before, unavailable

Counters = EntityRefs[Counter]


async def outcomes(*calls: asyncio.Task[int]) -> list[object]:
    """Answers and the types of errors, in order."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    return [type(result) if isinstance(result, BaseException) else result for result in results]


async def test_a_failed_commit_is_told_and_nothing_is_kept(counters: Counters, faulty: FaultyDatabase) -> None:
    await counters("a").add(1)
    faulty.on("append", unavailable())
    with pytest.raises(Unavailable, match="away"):
        await counters("a").add(5)
    assert await counters("a").get() == 1
    assert await counters("a").add(1) == 2
    assert await numbers(counters, faulty, "a") == [1, 1]


async def test_when_the_first_of_several_fails_those_behind_fail_too(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    await counters("a").add(1)
    gate = faulty.block("append", unavailable())
    calls = [await started(call) for call in (counters("a").add(2), counters("a").add(3), counters("a").get())]
    await gate.reached()
    later = await started(counters("a").add(-2))
    gate.release()
    assert await outcomes(*calls, later) == [Unavailable, Unavailable, Unavailable, Unavailable]
    with pytest.raises(Unavailable, match="a command before this one was not committed"):
        await calls[2]
    assert await counters("a").get() == 1
    assert await counters("a").add(10) == 11
    assert await numbers(counters, faulty, "a") == [1, 10]


async def test_an_unknown_commit_that_happened(counters: Counters, faulty: FaultyDatabase) -> None:
    faulty.on("append", lost_after())
    with pytest.raises(OutcomeUnknown, match="connection lost"):
        await counters("a").add(5)
    assert await counters("a").get() == 5
    assert await counters("a").add(1) == 6
    assert await numbers(counters, faulty, "a") == [5, 1]


async def test_an_unknown_commit_that_did_not_happen(counters: Counters, faulty: FaultyDatabase) -> None:
    faulty.on("append", lost_before())
    with pytest.raises(OutcomeUnknown, match="connection lost"):
        await counters("a").add(5)
    assert await counters("a").get() == 0
    assert await counters("a").add(1) == 1
    assert await numbers(counters, faulty, "a") == [1]


@pytest.mark.parametrize("happened", [True, False])
async def test_behind_an_unknown_commit_each_caller_is_told_the_truth(
    counters: Counters, faulty: FaultyDatabase, happened: bool
) -> None:
    gate = faulty.block("append", lost_after() if happened else lost_before())
    first = await started(counters("a").add(5))
    await gate.reached()
    second, asking, third = [
        await started(call) for call in (counters("a").add(2), counters("a").get(), counters("a").add(1))
    ]
    gate.release()
    # those behind are not sent: what they were decided upon may not be what the journal has
    assert await outcomes(first, second, asking, third) == [OutcomeUnknown, Unavailable, Unavailable, Unavailable]
    assert await numbers(counters, faulty, "a") == ([5] if happened else [])
    assert await counters("a").add(0) == (5 if happened else 0)


async def test_a_batch_whose_outcome_is_unknown_leaves_all_its_callers_unknown(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    gate = faulty.block("append")
    await started(counters("a").add(1))
    await gate.reached()
    faulty.on("append", lost_after())
    calls = [await started(counters(key).add(2)) for key in ("a", "a", "b", "c", "b")]
    gate.release()
    assert await outcomes(*calls) == [OutcomeUnknown] * 5
    assert [await counters(key).get() for key in "abc"] == [5, 4, 2]


async def test_one_entity_s_failure_is_not_another_s(counters: Counters, faulty: FaultyDatabase) -> None:
    gate = faulty.block("append")
    await started(counters("x").add(1))
    await gate.reached()
    faulty.on("append", conflict("a"))
    calls = [await started(counters(key).add(2)) for key in ("a", "b", "c")]
    gate.release()
    assert await outcomes(*calls) == [Unavailable, 2, 2]
    assert await counters("a").add(1) == 1


@pytest.mark.parametrize("ending", ["a commit", "a refusal"])
async def test_a_commit_fails_while_an_awaiting_command_runs(
    counters: Counters, faulty: FaultyDatabase, stops: Stops, ending: str
) -> None:
    await counters("a").add(1)
    gate = faulty.block("append", unavailable())
    first = await started(counters("a").add(2))
    await gate.reached()
    call = counters("a").add_after(10, "stop") if ending == "a commit" else counters("a").add_after_read(-9, "stop")
    running = await started(call)
    waiting = await started(counters("a").add(100))
    gate.release()
    assert await outcomes(first) == [Unavailable]
    await turns()
    assert not running.done(), "nobody takes a running command away"
    stops.let_go("stop")
    assert await outcomes(running) == [Unavailable]
    assert await waiting == 101, "a command that had not begun runs on the state that is true"
    assert await numbers(counters, faulty, "a") == [1, 100]


async def test_after_a_foreign_writer_the_entity_reads_again(counters: Counters, faulty: FaultyDatabase) -> None:
    assert await counters("a").add(1) == 1
    store = await faulty.inner.journal("counter", 4)
    shard = counters.door.tagging.shard_of("a")
    epoch = (await store.heads())[shard].epoch
    foreign = NewEvent(*counters.behaviour.events.encode(Added(100)))
    await store.append([Append(shard, epoch, "a", 2, [foreign])])
    with pytest.raises(Unavailable) as caught:
        await counters("a").add(1)
    assert isinstance(caught.value.__cause__, Conflict)
    assert await counters("a").add(1) == 102
    assert await numbers(counters, faulty, "a") == [1, 100, 1]


async def test_an_error_that_no_store_may_raise_is_an_unknown_outcome(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    faulty.on("append", FailsAfter(ZeroDivisionError("a bug in the store")))
    with pytest.raises(OutcomeUnknown, match="ZeroDivisionError: a bug in the store"):
        await counters("a").add(1)
    assert await counters("a").add(1) == 2


async def test_a_refused_payload_behind_a_failing_commit_is_told_as_not_committed(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    gate = faulty.block("append", unavailable())
    first = await started(counters("a").add(1))
    await gate.reached()
    bad = await started(counters("a").add_noted(1, "x" * 10_000_000))
    good = await started(counters("a").add(1))
    gate.release()
    assert (await outcomes(first, good)) == [Unavailable, Unavailable]
    with pytest.raises((BadPayload, Unavailable)):
        await bad
    assert await counters("a").add(1) == 1


@pytest.mark.parametrize("error", [Unavailable("read: away"), OutcomeUnknown("read: lost"), ZeroDivisionError("bug")])
async def test_a_reload_that_fails_is_tried_again_by_the_next_command(
    counters: Counters, faulty: FaultyDatabase, error: Exception
) -> None:
    await counters("a").add(1)
    faulty.on("append", unavailable())
    faulty.on("read_entity", Fails(error))
    with pytest.raises(Unavailable):
        await counters("a").add(5)
    await turns()
    assert await counters("a").add(1) == 2


async def test_commands_that_come_during_a_reload_wait_for_it(counters: Counters, faulty: FaultyDatabase) -> None:
    await counters("a").add(1)
    faulty.on("append", lost_after())
    gate = faulty.block("read_entity")
    with pytest.raises(OutcomeUnknown):
        await counters("a").add(5)
    calls = [await started(counters("a").add(1)) for _ in range(3)]
    await gate.reached()
    assert not any(call.done() for call in calls)
    gate.release()
    assert await asyncio.gather(*calls) == [7, 8, 9]


async def test_a_reload_that_cannot_be_told_to_those_that_wait(counters: Counters, faulty: FaultyDatabase) -> None:
    await counters("a").add(1)
    gate = faulty.block("read_entity", Fails(OutcomeUnknown("read: lost")))
    faulty.on("append", unavailable())
    with pytest.raises(Unavailable):
        await counters("a").add(5)
    await gate.reached()
    waiting = await started(counters("a").add(1))
    gate.release()
    with pytest.raises(Unavailable) as caught:
        await waiting
    assert not isinstance(caught.value, OutcomeUnknown), "nothing of this command happened"
    assert await counters("a").add(1) == 2


async def test_many_failures_in_a_row(counters: Counters, faulty: FaultyDatabase) -> None:
    expected = 0
    for fault, happened in [(unavailable(), 0), (lost_after(), 1), (lost_before(), 0), (conflict(), 0)] * 5:
        faulty.on("append", fault)
        with pytest.raises(JournalError):
            await counters("a").add(1)
        expected += happened
        assert await counters("a").get() == expected
    assert await numbers(counters, faulty, "a") == [1] * expected
