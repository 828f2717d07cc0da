"""Many commands on one entity while its commits are under way."""

from __future__ import annotations

import asyncio

import pytest

from aecorpy import CommandFailed, EntityRefs
from tests.aecorpy.looking import numbers, started, turns
from tests.aecorpy.samples import Counter, Negative, Stops
from tests.faulty_store import FaultyDatabase

Counters = EntityRefs[Counter]


async def test_commands_on_one_entity_share_few_batches_and_keep_their_order(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    await counters("a").add(1)
    faulty.batches.clear()
    gate = faulty.block("append")
    calls = [await started(counters("a").add(1)) for _ in range(40)]
    await gate.reached()
    assert not any(call.done() for call in calls)
    gate.release()
    assert await asyncio.gather(*calls) == list(range(2, 42))
    assert [len(batch) for batch in faulty.batches] == [1, 39]
    assert await numbers(counters, faulty, "a") == [1] * 41


async def test_a_query_never_shows_what_is_not_committed(counters: Counters, faulty: FaultyDatabase) -> None:
    gate = faulty.block("append")
    adding = await started(counters("a").add(5))
    await gate.reached()
    asking = await started(counters("a").get())
    assert not asking.done()
    gate.release()
    assert await asking == 5
    assert adding.done()


async def test_a_rejection_that_was_decided_on_uncommitted_state_waits_for_it(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    gate = faulty.block("append")
    adding = await started(counters("a").add(5))
    await gate.reached()
    rejected, failed = await started(counters("a").add(-6)), await started(counters("a").fail(1))
    allowed = await started(counters("a").add(-5))
    assert not rejected.done()
    assert not failed.done()
    gate.release()
    assert await adding == 5
    with pytest.raises(Negative):
        await rejected
    with pytest.raises(CommandFailed):
        await failed
    assert await allowed == 0
    assert await numbers(counters, faulty, "a") == [5, -5]


async def test_answers_come_in_the_order_of_the_commands(counters: Counters, faulty: FaultyDatabase) -> None:
    gate = faulty.block("append")
    answered: list[str] = []

    async def call(name: str, coroutine: object) -> None:
        assert asyncio.iscoroutine(coroutine)
        await coroutine
        answered.append(name)

    calls = [
        await started(call("add 1", counters("a").add(1))),
        await started(call("get 1", counters("a").get())),
        await started(call("add 2", counters("a").add(1))),
        await started(call("get 2", counters("a").get())),
        await started(call("add 3", counters("a").add(1))),
    ]
    await gate.reached()
    gate.release()
    await asyncio.gather(*calls)
    assert answered == ["add 1", "get 1", "add 2", "get 2", "add 3"]


async def test_an_awaiting_command_runs_while_an_earlier_one_is_committed(
    counters: Counters, faulty: FaultyDatabase, stops: Stops
) -> None:
    gate = faulty.block("append")
    first = await started(counters("a").add(1))
    await gate.reached()
    second = await started(counters("a").add_after(10, "stop"))
    assert stops.started == ["stop"]
    third = await started(counters("a").add(100))
    gate.release()
    assert await first == 1
    await turns()
    assert not second.done()
    assert not third.done()
    stops.let_go("stop")
    assert (await second, await third) == (21, 121)
    assert await numbers(counters, faulty, "a") == [1, 10, 10, 100]


async def test_an_awaiting_query_shows_the_state_it_saw_and_only_when_that_is_committed(
    counters: Counters, faulty: FaultyDatabase, stops: Stops
) -> None:
    gate = faulty.block("append")
    adding = await started(counters("a").add(1))
    await gate.reached()
    stops.let_go("stop")
    asking = await started(counters("a").get_after("stop"))
    assert stops.started == ["stop"]
    assert not asking.done()
    gate.release()
    assert await asking == 1
    assert await adding == 1
