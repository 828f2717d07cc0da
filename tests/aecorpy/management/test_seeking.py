"""Times and offsets: the search finds, in every shard, where a time is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from aecorpy.management.seeking import offsets_before
from journal.contract import JournalStore
from journal.records import StoredEvent

START = datetime(2026, 1, 1, tzinfo=UTC)


class Shards:
    """Events of which only the times matter."""

    def __init__(self, times: list[list[int]]) -> None:
        self.times = times
        self.reads = 0

    async def read_shards(self, after: Mapping[int, int], limit: int) -> list[Any]:
        self.reads += 1
        return [
            StoredEvent(shard, offset + 1, "k", 1, 1, "E", 1, b"", b"", at(self.times[shard][offset]))
            for shard, offset in after.items()
        ]


def at(seconds: int) -> datetime:
    """That many seconds after the start."""
    return START + timedelta(seconds=seconds)


@given(st.lists(st.lists(st.integers(0, 30), max_size=40).map(sorted), max_size=5), st.integers(-1, 31))
def test_everything_before_the_time_is_left_out_and_nothing_else(times: list[list[int]], seconds: int) -> None:
    shards = Shards(times)
    heads = {shard: len(some) for shard, some in enumerate(times)}
    found = asyncio.run(offsets_before(cast("JournalStore", shards), at(seconds), heads))
    assert found == {shard: sum(time < seconds for time in some) for shard, some in enumerate(times)}
    assert shards.reads <= 6
