"""Whatever is asked of a store, it answers as the memory store does, which is small enough to be read and believed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journal.contract import Database, JournalStore
from journal.database import open_database
from journal.errors import JournalError
from journal.records import Append, Appended, DeadLetter, NewEvent, OffsetMove, ShardHead, Snapshot

SHARDS = 2
EPOCHS = st.sampled_from([1, 1, 1, 1, 2, 2, 3, 0])  # most calls should be of a current holder
SHARD = st.integers(0, SHARDS - 1)
KEY = st.sampled_from(["a", "b", "c"])

Step: TypeAlias = tuple[str, tuple[object, ...]]

EVENTS = st.lists(st.builds(NewEvent, st.just("H"), st.integers(1, 2), st.binary(max_size=3)), min_size=1, max_size=3)
APPENDS = st.builds(Append, SHARD, EPOCHS, KEY, st.sampled_from([1, 1, 2, 2, 3, 4, 5]), EVENTS)
BATCHES = st.lists(APPENDS, min_size=1, max_size=6)
MOVE = st.builds(OffsetMove, KEY, st.integers(0, 2), st.integers(1, 3))
MOVES = st.lists(MOVE, max_size=3, unique_by=lambda move: move.tag)
SNAPSHOTS = st.builds(Snapshot, KEY, st.integers(1, 4), st.just("S"), st.just(1), st.binary(max_size=3))
OFFSETS = st.dictionaries(KEY, st.integers(0, 3), max_size=3)
MANAGED = st.one_of(
    st.tuples(st.just("place_offsets"), st.tuples(OFFSETS)),
    st.tuples(st.just("forget_offsets"), st.just(())),
    st.tuples(st.just("read_offsets"), st.just(())),
    st.tuples(st.just("move_offsets"), st.tuples(MOVES, EPOCHS)),
    st.tuples(st.just("settle_letter"), st.tuples(KEY, st.integers(1, 2))),
    st.tuples(st.just("hand_over_letters"), st.just(("other",))),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.tuples(BATCHES)),
        st.tuples(st.just("append"), st.tuples(BATCHES)),
        st.tuples(st.just("claim"), st.tuples(SHARD, EPOCHS)),
        st.tuples(st.just("put"), st.tuples(SHARD, EPOCHS, SNAPSHOTS)),
        st.tuples(st.just("take"), st.tuples(st.lists(KEY, max_size=3, unique=True), EPOCHS)),
        st.tuples(st.just("move"), st.tuples(MOVES, EPOCHS)),
        st.tuples(st.just("manage"), st.tuples(st.lists(MANAGED, min_size=1, max_size=4))),
    ),
    max_size=15,
)


def told(answer: object) -> object:
    """An answer in a form that can be compared: of an error, its type."""
    if isinstance(answer, JournalError):
        return type(answer).__name__
    if isinstance(answer, list):
        return [told(one) for one in answer]
    return answer


async def answers(database: Database, name: str, steps: list[Step]) -> list[object]:
    """What a database says to each step, and what is in it in the end."""
    store = await database.journal(name, SHARDS)
    snapshots, offsets = database.snapshots(name), database.offsets
    calls: dict[str, Callable[..., object]] = {
        "append": store.append,
        "claim": store.claim,
        "put": snapshots.put,
        "take": lambda tags, epoch: offsets.claim(name, tags, epoch),
        "move": lambda moves, epoch: offsets.commit(name, moves, epoch),
        "manage": lambda steps: managed(database, name, steps),
    }
    found: list[object] = []
    for call, arguments in [("claim", (0, 1)), ("claim", (1, 1)), ("take", ("ab", 1)), *steps]:
        try:
            found.append(told(await calls[call](*arguments)))  # type: ignore[misc]  # every call is a coroutine
        except JournalError as error:
            found.append(told(error))
    letters = [(letter.tag, letter.offset) for letter in await database.dead_letters.list(name)]
    kept = [await snapshots.get(key) for key in "abc"]
    return [*found, await contents(store), await offsets.read(name), letters, kept]


async def managed(database: Database, consumer: str, steps: list[Step]) -> list[object]:
    """What one transaction answers to calls about a consumer; each sets something aside, too."""
    async with database.transaction() as transaction:
        await transaction.set_aside(DeadLetter(consumer, "a", len(steps), "k", 1, "H", "bad"))
        return [await getattr(transaction, call)(consumer, *arguments) for call, arguments in steps]


async def contents(store: JournalStore) -> list[object]:
    heads = await store.heads()
    assert all(isinstance(row, ShardHead) for row in heads)
    stored = await store.read_shards(dict.fromkeys(range(SHARDS), 0), 1_000)
    events = sorted((e.shard, e.offset, e.key, e.seq_nr, e.epoch, e.version, e.payload) for e in stored)
    return [heads, events]


numbers = count()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_every_store_answers_as_memory_does(store_url: str, steps: list[Step]) -> None:
    async def compare() -> None:
        name = f"j{next(numbers)}"
        database, memory = await open_database(store_url), await open_database("memory:")
        try:
            assert await answers(database, name, steps) == await answers(memory, name, steps)
        finally:
            await database.close()

    asyncio.run(compare())


def test_the_comparison_sees_appends_that_succeed() -> None:
    async def answer() -> list[object]:
        batch = [Append(0, 1, "a", 1, [NewEvent("H", 1, b"")])]
        return await answers(await open_database("memory:"), "j", [("append", (batch,))])

    assert asyncio.run(answer())[:4] == [ShardHead(0, 1, 0), ShardHead(1, 1, 0), {"a": 0, "b": 0}, [Appended(0, 1)]]
