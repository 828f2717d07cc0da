"""What stores promise about dead letters: who set them aside, and that one asked for is handled again exactly once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from journal.contract import Database
from journal.records import DeadLetter, OffsetMove
from tests.conformance.conftest import Opener

FIRST = DeadLetter("view", "a", 3, "b-1", 2, "Paid", "boom")
SECOND = DeadLetter("view", "b", 1, "b-2", 1, "Placed", "asked by support", by="Ada Lovelace")
OTHERS = DeadLetter("other", "a", 3, "b-1", 2, "Paid", "elsewhere")


class Stop(Exception):
    """Raised by tests to leave a block."""


async def set_aside(database: Database, *letters: DeadLetter) -> None:
    async with database.transaction() as transaction:
        for letter in letters:
            await transaction.set_aside(letter)


@pytest.fixture
async def ready(database: Database) -> Database:
    """A database with two letters of `view` and one of `other`."""
    await set_aside(database, FIRST, SECOND, OTHERS)
    return database


async def listed(database: Database, consumer: str = "view") -> list[DeadLetter]:
    """The letters without their times."""
    return [replace(letter, recorded_at=None) for letter in await database.dead_letters.list(consumer)]


async def asked(database: Database, *tags: str, limit: int = 1000) -> list[tuple[str, int]]:
    """Tag and offset of the letters of `view` that were asked for."""
    letters = await database.dead_letters.asked("view", tags, limit)
    assert all(letter.asked and letter.recorded_at is not None for letter in letters)
    return [(letter.tag, letter.offset) for letter in letters]


async def settle(database: Database, letter: DeadLetter) -> bool:
    async with database.transaction() as transaction:
        return await transaction.settle_letter(letter.consumer, letter.tag, letter.offset)


async def test_a_letter_tells_who_skipped_its_event(ready: Database) -> None:
    assert await listed(ready) == [FIRST, SECOND]
    assert [letter.by for letter in await ready.dead_letters.list("view")] == [None, "Ada Lovelace"]


async def test_letters_can_be_listed_by_tag(ready: Database) -> None:
    assert [letter.key for letter in await ready.dead_letters.list("view", tag="b")] == ["b-2"]
    assert await ready.dead_letters.list("view", tag="c") == []
    assert await ready.dead_letters.list("view", 0, "b") == []


async def test_any_name_can_have_skipped_an_event(database: Database) -> None:
    await set_aside(database, replace(FIRST, by="nul \0, surrogate \ud800, 'quoted'"))
    (letter,) = await database.dead_letters.list("view")
    assert letter.by == "nul \\0, surrogate \\ud800, 'quoted'"


async def test_nothing_is_asked_for_until_somebody_asks(ready: Database) -> None:
    assert await asked(ready, "a", "b") == []
    assert await ready.dead_letters.ask_again("view", "b", 1)
    assert await asked(ready, "a", "b") == [("b", 1)]
    assert await ready.dead_letters.ask_again("view", "a", 3)
    assert await ready.dead_letters.ask_again("view", "a", 3)
    assert await asked(ready, "b", "a", "c") == [("a", 3), ("b", 1)]
    assert await asked(ready, "a") == [("a", 3)]
    assert await asked(ready) == []
    assert await asked(ready, "a", "b", limit=1) == [("a", 3)]
    assert await listed(ready) == [replace(FIRST, asked=True), replace(SECOND, asked=True)]
    assert await listed(ready, "other") == [OTHERS]


@pytest.mark.parametrize(("consumer", "tag", "offset"), [("nobody", "a", 3), ("view", "c", 3), ("view", "a", 4)])
async def test_what_was_not_set_aside_cannot_be_asked_for(
    ready: Database, consumer: str, tag: str, offset: int
) -> None:
    assert not await ready.dead_letters.ask_again(consumer, tag, offset)
    assert await listed(ready) == [FIRST, SECOND]
    assert await ready.dead_letters.asked(consumer, [tag]) == []


async def test_letters_cannot_be_set_aside_as_asked_for(database: Database) -> None:
    await set_aside(database, replace(FIRST, asked=True))
    assert await listed(database) == [FIRST]


async def test_a_settled_letter_is_gone(ready: Database) -> None:
    await ready.dead_letters.ask_again("view", "a", 3)
    assert await settle(ready, FIRST)
    assert await listed(ready) == [SECOND]
    assert await asked(ready, "a", "b") == []
    assert not await settle(ready, FIRST)
    assert not await ready.dead_letters.ask_again("view", "a", 3)
    assert await listed(ready, "other") == [OTHERS]


async def test_a_letter_stays_when_its_block_fails(ready: Database) -> None:
    async def block() -> None:
        async with ready.transaction() as transaction:
            assert await transaction.settle_letter("view", "a", 3)
            assert not await transaction.settle_letter("view", "a", 3)
            raise Stop

    await ready.dead_letters.ask_again("view", "a", 3)
    with pytest.raises(Stop):
        await block()
    assert await listed(ready) == [replace(FIRST, asked=True), SECOND]


async def test_an_event_that_fails_again_is_a_letter_nobody_asked_for(ready: Database) -> None:
    again = replace(FIRST, error="bang", by=None)
    for settled_first in (True, False):
        await ready.dead_letters.ask_again("view", "a", 3)
        async with ready.transaction() as transaction:
            if settled_first:
                await transaction.settle_letter("view", "a", 3)
            await transaction.set_aside(again)
        assert await listed(ready) == [again, SECOND]
        assert await asked(ready, "a") == []
    assert await ready.dead_letters.ask_again("view", "a", 3)
    assert await asked(ready, "a") == [("a", 3)]


async def test_a_letter_set_aside_and_settled_in_one_block_never_was(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.set_aside(FIRST)
        assert await transaction.settle_letter("view", "a", 3)
    assert await listed(database) == []


async def test_a_later_letter_takes_the_name_of_who_skipped_it_with_it(ready: Database) -> None:
    await set_aside(ready, replace(SECOND, error="boom", by=None))
    await set_aside(ready, replace(FIRST, error="as Grace says", by="Grace Hopper"))
    assert [(letter.error, letter.by) for letter in await listed(ready)] == [
        ("as Grace says", "Grace Hopper"),
        ("boom", None),
    ]


async def test_of_two_that_settle_one_letter_at_once_one_handles_its_event(ready: Database, open_again: Opener) -> None:
    other = await open_again()

    async def handle(database: Database) -> bool:
        async with database.transaction() as transaction:
            settled = await transaction.settle_letter("view", "a", 3)
            await asyncio.sleep(0)
            return settled

    assert sorted(await asyncio.gather(*(handle(each) for each in (ready, other, ready, other)))) == [
        False,
        False,
        False,
        True,
    ]
    assert await listed(ready) == [SECOND]


async def test_asking_while_a_block_settles_comes_before_or_after_it(ready: Database, open_again: Opener) -> None:
    other = await open_again()
    async with asyncio.TaskGroup() as group:
        async with ready.transaction() as transaction:
            assert await transaction.settle_letter("view", "a", 3)
            asking = group.create_task(other.dead_letters.ask_again("view", "a", 3))
            await asyncio.wait([asking], timeout=0.05)
        assert not await asking
    assert await listed(ready) == [SECOND]


async def test_skipping_an_event_is_a_letter_and_a_move_under_the_stored_epoch(database: Database) -> None:
    await database.offsets.claim("view", ["b"], 7)
    async with database.transaction() as transaction:
        row = (await transaction.read_offsets("view"))["b"]
        await transaction.set_aside(SECOND)
        await transaction.move_offsets("view", [OffsetMove("b", row.offset, 1)], row.epoch)
    assert await listed(database) == [SECOND]
    assert (await database.offsets.read("view"))["b"].offset == 1


async def test_a_consumer_that_is_set_back_forgets_the_letters_of_what_it_will_meet_again(database: Database) -> None:
    letters = [replace(FIRST, offset=offset) for offset in (2, 3, 7)]
    await set_aside(database, *letters, SECOND, OTHERS)
    async with database.transaction() as transaction:
        await transaction.set_aside(replace(FIRST, offset=9))
        assert await transaction.forget_letters("view", "a", 2) == 3
        assert await transaction.forget_letters("view", "a", 2) == 0
        assert await transaction.forget_letters("view", "c", 0) == 0
    assert await listed(database) == [letters[0], SECOND]
    assert await listed(database, "other") == [OTHERS]


async def test_forgotten_letters_come_back_with_the_block_s_failure(ready: Database) -> None:
    with suppress(Stop):
        async with ready.transaction() as transaction:
            assert await transaction.forget_letters("view", "a", 0) == 1
            raise Stop
    assert await listed(ready) == [FIRST, SECOND]


async def test_letters_are_handed_over_as_they_are(ready: Database) -> None:
    await ready.dead_letters.ask_again("view", "a", 3)
    before = await ready.dead_letters.list("view")
    third = replace(FIRST, offset=9)
    async with ready.transaction() as transaction:
        await transaction.set_aside(third)
        assert await transaction.hand_over_letters("view", "other") == 3
        assert await transaction.hand_over_letters("view", "other") == 0
    assert await listed(ready) == []
    first, last, second = await ready.dead_letters.list("other")
    assert [first, second] == [replace(letter, consumer="other") for letter in before], "also in place of another's"
    assert first.asked
    assert last.recorded_at is not None
    assert replace(last, recorded_at=None) == replace(third, consumer="other")


async def test_letters_handed_over_come_back_with_the_block_s_failure(ready: Database) -> None:
    with suppress(Stop):
        async with ready.transaction() as transaction:
            assert await transaction.hand_over_letters("view", "other") == 2
            raise Stop
    assert await listed(ready) == [FIRST, SECOND]
    assert await listed(ready, "other") == [OTHERS]
