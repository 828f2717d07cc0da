"""What `OffsetStore` promises: a consumer's offsets move one holder at a time and never by surprise."""

from __future__ import annotations

import asyncio

import pytest

from journal.contract import Database, OffsetStore
from journal.errors import Fenced
from journal.records import ConsumerOffset, OffsetMove
from tests.conformance.conftest import Opener


@pytest.fixture
def offsets(database: Database) -> OffsetStore:
    return database.offsets


async def test_a_consumer_that_never_claimed_has_no_tags(offsets: OffsetStore) -> None:
    assert await offsets.read("view") == {}


async def test_a_claim_of_new_tags_begins_at_0(offsets: OffsetStore) -> None:
    assert await offsets.claim("view", ["booking-0", "booking-1"], 1) == {"booking-0": 0, "booking-1": 0}
    assert await offsets.read("view") == {
        "booking-0": ConsumerOffset("booking-0", 0, 1),
        "booking-1": ConsumerOffset("booking-1", 0, 1),
    }


async def test_a_later_claim_returns_how_far_the_earlier_holder_came(offsets: OffsetStore) -> None:
    await offsets.claim("view", ["a", "b"], 1)
    await offsets.commit("view", [OffsetMove("a", 0, 7)], 1)
    assert await offsets.claim("view", ["a", "b", "c"], 3) == {"a": 7, "b": 0, "c": 0}
    assert await offsets.read("view") == {
        "a": ConsumerOffset("a", 7, 3),
        "b": ConsumerOffset("b", 0, 3),
        "c": ConsumerOffset("c", 0, 3),
    }


@pytest.mark.parametrize("epoch", [2, 1, 0, -1])
async def test_a_claim_takes_all_tags_or_none(offsets: OffsetStore, epoch: int) -> None:
    await offsets.claim("view", ["b"], 2)
    with pytest.raises(Fenced) as refused:
        await offsets.claim("view", ["a", "b", "c"], epoch)
    assert refused.value.epoch == epoch
    assert await offsets.read("view") == {"b": ConsumerOffset("b", 0, 2)}


async def test_a_new_tag_cannot_be_claimed_under_the_epoch_of_nobody(offsets: OffsetStore) -> None:
    with pytest.raises(Fenced):
        await offsets.claim("view", ["a"], 0)
    assert await offsets.read("view") == {}


async def test_claiming_nothing_is_nothing(offsets: OffsetStore) -> None:
    assert await offsets.claim("view", [], 1) == {}
    await offsets.commit("view", [], 1)


async def test_consumers_do_not_mix(offsets: OffsetStore) -> None:
    await offsets.claim("view", ["a"], 5)
    assert await offsets.claim("other", ["a"], 1) == {"a": 0}
    await offsets.commit("view", [OffsetMove("a", 0, 3)], 5)
    assert await offsets.read("other") == {"a": ConsumerOffset("a", 0, 1)}
    assert await offsets.read("vie") == {}


async def test_offsets_move_step_by_step(offsets: OffsetStore) -> None:
    await offsets.claim("view", ["a", "b"], 1)
    await offsets.commit("view", [OffsetMove("a", 0, 10), OffsetMove("b", 0, 4)], 1)
    await offsets.commit("view", [OffsetMove("a", 10, 11)], 1)
    assert {tag: row.offset for tag, row in (await offsets.read("view")).items()} == {"a": 11, "b": 4}


@pytest.mark.parametrize(
    ("move", "epoch"),
    [
        (OffsetMove("b", 5, 6), 1),
        (OffsetMove("b", 5, 6), 3),
        (OffsetMove("b", 4, 6), 2),
        (OffsetMove("b", 6, 7), 2),
        (OffsetMove("never claimed", 0, 1), 2),
        (OffsetMove("never claimed", 0, 1), 0),
    ],
)
async def test_moves_are_fenced_by_epoch_and_by_offset_all_or_none(
    offsets: OffsetStore, move: OffsetMove, epoch: int
) -> None:
    await offsets.claim("view", ["a", "b"], 2)
    await offsets.commit("view", [OffsetMove("b", 0, 5)], 2)
    with pytest.raises(Fenced) as refused:
        await offsets.commit("view", [OffsetMove("a", 0, 1), move], epoch)
    assert refused.value.epoch == epoch
    assert {tag: row.offset for tag, row in (await offsets.read("view")).items()} == {"a": 0, "b": 5}


async def test_the_earlier_holder_cannot_move_after_a_claim(offsets: OffsetStore, open_again: Opener) -> None:
    other = (await open_again()).offsets
    await offsets.claim("view", ["a"], 1)
    await offsets.commit("view", [OffsetMove("a", 0, 3)], 1)
    assert await other.claim("view", ["a"], 2) == {"a": 3}
    with pytest.raises(Fenced):
        await offsets.commit("view", [OffsetMove("a", 3, 4)], 1)
    await other.commit("view", [OffsetMove("a", 3, 9)], 2)
    assert await offsets.read("view") == {"a": ConsumerOffset("a", 9, 2)}


async def test_of_two_claims_at_once_under_one_epoch_one_wins_all_tags(
    offsets: OffsetStore, open_again: Opener
) -> None:
    other = (await open_again()).offsets
    for epoch in range(1, 10):
        results = await asyncio.gather(
            offsets.claim("view", ["a", "b", "c"], epoch),
            other.claim("view", ["c", "b", "a"], epoch),
            return_exceptions=True,
        )
        assert sorted(type(result).__name__ for result in results) == ["Fenced", "dict"]


async def test_names_of_consumers_and_tags_are_any_text(offsets: OffsetStore) -> None:
    consumer, tag = "view'; DROP TABLE aecorpy_offset; --", "ярлык-$1-%"
    await offsets.claim(consumer, [tag], 1)
    await offsets.commit(consumer, [OffsetMove(tag, 0, 2**40)], 1)
    assert await offsets.read(consumer) == {tag: ConsumerOffset(tag, 2**40, 1)}
