"""A command's answer, and what is kept of it."""

from __future__ import annotations

import asyncio

import pytest

from aecorpy import BadPayload, CommandFailed, EntityRefs, ImpossibleEvent
from aecorpy.errors import AecorError, JournalError
from tests.aecorpy.looking import numbers, started, stored, turns
from tests.aecorpy.samples import Counter, Negative, Oops, Stops, TooMuch
from tests.faulty_store import FaultyDatabase

Counters = EntityRefs[Counter]


async def test_a_command_is_answered_only_after_its_commit(counters: Counters, faulty: FaultyDatabase) -> None:
    gate = faulty.block("append")
    answer = await started(counters("a").add(3))
    await gate.reached()
    await turns()
    assert not answer.done()
    gate.release()
    assert await answer == 3
    assert await numbers(counters, faulty, "a") == [3]


async def test_commands_see_what_earlier_ones_left(counters: Counters) -> None:
    assert [await counters("a").add(n) for n in (1, 2, 3)] == [1, 3, 6]
    assert await counters("a").get() == 6
    assert await counters("a").get_version() == 3
    assert await counters("b").get() == 0


async def test_the_events_of_one_command_commit_together(counters: Counters, faulty: FaultyDatabase) -> None:
    assert await counters("a").add_all((1, 2, 3)) == 6
    assert [len(append.events) for batch in faulty.batches for append in batch] == [3]
    assert await numbers(counters, faulty, "a") == [1, 2, 3]


async def test_a_command_without_events_writes_nothing(counters: Counters, faulty: FaultyDatabase) -> None:
    assert await counters("a").add_all(()) == 0
    assert faulty.batches == []


async def test_a_rejection_reaches_the_caller_as_itself(counters: Counters, faulty: FaultyDatabase) -> None:
    with pytest.raises(Negative):
        await counters("a").add(-1)
    with pytest.raises(TooMuch, match=r"TooMuch\(asked=2000, limit=1000\)") as caught:
        await counters("a").add(2_000)
    assert caught.value == TooMuch(2_000, 1_000)
    assert await stored(faulty, "a") == []
    assert await counters("a").add(1) == 1


async def test_of_a_command_that_raises_nothing_is_kept(counters: Counters, faulty: FaultyDatabase) -> None:
    await counters("a").add(1)
    with pytest.raises(CommandFailed, match="Counter 'a': command 'fail' failed: Oops: a bug in the command") as caught:
        await counters("a").fail(5)
    assert isinstance(caught.value.__cause__, Oops)
    assert await counters("a").get() == 1
    assert await counters("a").get_version() == 1
    assert await counters("a").add(1) == 2
    assert await numbers(counters, faulty, "a") == [1, 1]


async def test_of_a_command_that_raises_after_an_await_nothing_is_kept(
    counters: Counters, faulty: FaultyDatabase, stops: Stops
) -> None:
    stops.let_go("now")
    with pytest.raises(CommandFailed, match="Oops: a bug after an await"):
        await counters("a").fail_after(5, "now")
    assert await counters("a").add(1) == 1
    assert await numbers(counters, faulty, "a") == [1]


async def test_a_command_that_raises_what_has_no_text_is_run_once_and_fails(counters: Counters, stops: Stops) -> None:
    with pytest.raises(CommandFailed, match=r"Counter 'a': command 'fail_speechless' failed: Speechless$"):
        await counters("a").fail_speechless(5)
    assert stops.started == ["speechless"]
    assert await counters("a").add(1) == 1


async def test_commands_behind_one_that_raises_what_has_no_text_are_run(counters: Counters, stops: Stops) -> None:
    failing = await started(counters("a").fail_speechless_after(5, "now"))
    behind = [await started(counters("a").add(1)) for _ in range(2)]
    await turns()
    stops.let_go("now")
    with pytest.raises(CommandFailed, match="Speechless"):
        await failing
    assert [await one for one in behind] == [1, 2]


@pytest.mark.parametrize("command", ["cancel_oneself", "cancel_oneself_later"])
async def test_a_command_that_cancels_itself_fails_like_any_other(
    counters: Counters, faulty: FaultyDatabase, command: str
) -> None:
    with pytest.raises(CommandFailed, match="CancelledError"):
        await getattr(counters("a"), command)(5)
    assert await counters("a").add(1) == 1
    assert await numbers(counters, faulty, "a") == [1]


async def test_a_fold_that_raises_fails_the_command(counters: Counters, faulty: FaultyDatabase) -> None:
    with pytest.raises(CommandFailed, match="Oops: a bug in the fold"):
        await counters("a").add_noted(5, "fold raises")
    assert await counters("a").add(1) == 1
    assert await numbers(counters, faulty, "a") == [1]


async def test_an_impossible_event_fails_the_command_and_names_both(counters: Counters, faulty: FaultyDatabase) -> None:
    await counters("a").add(7)
    with pytest.raises(ImpossibleEvent, match=r"Added\(n=5.* cannot follow state 7: it says so itself"):
        await counters("a").add_noted(5, "impossible")
    assert await counters("a").add(1) == 8
    assert await numbers(counters, faulty, "a") == [7, 1]


async def test_an_impossible_event_that_a_command_catches_is_not_among_its_events(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    assert await counters("a").catch_impossible(2) == 2
    assert await numbers(counters, faulty, "a") == [2]
    assert await counters("a").get_version() == 1


async def test_an_event_that_is_too_large_is_refused_and_the_entity_goes_on(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    with pytest.raises(BadPayload, match=r"Added takes 100000\d\d bytes, the limit is"):
        await counters("a").add_noted(1, "x" * 10_000_000)
    assert await counters("a").add(1) == 1
    assert await numbers(counters, faulty, "a") == [1]


@pytest.mark.parametrize("note", ["\ud800", 5, None])
async def test_an_event_that_cannot_be_stored_is_refused_and_the_entity_goes_on(counters: Counters, note: str) -> None:
    with pytest.raises(BadPayload, match=r"Added\.note"):
        await counters("a").add_noted(1, note)
    assert await counters("a").add(1) == 1


async def test_wrong_arguments_fail_the_command_only(counters: Counters) -> None:
    with pytest.raises((CommandFailed, TypeError), match="add"):
        await counters("a").add(1, 2, 3)  # type: ignore[call-arg]
    with pytest.raises((CommandFailed, TypeError), match="add"):
        await counters("a").add(m=1)  # type: ignore[call-arg]
    assert await counters("a").add(1) == 1


async def test_what_a_command_leaves_behind_may_not_append(
    counters: Counters, faulty: FaultyDatabase, stops: Stops
) -> None:
    await counters("a").add(1)
    await counters("a").leave_behind(5, "now")
    late = Counter.left.pop()
    await turns()
    stops.let_go("now")
    with pytest.raises(AecorError, match="Counter 'a': only a command may append, while it runs"):
        await late
    assert (await counters("a").get(), await counters("a").get_version()) == (1, 1)
    assert await counters("a").add(1) == 2
    assert await numbers(counters, faulty, "a") == [1, 1]


async def test_a_query_may_not_append(counters: Counters, faulty: FaultyDatabase) -> None:
    with pytest.raises(CommandFailed, match="@query"):
        await counters("a").sneak()
    assert faulty.batches == []
    assert await counters("a").get() == 0


async def test_commands_of_one_entity_run_one_at_a_time(
    counters: Counters, faulty: FaultyDatabase, stops: Stops
) -> None:
    slow = await started(counters("a").add_after(1, "stop"))
    behind = await started(asyncio.wait_for(_all(counters, "a", [10, 20, 30]), 5))
    assert await counters("b").add(1) == 1, "another entity does not wait"
    assert not behind.done()
    stops.let_go("stop")
    assert await slow == 2
    assert await behind == [12, 32, 62]
    assert await numbers(counters, faulty, "a") == [1, 1, 10, 20, 30]


async def test_awaiting_commands_take_turns_in_order(counters: Counters, stops: Stops) -> None:
    calls = [await started(counters("a").add_after(n, f"stop {n}")) for n in range(4)]
    assert stops.started == ["stop 0"]
    stops.let_go(*[f"stop {n}" for n in range(4)])
    assert await asyncio.gather(*calls) == [0, 2, 6, 12]
    assert stops.started == [f"stop {n}" for n in range(4)]


async def test_all_errors_of_a_caller_are_typed(counters: Counters) -> None:
    for call in (counters("a").fail(1), counters("a").sneak(), counters("a").add_noted(1, "impossible")):
        with pytest.raises((AecorError, JournalError)):
            await call


async def _all(counters: Counters, key: str, ns: list[int]) -> list[int]:
    return await asyncio.gather(*[counters(key).add(n) for n in ns])
