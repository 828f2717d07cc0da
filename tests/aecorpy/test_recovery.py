"""Entities come back from the journal, or say exactly why they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from aecorpy import CorruptRecord, EntityRefs, RecoveryFailed, Unavailable
from journal.contract import Database
from journal.records import Append, NewEvent
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import numbers
from tests.aecorpy.samples import Added, Counter
from tests.faulty_store import Fails, FaultyDatabase, unavailable

Counters = EntityRefs[Counter]


async def written(counters: Counters, database: Database, key: str, *events: Added) -> None:
    """Put events into the journal without an entity that would object."""
    store = await database.journal("counter", 4)
    shard = counters.door.tagging.shard_of(key)
    epoch = (await store.heads())[shard].epoch + 1
    await store.claim(shard, epoch)
    new = [NewEvent(*counters.behaviour.events.encode(added)) for added in events]
    await store.append([Append(shard, epoch, key, 1, new)])


async def test_an_entity_comes_back_on_another_node(database: Database, start_node: StartNode) -> None:
    first = await start_node(database)
    counters = await first.deploy(Counter)
    await counters("a").add_all((1, 2, 3))
    await counters("a").add(4)
    await first.stop()
    counters = await (await start_node(database)).deploy(Counter)
    assert await counters("a").get() == 10
    assert await counters("a").get_version() == 4
    assert await counters("a").add(1) == 11
    assert await numbers(counters, database, "a") == [1, 2, 3, 4, 1]


async def test_a_history_longer_than_a_page_comes_back(start_node: StartNode, faulty: FaultyDatabase) -> None:
    counters = await (await start_node()).deploy(Counter)
    for count in (1, 499, 500, 501, 1_000, 2_345):
        await written(counters, faulty, f"k{count}", *[Added(1)] * count)
    counters = await (await start_node()).deploy(Counter)
    for count in (1, 499, 500, 501, 1_000, 2_345):
        assert (await counters(f"k{count}").get(), await counters(f"k{count}").get_version()) == (count, count)


@pytest.mark.parametrize(
    ("note", "why"),
    [
        ("impossible", r"cannot follow state 3: it says so itself"),
        ("fold raises", r"the fold raised Oops: a bug in the fold"),
        ("fold raises without text", r"the fold raised Speechless"),
    ],
)
async def test_a_fold_that_cannot_follow_the_journal_stops_the_entity_and_says_where(
    counters: Counters, faulty: FaultyDatabase, note: str, why: str
) -> None:
    await written(counters, faulty, "a", Added(1), Added(2), Added(3, note), Added(4))
    for _ in range(2):
        with pytest.raises(RecoveryFailed, match=f"counter 'a' cannot be recovered: its event 3: .*{why}"):
            await counters("a").add(1)
    assert await counters("b").add(1) == 1, "another entity is not harmed"


CORRUPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"payload": b"\xc1"}, "Added"),
    ({"payload": b""}, "Added"),
    ({"payload": b"\x81\xa1n\xa3one"}, "Added"),
    ({"payload": b"\x80"}, "Added"),
    ({"type_name": "Vanished"}, "Vanished"),
    ({"version": 7}, "Added"),
    ({"version": 0}, "Added"),
]


@pytest.mark.parametrize(("changes", "type_name"), CORRUPTIONS)
async def test_a_corrupt_row_stops_the_entity_and_says_where(
    start_node: StartNode, faulty: FaultyDatabase, changes: dict[str, Any], type_name: str
) -> None:
    counters = await (await start_node()).deploy(Counter)
    await counters("a").add_all((1, 2, 3))
    faulty.corrupt("a", 2, **changes)
    counters = await (await start_node()).deploy(Counter)
    with pytest.raises(CorruptRecord) as caught:
        await counters("a").add(1)
    error, shard = caught.value, counters.door.tagging.shard_of("a")
    place = (error.table, error.shard, error.offset, error.key, error.seq_nr, error.type_name)
    assert place == ("counter_event", shard, 2, "a", 2, type_name)
    for part in ("counter_event", repr(type_name), "'a'", "seq_nr 2", f"shard {shard}", "offset 2"):
        assert part in str(error)
    faulty.heal()
    assert await counters("a").add(1) == 7, "once the row is mended the entity is back"


async def test_a_hole_in_the_journal_is_not_read_over(start_node: StartNode, faulty: FaultyDatabase) -> None:
    counters = await (await start_node()).deploy(Counter)
    await counters("a").add_all((1, 2, 3))
    faulty.corrupt("a", 2, seq_nr=4)
    counters = await (await start_node()).deploy(Counter)
    with pytest.raises(RecoveryFailed, match="its event 2: is missing, the next is 4"):
        await counters("a").add(1)


async def test_a_store_that_is_away_is_not_logged_for_each_entity(
    counters: Counters, faulty: FaultyDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.on("read_entity", unavailable(), unavailable())
    for key in ("a", "b"):
        with pytest.raises(Unavailable):
            await counters(key).add(1)
    assert "cannot be recovered" not in caplog.text


async def test_a_store_that_is_away_at_recovery_is_asked_again_by_the_next_command(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    counters = await (await start_node()).deploy(Counter)
    await counters("a").add(5)
    counters = await (await start_node()).deploy(Counter)
    faulty.on("read_entity", unavailable(), Fails(ZeroDivisionError("a bug in the store")))
    with pytest.raises(Unavailable, match="away"):
        await counters("a").add(1)
    with pytest.raises(Unavailable, match="ZeroDivisionError"):
        await counters("a").add(1)
    assert await counters("a").add(1) == 6
