"""How many events are read at a time."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from journal.pages import FIRST, PageSize
from journal.records import StoredEvent


def page(*sizes: int) -> list[StoredEvent]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [StoredEvent(0, n, "k", n, 1, "Noted", 1, bytes(size), b"", at) for n, size in enumerate(sizes, 1)]


def test_pages_of_small_events_grow_up_to_the_most() -> None:
    size = PageSize(500)
    seen = [size.events]
    for _ in range(5):
        size.read(page(*[100] * size.events))
        seen.append(size.events)
    assert seen == [FIRST, 128, 256, 500, 500, 500]


def test_a_few_events_that_came_just_now_do_not_make_pages_small() -> None:
    size = PageSize(2_000)
    for _ in range(6):
        size.read(page(0))
    assert size.events == 2_000


@given(st.lists(st.integers(0, 200), min_size=1, max_size=30), st.integers(1, 100), st.integers(100, 1_000))
def test_a_page_of_events_as_large_as_the_last_ones_fits(sizes: list[int], most: int, most_bytes: int) -> None:
    size = PageSize(most, most_bytes)
    for one in sizes:
        before = size.events
        size.read(page(*[one] * before))
        assert 1 <= size.events <= min(most, before * 2)
        assert size.events == 1 or size.events * one <= most_bytes


def test_one_event_that_is_larger_than_a_page_should_be_is_read_alone() -> None:
    size = PageSize(500, 1_000)
    size.read(page(5_000))
    assert size.events == 1
    size.read(page(10))
    assert size.events == 2
