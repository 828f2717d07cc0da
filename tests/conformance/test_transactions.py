"""What transactions promise: a view's rows and its consumer's offsets commit together, or neither do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from journal.contract import Database, Transaction
from journal.errors import Fenced, JournalError
from journal.records import Column, ConsumerOffset, DeadLetter, OffsetMove, TableSpec
from tests.conformance.conftest import Opener

COUNTS = TableSpec("counts", "client", (Column("client", "text"), Column("bookings", "integer", False)))


class Stop(Exception):
    """Raised by tests to leave a block."""


@pytest.fixture
async def ready(database: Database) -> Database:
    """A database with the table and a consumer claimed under epoch 1."""
    await database.create_table(COUNTS)
    await database.offsets.claim("view", ["a", "b"], 1)
    return database


async def rows(database: Database) -> list[tuple[Any, ...]]:
    return [row async for row in database.scan(COUNTS)]


async def offset(database: Database, tag: str = "a") -> int:
    return (await database.offsets.read("view"))[tag].offset


async def put_and_move(database: Database, *moves: OffsetMove) -> None:
    async with database.transaction() as transaction:
        await transaction.put_rows(COUNTS, [("c-1", 1)])
        await transaction.move_offsets("view", moves, 1)


async def test_rows_and_offsets_commit_together(ready: Database) -> None:
    async with ready.transaction() as transaction:
        await transaction.put_rows(COUNTS, [("c-1", 1), ("c-2", 2)])
        await transaction.move_offsets("view", [OffsetMove("a", 0, 3), OffsetMove("b", 0, 1)], 1)
    assert await rows(ready) == [("c-1", 1), ("c-2", 2)]
    assert (await offset(ready, "a"), await offset(ready, "b")) == (3, 1)


async def test_nothing_shows_before_the_block_ends(ready: Database, open_again: Opener) -> None:
    other = await open_again()
    async with ready.transaction() as transaction:
        await transaction.put_rows(COUNTS, [("c-1", 1)])
        await transaction.move_offsets("view", [OffsetMove("a", 0, 3)], 1)
        for database in (ready, other):
            assert await rows(database) == []
            assert await offset(database) == 0
    assert await rows(other) == [("c-1", 1)]
    assert await offset(other) == 3


async def test_an_exception_rolls_everything_back(ready: Database) -> None:
    async def block() -> None:
        async with ready.transaction() as transaction:
            await transaction.put_rows(COUNTS, [("c-1", 1)])
            await transaction.move_offsets("view", [OffsetMove("a", 0, 3)], 1)
            await transaction.set_aside(DeadLetter("view", "a", 3, "b-1", 1, "Placed", "bad"))
            raise Stop

    with pytest.raises(Stop):
        await block()
    assert await rows(ready) == []
    assert await offset(ready) == 0
    assert await ready.dead_letters.list("view") == []


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
async def test_a_cancelled_block_is_rolled_back_and_others_go_on(ready: Database, turns: int) -> None:
    inside = asyncio.Event()

    async def block() -> None:
        async with ready.transaction() as transaction:
            await transaction.put_rows(COUNTS, [("c-1", 1)])
            await transaction.move_offsets("view", [OffsetMove("a", 0, 3)], 1)
            inside.set()
            while True:
                await transaction.get_rows(COUNTS, ["c-1"])
                await asyncio.sleep(0)

    task = asyncio.ensure_future(block())
    await inside.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10), ready.transaction() as transaction:
        assert await transaction.get_rows(COUNTS, ["c-1"]) == {}
        await transaction.move_offsets("view", [OffsetMove("a", 0, 5)], 1)
    assert await rows(ready) == []
    assert await offset(ready) == 5


async def test_blocks_cancelled_at_any_point_are_all_or_nothing(ready: Database) -> None:
    async def block(number: int) -> None:
        async with ready.transaction() as transaction:
            await transaction.put_rows(COUNTS, [(f"c-{number}", number)])
            await transaction.move_offsets("view", [OffsetMove("a", await offset(ready), number)], 1)

    for number in range(1, 25):
        task = asyncio.ensure_future(block(number))
        await asyncio.wait([task], timeout=number * 0.0002)
        task.cancel()
        await asyncio.wait([task])
        async with asyncio.timeout(10), ready.transaction():  # waits for what the cancelled block left, if anything
            pass
        reached = await offset(ready)
        assert (f"c-{number}", number) in await rows(ready) if reached == number else reached < number
        assert reached == max((row[1] for row in await rows(ready)), default=0)


async def test_a_fenced_move_gives_up_the_rows(ready: Database) -> None:
    await ready.offsets.claim("view", ["a"], 2)
    with pytest.raises(Fenced):
        await put_and_move(ready, OffsetMove("a", 0, 3))
    assert await rows(ready) == []
    assert await offset(ready) == 0


async def test_a_move_from_another_offset_gives_up_the_rows(ready: Database) -> None:
    with pytest.raises(Fenced):
        await put_and_move(ready, OffsetMove("b", 0, 1), OffsetMove("a", 2, 3))
    assert await rows(ready) == []
    assert await offset(ready, "b") == 0


async def test_a_block_that_swallows_the_fence_still_commits_nothing(ready: Database) -> None:
    async def block() -> None:
        async with ready.transaction() as transaction:
            await transaction.put_rows(COUNTS, [("c-1", 1)])
            with suppress(Fenced):
                await transaction.move_offsets("view", [OffsetMove("a", 0, 3)], 9)

    with pytest.raises(JournalError):
        await block()
    assert await rows(ready) == []


async def test_a_claim_during_the_block_comes_before_or_after_it_but_not_between(
    ready: Database, open_again: Opener
) -> None:
    """A stale holder's rows never commit after the claim returned: claim, then read, sees them or they never come."""
    other = await open_again()
    for epoch in range(1, 8):
        claiming: asyncio.Future[dict[str, int]]
        before = await offset(ready)
        async with asyncio.TaskGroup() as group:
            try:
                async with ready.transaction() as transaction:
                    claiming = group.create_task(other.offsets.claim("view", ["a", "b"], epoch + 1))
                    await asyncio.sleep(0)
                    await transaction.put_rows(COUNTS, [("c-1", epoch)])
                    await transaction.move_offsets("view", [OffsetMove("a", before, before + 1)], epoch)
            except Fenced:
                pass
        at_claim = (await claiming)["a"]
        assert at_claim == await offset(ready)
        assert (("c-1", epoch) in await rows(ready)) == (at_claim == before + 1)


async def test_a_block_sees_its_own_changes(ready: Database) -> None:
    async with ready.transaction() as transaction:
        await transaction.put_rows(COUNTS, [("c-1", 1), ("c-2", 2)])
    async with ready.transaction() as transaction:
        await transaction.put_rows(COUNTS, [("c-2", 20), ("c-3", 3)])
        await transaction.delete_rows(COUNTS, ["c-1", "nobody"])
        found = await transaction.get_rows(COUNTS, ["c-1", "c-2", "c-3", "nobody"])
        assert found == {"c-2": ("c-2", 20), "c-3": ("c-3", 3)}
        await transaction.put_rows(COUNTS, [("c-1", 100)])
    assert await rows(ready) == [("c-1", 100), ("c-2", 20), ("c-3", 3)]


async def test_asking_for_nothing_changes_nothing(ready: Database) -> None:
    async with ready.transaction() as transaction:
        await transaction.put_rows(COUNTS, [])
        await transaction.delete_rows(COUNTS, [])
        assert await transaction.get_rows(COUNTS, []) == {}
        await transaction.move_offsets("view", [], 1)
    assert await rows(ready) == []


async def test_many_rows_and_keys_at_once(ready: Database) -> None:
    many = [(f"c-{n:05}", n) for n in range(5_000)]
    async with ready.transaction() as transaction:
        await transaction.put_rows(COUNTS, many)
        found = await transaction.get_rows(COUNTS, [f"c-{n:05}" for n in range(5_000)])
        assert len(found) == 5_000
    assert await rows(ready) == many
    async with ready.transaction() as transaction:
        await transaction.delete_rows(COUNTS, [f"c-{n:05}" for n in range(1, 5_000)])
    assert await rows(ready) == [("c-00000", 0)]


async def test_read_then_write_blocks_of_one_holder_after_another_lose_no_update(ready: Database) -> None:
    for number in range(20):
        async with ready.transaction() as transaction:
            found = await transaction.get_rows(COUNTS, ["c-1"])
            count = found["c-1"][1] if found else 0
            await transaction.put_rows(COUNTS, [("c-1", count + 1)])
            await transaction.move_offsets("view", [OffsetMove("a", number, number + 1)], 1)
    assert await rows(ready) == [("c-1", 20)]


async def test_of_two_blocks_that_move_from_the_same_offset_one_commits(ready: Database, open_again: Opener) -> None:
    other = await open_again()

    async def step(database: Database, value: int) -> bool:
        try:
            async with database.transaction() as transaction:
                await transaction.put_rows(COUNTS, [(f"c-{value}", value)])
                await transaction.move_offsets("view", [OffsetMove("a", 0, value)], 1)
        except Fenced:
            return False
        return True

    committed = await asyncio.gather(step(ready, 1), step(other, 2))
    assert sorted(committed) == [False, True]
    winner = 1 if committed[0] else 2
    assert await rows(ready) == [(f"c-{winner}", winner)]
    assert await offset(ready) == winner


async def test_dead_letters_commit_with_the_offset(ready: Database) -> None:
    async with ready.transaction() as transaction:
        await transaction.set_aside(DeadLetter("view", "b", 2, "b-2", 1, "Placed", "boom"))
        await transaction.set_aside(DeadLetter("view", "a", 9, "b-9", 4, "Placed", "bang"))
        await transaction.set_aside(DeadLetter("view", "a", 3, "b-1", 2, "Paid", "bäng 'quoted'"))
        await transaction.set_aside(DeadLetter("other", "a", 1, "b-1", 1, "Placed", "elsewhere"))
        await transaction.move_offsets("view", [OffsetMove("a", 0, 9)], 1)
    letters = await ready.dead_letters.list("view")
    assert [(letter.tag, letter.offset) for letter in letters] == [("a", 3), ("a", 9), ("b", 2)]
    first = letters[0]
    assert (first.consumer, first.key, first.seq_nr, first.type_name, first.error) == (
        "view",
        "b-1",
        2,
        "Paid",
        "bäng 'quoted'",
    )
    assert first.recorded_at is not None
    assert first.recorded_at.tzinfo is not None
    assert [letter.offset for letter in await ready.dead_letters.list("view", limit=2)] == [3, 9]


async def test_the_same_event_set_aside_again_is_one_letter_with_the_last_reason(ready: Database) -> None:
    for error in ("first", "second"):
        async with ready.transaction() as transaction:
            await transaction.set_aside(DeadLetter("view", "a", 3, "b-1", 2, "Paid", error))
    assert [letter.error for letter in await ready.dead_letters.list("view")] == ["second"]


async def test_any_error_text_can_be_set_aside(ready: Database) -> None:
    async with ready.transaction() as transaction:
        await transaction.set_aside(
            DeadLetter("view", "a", 3, "b-1", 2, "Paid", "nul \0, surrogate \ud800, " + "x" * 10_000)
        )
    (letter,) = await ready.dead_letters.list("view")
    assert letter.error.startswith("nul \\0, surrogate \\ud800, xxx")


async def test_offsets_and_blocks_are_one_thing(ready: Database) -> None:
    async with ready.transaction() as transaction:
        await transaction.move_offsets("view", [OffsetMove("a", 0, 3)], 1)
    await ready.offsets.commit("view", [OffsetMove("a", 3, 4)], 1)
    assert await ready.offsets.read("view") == {"a": ConsumerOffset("a", 4, 1), "b": ConsumerOffset("b", 0, 1)}


async def _sql_of_ones_own(transaction: Transaction) -> None:
    await transaction.execute("INSERT INTO counts (client, bookings) VALUES ($1, $2)", "c-1", 1)
    await transaction.execute_many("INSERT INTO counts (client, bookings) VALUES ($1, $2)", [("c-2", 2), ("c-3", 3)])
    await transaction.execute("UPDATE counts SET bookings = bookings + $2 WHERE client = $1", "c-1", 10)
    assert await transaction.fetch("SELECT client, bookings FROM counts WHERE bookings > $1 ORDER BY client", 2) == [
        ("c-1", 11),
        ("c-3", 3),
    ]


async def _sql_and_stop(database: Database) -> None:
    async with database.transaction() as transaction:
        await _sql_of_ones_own(transaction)
        raise Stop


async def test_sql_of_ones_own(ready: Database, store_url: str) -> None:
    if store_url == "memory:":
        async with ready.transaction() as transaction:
            for call in (transaction.execute, transaction.fetch):
                with pytest.raises(TypeError, match="no SQL"):
                    await call("SELECT 1")
            with pytest.raises(TypeError, match="no SQL"):
                await transaction.execute_many("SELECT 1", [])
        return
    with pytest.raises(Stop):
        await _sql_and_stop(ready)
    assert await rows(ready) == []
    async with ready.transaction() as transaction:
        await _sql_of_ones_own(transaction)
        await transaction.move_offsets("view", [OffsetMove("a", 0, 3)], 1)
    assert await rows(ready) == [("c-1", 11), ("c-2", 2), ("c-3", 3)]
    assert await offset(ready) == 3


async def test_wrong_sql_rolls_the_block_back(ready: Database, store_url: str) -> None:
    async def block() -> None:
        async with ready.transaction() as transaction:
            await transaction.put_rows(COUNTS, [("c-1", 1)])
            await transaction.execute("INSERT INTO no_such_table VALUES ($1)", 1)

    with pytest.raises(Exception, match=r"no_such_table|no SQL"):
        await block()
    assert await rows(ready) == []
    async with ready.transaction() as transaction:
        await transaction.put_rows(COUNTS, [("c-2", 2)])
    assert await rows(ready) == [("c-2", 2)]
