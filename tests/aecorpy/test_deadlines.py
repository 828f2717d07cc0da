"""Callers wait as long as they asked for, and no longer."""

from __future__ import annotations

import asyncio
import weakref

import pytest

from aecorpy import DeadlinePassed, EntityRefs, OutcomeUnknown, Unavailable
from aecorpy.deadlines import Deadlines
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import numbers, started, turns
from tests.aecorpy.samples import Counter, Stops
from tests.faulty_store import FaultyDatabase
from tests.waiting import eventually

Counters = EntityRefs[Counter]
SOON = 0.05
BOUND = 1.0  # seconds that a busy machine may add


async def test_a_caller_is_told_within_its_deadline_and_the_late_answer_is_harmless(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    gate = faulty.block("append")
    clock = asyncio.get_running_loop().time
    start = clock()
    with pytest.raises(DeadlinePassed, match=r"Counter .a.: no answer to .add. within 0.05 s: it may have happened"):
        await counters.within(SOON)("a").add(1)
    assert SOON <= clock() - start < SOON + BOUND
    gate.release()
    assert await counters("a").get() == 1
    assert await counters("a").add(1) == 2
    assert await numbers(counters, faulty, "a") == [1, 1]


async def test_a_passed_deadline_is_an_unknown_outcome(counters: Counters, faulty: FaultyDatabase) -> None:
    gate = faulty.block("append")
    with pytest.raises(OutcomeUnknown):
        await counters.within(SOON)("a").add(1)
    gate.release()


async def test_a_command_whose_deadline_has_passed_is_not_started(counters: Counters, stops: Stops) -> None:
    slow = await started(counters("a").add_after(1, "stop"))
    with pytest.raises(DeadlinePassed):
        await counters.within(SOON)("a").add(100)
    stops.let_go("stop")
    assert await slow == 2
    assert await counters("a").get() == 2


async def test_a_command_whose_deadline_passed_while_its_shard_opened_is_not_started(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    gate = faulty.block("claim")
    with pytest.raises(DeadlinePassed):
        await counters.within(SOON)("a").add(100)
    gate.release()
    assert await counters("a").get() == 0


async def test_an_awaiting_command_that_takes_too_long_ends_in_its_own_time(
    counters: Counters, faulty: FaultyDatabase, stops: Stops
) -> None:
    with pytest.raises(DeadlinePassed):
        await counters.within(SOON)("a").add_after(1, "stop")
    waiting = await started(counters("a").add(10))
    assert not waiting.done()
    stops.let_go("stop")
    assert await waiting == 12
    assert await numbers(counters, faulty, "a") == [1, 1, 10]


async def test_the_node_s_own_deadline_is_the_default(start_node: StartNode, faulty: FaultyDatabase) -> None:
    counters = await (await start_node(ask_seconds=SOON)).deploy(Counter)
    await counters.within(5)("a").add(1)
    gate = faulty.block("append")
    with pytest.raises(DeadlinePassed):
        await counters("a").add(1)
    gate.release()
    assert await counters.within(5)("a").get() == 2


async def test_shorter_deadlines_pass_before_longer_ones(counters: Counters, faulty: FaultyDatabase) -> None:
    gate = faulty.block("append")
    passed: list[float] = []

    async def call(seconds: float) -> None:
        with pytest.raises(DeadlinePassed):
            await counters.within(seconds)("a").add(1)
        passed.append(seconds)

    await asyncio.gather(*[call(seconds) for seconds in (0.09, 0.03, 0.06)])
    assert passed == [0.03, 0.06, 0.09]
    gate.release()


async def test_a_caller_that_is_cancelled_leaves_its_command_to_commit(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    gate = faulty.block("append")
    caller = await started(counters("a").add(1))
    await gate.reached()
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    gate.release()
    assert await counters("a").get() == 1
    assert await counters("a").add(1) == 2
    assert await numbers(counters, faulty, "a") == [1, 1]


async def test_a_deadline_from_outside_works_too(counters: Counters, faulty: FaultyDatabase) -> None:
    gate = faulty.block("append")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SOON):
            await counters("a").add(1)
    gate.release()
    assert await counters("a").get() == 1


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_no_time_at_all(counters: Counters, seconds: float) -> None:
    with pytest.raises(Unavailable, match="no node owned its shard"):  # it has just been deployed
        await counters.within(seconds)("a").add(1)
    assert await counters("a").get() == 0
    with pytest.raises((OutcomeUnknown, Unavailable)):  # whether it was started is a race when there is no time
        await counters.within(seconds)("a").add(1)
    assert await counters("a").get() in (0, 1)


async def test_a_deadline_that_is_no_number_is_refused(counters: Counters) -> None:
    with pytest.raises(ValueError, match="seconds"):
        counters.within(float("nan"))


class Watched(asyncio.Future[int]):
    """A future that can be watched."""


@pytest.mark.parametrize("lengths", [1, 5_000])
async def test_answered_calls_are_not_kept_behind_a_slow_one(lengths: int) -> None:
    """One slow call, and then many that are answered: of those none may be kept for the rest of its deadline."""
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    alive: weakref.WeakSet[Watched] = weakref.WeakSet()

    def begin(number: int) -> Watched:
        future = Watched()
        alive.add(future)
        seconds = 60.0 + number % lengths / 1_000
        deadlines.begin(future, seconds, loop.time() + seconds, RuntimeError)
        return future

    slow = begin(0)
    for number in range(10_000):
        begin(number).set_result(number)
        deadlines.end()
    assert len(alive) < 3_000
    assert deadlines.outstanding == 1
    slow.set_result(0)
    deadlines.end()
    deadlines.close()


async def test_draining_waits_for_the_last_caller(counters: Counters, faulty: FaultyDatabase) -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    await deadlines.drained()
    first, second = Watched(), Watched()
    for future in (first, second):
        deadlines.begin(future, 60.0, asyncio.get_running_loop().time() + 60.0, RuntimeError)
    waiting = [await started(deadlines.drained()) for _ in range(2)]
    deadlines.end()
    await turns()
    assert not waiting[0].done()
    deadlines.end()
    await asyncio.gather(*waiting)
    deadlines.close()


async def test_many_callers_of_one_slow_entity_all_hear_in_time(counters: Counters, faulty: FaultyDatabase) -> None:
    await asyncio.gather(*[counters(f"k{number}").get() for number in range(50)])
    gate = faulty.block("append")
    calls = [asyncio.ensure_future(counters.within(0.2)(f"k{number % 50}").add(1)) for number in range(500)]
    start = asyncio.get_running_loop().time()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert asyncio.get_running_loop().time() - start < 0.2 + BOUND
    unknown = sum(isinstance(result, DeadlinePassed) for result in results)
    # on a busy machine the last ones reach their entity after their deadline, and are told that nothing happened
    refused = sum(isinstance(result, Unavailable) for result in results)
    assert unknown + refused == 500
    assert unknown > 0
    gate.release()

    async def all_there() -> bool:
        return sum([await counters(f"k{number}").get() for number in range(50)]) == unknown

    await eventually(all_there)
