"""Two nodes on one store: single-writer, whoever thinks it holds a shard."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from aecorpy import EntityRefs, Fenced, OutcomeUnknown, ShardMoved, Unavailable
from journal.contract import Database
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import numbers, started
from tests.aecorpy.samples import Counter, Stops
from tests.faulty_store import Fails, FaultyDatabase, unavailable

Counters = EntityRefs[Counter]


def keys_of(counters: Counters, shard: int, count: int = 3) -> list[str]:
    """Keys that fall into a shard."""
    found = [key for key in map(str, range(1_000)) if counters.door.tagging.shard_of(key) == shard]
    return found[:count]


async def test_the_older_holder_of_a_shard_is_fenced_asks_it_back_and_its_other_shards_go_on(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    first, second = await (await start_node()).deploy(Counter), await (await start_node()).deploy(Counter)
    a, b, c = keys_of(first, 0)
    (other,) = keys_of(first, 1, 1)
    for key in (a, b, c, other):
        assert await first(key).add(1) == 1
    assert await second(a).add(1) == 2, "the second node takes the shard, and sees what the first wrote"
    with pytest.raises(ShardMoved) as caught:
        await first(b).add(1)
    assert isinstance(caught.value.__cause__, Fenced)
    assert await first(other).add(1) == 2
    assert [await first(key).add(1) for key in (a, b, c)] == [3, 2, 2], "it has the shard again, under a newer epoch"
    with pytest.raises(ShardMoved):
        await second(a).add(1)
    assert await second(a).add(1) == 4
    expected = [[1, 1, 1, 1], [1, 1], [1, 1], [1, 1]]
    assert [await numbers(first, faulty, key) for key in (a, b, c, other)] == expected


async def test_epochs_grow_with_each_turn(start_node: StartNode, faulty: FaultyDatabase) -> None:
    nodes = [await (await start_node()).deploy(Counter) for _ in range(2)]
    (key,) = keys_of(nodes[0], 0, 1)
    store = await faulty.inner.journal("counter", 4)
    epochs = []
    for turn in range(4):
        with suppress(ShardMoved):
            await nodes[turn % 2](key).add(1)
        await nodes[turn % 2](key).add(1)
        epochs.append((await store.heads())[0].epoch)
    assert epochs == [1, 2, 3, 4]


async def test_all_who_wait_on_a_lost_shard_are_told_and_nothing_is_appended(
    start_node: StartNode, faulty: FaultyDatabase, stops: Stops
) -> None:
    first, second = await (await start_node()).deploy(Counter), await (await start_node()).deploy(Counter)
    a, b, c = keys_of(first, 0)
    for key in (a, b, c):
        await first(key).add(1)
    gate = faulty.block("append")
    in_flight = await started(first(a).add(10))
    await gate.reached()
    queued = [await started(first(key).add(10)) for key in (a, b, b)]
    running = await started(first(c).add_after(10, "stop"))
    behind = await started(first(c).add(10))
    assert await second(b).add(100) == 101
    gate.release()
    results = await asyncio.gather(in_flight, *queued, running, behind, return_exceptions=True)
    assert [type(result) for result in results[:1]] == [ShardMoved]
    assert all(isinstance(result, Unavailable | OutcomeUnknown) for result in results), results
    assert [await first(key).get() for key in (a, b, c)] == [1, 101, 1]
    assert [await numbers(first, faulty, key) for key in (a, b, c)] == [[1], [1, 100], [1]]


async def test_two_nodes_that_alternate_lose_and_double_nothing(database: Database, start_node: StartNode) -> None:
    nodes = [await (await start_node(database)).deploy(Counter) for _ in range(2)]
    acknowledged = 0
    for round_number in range(6):
        node = nodes[round_number % 2]
        for key in keys_of(node, 2) + keys_of(node, 3):
            try:
                await node(key).add(1)
            except ShardMoved:
                continue
            acknowledged += 1
    every = [await numbers(nodes[0], database, key) for key in keys_of(nodes[0], 2) + keys_of(nodes[0], 3)]
    assert sum(map(sum, every)) == acknowledged
    assert acknowledged == 6 + 6 + 4 * 4, "in each later round each shard's first command finds that it was taken"


async def test_two_nodes_at_once_lose_and_double_nothing(database: Database, start_node: StartNode) -> None:
    nodes = [await (await start_node(database)).deploy(Counter) for _ in range(2)]
    acknowledged = unknown = 0

    async def call(number: int) -> None:
        nonlocal acknowledged, unknown
        try:
            await nodes[number % 2](str(number % 7)).add(1)
        except OutcomeUnknown:
            unknown += 1
        except Unavailable:
            pass
        else:
            acknowledged += 1

    for start in range(0, 200, 40):
        await asyncio.gather(*[call(number) for number in range(start, start + 40)])
    kept = sum([len(await numbers(nodes[0], database, str(key))) for key in range(7)])
    assert acknowledged <= kept <= acknowledged + unknown
    assert acknowledged


async def test_a_shard_that_cannot_be_opened_says_so_and_opens_later(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    for _ in range(2):
        faulty.on("claim", unavailable())
        with pytest.raises(Unavailable, match="away"):
            await counters("a").add(1)
    assert await counters("a").add(1) == 1


@pytest.mark.parametrize("error", [OutcomeUnknown("connection lost in flight"), ZeroDivisionError("a bug")])
async def test_whatever_stops_a_shard_from_opening_the_command_did_not_happen(
    counters: Counters, faulty: FaultyDatabase, error: Exception
) -> None:
    faulty.on("claim", Fails(error))
    with pytest.raises(Unavailable):
        await counters("a").add(1)
    assert await counters("a").add(1) == 1


async def test_messages_wait_while_a_shard_opens(counters: Counters, faulty: FaultyDatabase) -> None:
    gate = faulty.block("claim")
    calls = [await started(counters(key).add(1)) for key in ("a", "a", "a")]
    await gate.reached()
    assert not any(call.done() for call in calls)
    gate.release()
    assert [*await asyncio.gather(*calls)] == [1, 2, 3]


async def test_a_claim_that_another_node_won_meanwhile_is_taken_again(
    counters: Counters, faulty: FaultyDatabase
) -> None:
    store = await faulty.inner.journal("counter", 4)
    shard = counters.door.tagging.shard_of("a")
    gate = faulty.block("claim")
    call = await started(counters("a").add(1))
    await gate.reached()
    await store.claim(shard, 7)
    gate.release()
    assert await call == 1
    assert (await store.heads())[shard].epoch == 8
