"""What transactions promise about offsets that are placed by somebody who does not hold them, and about the clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from journal.contract import Database
from journal.errors import Fenced, JournalError
from journal.records import ConsumerOffset, OffsetMove
from tests.conformance.conftest import Opener
from tests.conformance.samples import appending, log, written


class Stop(Exception):
    """Raised by tests to leave a block."""


@pytest.fixture
async def ready(database: Database) -> Database:
    """A database where `view` has come to 7 on a and 3 on b, under epoch 4."""
    await database.offsets.claim("view", ["a", "b"], 4)
    await database.offsets.commit("view", [OffsetMove("a", 0, 7), OffsetMove("b", 0, 3)], 4)
    return database


async def place(database: Database, **offsets: int) -> None:
    async with database.transaction() as transaction:
        await transaction.place_offsets("view", offsets)


async def stored(database: Database, consumer: str = "view") -> dict[str, tuple[int, int]]:
    """Offset and epoch by tag."""
    return {tag: (row.offset, row.epoch) for tag, row in (await database.offsets.read(consumer)).items()}


async def test_a_transaction_reads_offsets_as_the_store_does(ready: Database) -> None:
    async with ready.transaction() as transaction:
        assert await transaction.read_offsets("view") == {
            "a": ConsumerOffset("a", 7, 4),
            "b": ConsumerOffset("b", 3, 4),
        }
        assert await transaction.read_offsets("nobody") == {}


async def test_a_placed_offset_fences_its_holder_and_the_next_one_goes_on_from_there(ready: Database) -> None:
    await place(ready, a=2)
    assert await stored(ready) == {"a": (2, 5), "b": (3, 4)}
    for before in (7, 2):
        with pytest.raises(Fenced) as refused:
            await ready.offsets.commit("view", [OffsetMove("a", before, 8)], 4)
        assert refused.value.current == 5
    await ready.offsets.commit("view", [OffsetMove("b", 3, 4)], 4)
    for epoch in (4, 5):
        with pytest.raises(Fenced):
            await ready.offsets.claim("view", ["a", "b"], epoch)
    assert await ready.offsets.claim("view", ["a", "b"], 6) == {"a": 2, "b": 4}
    await ready.offsets.commit("view", [OffsetMove("a", 2, 3)], 6)


async def test_an_offset_is_placed_where_it_already_is_and_fences_all_the_same(ready: Database) -> None:
    await place(ready, a=7, b=9)
    assert await stored(ready) == {"a": (7, 5), "b": (9, 5)}


async def test_placing_a_tag_that_was_never_claimed_records_it(ready: Database) -> None:
    await place(ready, c=12)
    assert await stored(ready) == {"a": (7, 4), "b": (3, 4), "c": (12, 1)}
    with pytest.raises(Fenced):
        await ready.offsets.claim("view", ["c"], 1)
    assert await ready.offsets.claim("view", ["c"], 2) == {"c": 12}


async def test_placing_nothing_is_nothing(ready: Database) -> None:
    await place(ready)
    assert await stored(ready) == {"a": (7, 4), "b": (3, 4)}


@pytest.mark.parametrize("offset", [-1, 2**63])
async def test_what_cannot_be_an_offset_is_not_placed(ready: Database, offset: int) -> None:
    with pytest.raises(ValueError, match="'b'"):
        await place(ready, a=0, b=offset)
    assert await stored(ready) == {"a": (7, 4), "b": (3, 4)}


async def test_consumers_do_not_mix(ready: Database) -> None:
    await ready.offsets.claim("other", ["a"], 9)
    await place(ready, a=0)
    async with ready.transaction() as transaction:
        await transaction.forget_offsets("view")
    assert await stored(ready, "other") == {"a": (0, 9)}


async def test_a_forgotten_consumer_is_fenced_and_begins_anew(ready: Database) -> None:
    async with ready.transaction() as transaction:
        await transaction.forget_offsets("view")
        await transaction.forget_offsets("nobody")
        assert await transaction.read_offsets("view") == {}
    assert await stored(ready) == {}
    with pytest.raises(Fenced):
        await ready.offsets.commit("view", [OffsetMove("a", 7, 8)], 4)
    assert await ready.offsets.claim("view", ["a"], 1) == {"a": 0}


async def test_the_offsets_of_two_consumers_are_exchanged_in_one_transaction(ready: Database) -> None:
    await ready.offsets.claim("view@2", ["a", "b"], 1)
    await ready.offsets.commit("view@2", [OffsetMove("a", 0, 5)], 1)
    async with ready.transaction() as transaction:
        generation = await transaction.read_offsets("view@2")
        await transaction.place_offsets("view", {tag: row.offset for tag, row in generation.items()})
        await transaction.forget_offsets("view@2")
    assert await stored(ready) == {"a": (5, 5), "b": (0, 5)}
    assert await stored(ready, "view@2") == {}


async def test_a_block_sees_what_it_placed_and_forgot(ready: Database) -> None:
    async with ready.transaction() as transaction:
        await transaction.move_offsets("view", [OffsetMove("a", 7, 8)], 4)
        await transaction.place_offsets("view", {"a": 1, "c": 2})
        await transaction.place_offsets("view", {"a": 3})
        assert await transaction.read_offsets("view") == {
            "a": ConsumerOffset("a", 3, 6),
            "b": ConsumerOffset("b", 3, 4),
            "c": ConsumerOffset("c", 2, 1),
        }
        await transaction.move_offsets("view", [OffsetMove("a", 3, 4)], 6)
        await transaction.forget_offsets("view")
        await transaction.place_offsets("view", {"b": 1})
        assert await transaction.read_offsets("view") == {"b": ConsumerOffset("b", 1, 1)}
    assert await stored(ready) == {"b": (1, 1)}


async def test_nothing_of_it_shows_before_the_block_ends_or_after_it_failed(
    ready: Database, open_again: Opener
) -> None:
    other = await open_again()

    async def block() -> None:
        async with ready.transaction() as transaction:
            await transaction.place_offsets("view", {"a": 0})
            await transaction.forget_offsets("view")
            await transaction.place_offsets("view", {"c": 1})
            assert await stored(other) == {"a": (7, 4), "b": (3, 4)}
            raise Stop

    with pytest.raises(Stop):
        await block()
    assert await stored(other) == {"a": (7, 4), "b": (3, 4)}


async def test_a_holder_that_moves_while_offsets_are_placed_is_overwritten_or_fenced(
    ready: Database, open_again: Opener
) -> None:
    """Whatever the holder commits, and whenever: in the end both tags are where they were placed."""
    holder, epoch = await open_again(), 4

    async def move(offsets: dict[str, int]) -> bool:
        try:
            async with holder.transaction() as transaction:
                moves = [OffsetMove(tag, offset, offset + 1) for tag, offset in sorted(offsets.items(), reverse=True)]
                await transaction.move_offsets("view", moves, epoch)
        except Fenced:
            return False
        return True

    async def keep_moving() -> int:
        offsets = {tag: row.offset for tag, row in (await holder.offsets.read("view")).items()}
        moved = 0
        while await move(offsets):
            moved += 1
            await asyncio.sleep(0)  # the memory store lets nobody else run by itself
            offsets = {tag: offset + 1 for tag, offset in offsets.items()}
        return moved

    for goal in range(8):
        moving = asyncio.ensure_future(keep_moving())
        await asyncio.wait([moving], timeout=0.002 * goal)
        await place(ready, b=goal, a=100 + goal)
        async with asyncio.timeout(10):
            await moving
        assert {tag: row[0] for tag, row in (await stored(ready)).items()} == {"a": 100 + goal, "b": goal}
        epoch = max(row[1] for row in (await stored(ready)).values()) + 1
        await holder.offsets.claim("view", ["a", "b"], epoch)


async def test_offsets_that_a_block_has_read_do_not_move_until_it_ends(ready: Database, open_again: Opener) -> None:
    other = await open_again()
    async with asyncio.TaskGroup() as group:
        async with ready.transaction() as transaction:
            seen = await transaction.read_offsets("view")
            moving = group.create_task(other.offsets.commit("view", [OffsetMove("a", 7, 8)], 4))
            await asyncio.wait([moving], timeout=0.05)
            assert not moving.done()
            assert await transaction.read_offsets("view") == seen
            await transaction.move_offsets("view", [OffsetMove("b", 3, 4)], 4)
        await moving
    assert await stored(ready) == {"a": (8, 4), "b": (4, 4)}


async def test_two_that_place_the_same_offsets_take_turns(ready: Database, open_again: Opener) -> None:
    other = await open_again()
    await asyncio.gather(*(place(ready, a=10, b=10) for _ in range(5)), *(place(other, b=20, a=20) for _ in range(5)))
    assert await stored(ready) in ({"a": (10, 14), "b": (10, 14)}, {"a": (20, 14), "b": (20, 14)})


async def test_the_clock_is_in_utc_and_goes_on(database: Database) -> None:
    first = await database.now()
    assert first.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=5)
    assert first <= await database.now()


async def test_it_is_the_clock_that_dates_what_is_recorded(ready: Database) -> None:
    store = await ready.journal("booking", 1)
    await store.claim(0, 1)
    before = await ready.now()
    await written(store, appending("a", 1))
    (event,) = await log(store)
    assert before <= event.recorded_at <= await ready.now()


async def test_a_closed_database_has_no_clock(database: Database) -> None:
    await database.close()
    with pytest.raises(JournalError):
        await database.now()
