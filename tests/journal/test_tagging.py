"""Which stream an entity's events belong to."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.database import open_database
from journal.errors import InvalidName
from journal.tagging import MAX_SHARDS, EventTag, Tagging, stable_hash

# BLAKE2b, 8 bytes, big-endian
HASHES = [
    4681665781835383343,
    3262811906737728667,
    13271889725901711661,
    16731776207566445370,
]
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)


def test_the_hash_never_changes() -> None:
    # Events are where these numbers put them: another hash would lose every entity.
    assert [stable_hash(key) for key in ("a", "b-1", "Ünïcödé", "日本")] == HASHES
    assert [Tagging.partitioned(64).shard_of(key) for key in ("a", "b-1", "Ünïcödé", "日本")] == [
        number % 64 for number in HASHES
    ]


@given(KEYS, st.integers(1, MAX_SHARDS))
def test_every_key_has_one_shard(key: str, count: int) -> None:
    tagging = Tagging.partitioned(count)
    assert 0 <= tagging.shard_of(key) < count
    assert tagging.shard_of(key) == tagging.shard_of("".join(key))


def test_keys_are_spread_evenly() -> None:
    spread = Counter(Tagging.partitioned(64).shard_of(f"booking-{number}") for number in range(64_000))
    assert len(spread) == 64
    assert min(spread.values()) > 800
    assert max(spread.values()) < 1_200


def test_one_stream_for_all() -> None:
    assert Tagging.const() == Tagging.partitioned(1)
    assert {Tagging.const().shard_of(str(number)) for number in range(100)} == {0}


@pytest.mark.parametrize("count", [0, -1, MAX_SHARDS + 1])
def test_a_number_of_shards_that_cannot_be(count: int) -> None:
    with pytest.raises(ValueError, match=f"shard_count is {count}"):
        Tagging.partitioned(count)


async def test_a_journal_can_have_as_many_shards_as_a_type() -> None:
    database = await open_database("memory:")
    journal = await database.journal("booking", Tagging.partitioned(MAX_SHARDS).shard_count)
    assert journal.shard_count == MAX_SHARDS
    with pytest.raises(ValueError, match=f"1 to {MAX_SHARDS}"):
        await database.journal("payment", MAX_SHARDS + 1)
    await database.close()


@pytest.mark.parametrize("count", [1.5, "4", None, True])
def test_what_is_no_number_of_shards(count: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        Tagging.partitioned(count)


def test_tags_are_written_as_name_and_number() -> None:
    tags = Tagging.partitioned(3).tags("booking")
    assert [str(tag) for tag in tags] == ["booking-0", "booking-1", "booking-2"]
    assert tuple(EventTag.parse(str(tag)) for tag in tags) == tags
    assert EventTag.parse("a_b-12") == EventTag("a_b", 12)


@pytest.mark.parametrize(
    "text", ["", "booking", "booking-", "-1", "booking-x", "booking--1", "Booking-1", "a-b-1", "a-²"]
)
def test_what_is_no_tag(text: str) -> None:
    with pytest.raises(InvalidName):
        EventTag.parse(text)


@pytest.mark.parametrize("shard", ["9" * 5_000, "1234567", "٣", "+1", " 1", "1_0"])
def test_a_shard_of_a_tag_is_a_few_plain_digits(shard: str) -> None:
    with pytest.raises(InvalidName) as refused:
        EventTag.parse(f"booking-{shard}")
    assert len(str(refused.value)) < 200
