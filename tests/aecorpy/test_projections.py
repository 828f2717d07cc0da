"""Views follow the journal, exactly once, whatever fails when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aecorpy import ClusterNode, EntityRefs, Fenced, InvalidDefinition, Retry
from journal.contract import Database
from journal.errors import OutcomeUnknown
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import turns
from tests.aecorpy.running import run_here
from tests.aecorpy.samples import Counter, Saver
from tests.aecorpy.views import ByShard, Notes, Totals, caught_up, total_by_shard, totals
from tests.faulty_store import Fails, Fault, FaultyDatabase, lost_after, lost_before, unavailable
from tests.waiting import eventually

Counters = EntityRefs[Counter]
KEYS = [f"k{number}" for number in range(10)]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runners that do not wait long for a store that is away."""
    monkeypatch.setattr("aecorpy.projection.runner.STORE_PAUSES", Retry(0.001, 0.01))


@asynccontextmanager
async def counting(start_node: StartNode, database: Database) -> AsyncIterator[tuple[ClusterNode, Counters]]:
    """A node with counters, for as long as the block lasts."""
    node = await start_node(database)
    yield node, await node.deploy(Counter)
    await node.stop()


async def add_to_all(counters: Counters, n: int = 1) -> None:
    """One event for each key."""
    await asyncio.gather(*[counters(key).add(n) for key in KEYS])


async def test_a_table_view_follows(start_node: StartNode, database: Database) -> None:
    async with counting(start_node, database) as (node, counters):
        await add_to_all(counters, 1)
        handle = await run_here(node, "Totals", Totals())
        await caught_up(node, handle)
        assert await totals(database) == dict.fromkeys(KEYS, 1)
        await add_to_all(counters, 2)
        await counters("k1").add_all(tuple(range(50)))
        await caught_up(node, handle)
        assert await totals(database) == {**dict.fromkeys(KEYS, 3), "k1": 3 + sum(range(50))}
        found = [row.key async for row in Totals.table.rows(database, total=3)]
        assert found == [key for key in KEYS if key != "k1"]
        status = handle.status()
        assert (status.name, status.running, status.error) == ("Totals", True, None)
        assert status.handled == 20 + 50


async def test_a_view_goes_on_where_it_stopped(start_node: StartNode, database: Database) -> None:
    for round_number in range(1, 4):
        async with counting(start_node, database) as (node, counters):
            view = Totals()
            handle = await run_here(node, "Totals", view)
            await add_to_all(counters)
            await caught_up(node, handle)
            assert await totals(database) == dict.fromkeys(KEYS, round_number)
            assert max(view.trouble.seen.values()) == 1
            assert len(view.trouble.seen) == 10, "nothing is handled again"


async def test_a_view_may_stop_at_any_moment(start_node: StartNode, database: Database) -> None:
    async with counting(start_node, database) as (node, counters):
        for round_number in range(6):
            handle = await run_here(node, "Totals", Totals())
            await add_to_all(counters)
            await turns(round_number * 4)
            await handle.stop()
            await handle.stop()
        handle = await run_here(node, "Totals", Totals())
        await caught_up(node, handle)
        assert await totals(database) == dict.fromkeys(KEYS, 6)


async def test_a_view_in_sql_follows_exactly_once(start_node: StartNode, database: Database) -> None:
    if database.url == "memory:":
        pytest.skip("the memory store has no SQL")
    for round_number in range(1, 4):
        async with counting(start_node, database) as (node, counters):
            handle = await run_here(node, "ByShard", ByShard())
            await add_to_all(counters)
            await caught_up(node, handle)
            assert sum((await total_by_shard(database)).values()) == 10 * round_number


async def test_a_foreign_sink_follows(start_node: StartNode, database: Database) -> None:
    sink = Notes()
    for round_number in range(1, 3):
        async with counting(start_node, database) as (node, counters):
            handle = await run_here(node, "Notes", sink)
            for key in KEYS:
                await counters(key).add_noted(1, f"note {round_number}")
            await caught_up(node, handle)
    assert {key: kept.value for key, kept in sink.kept.items()} == dict.fromkeys(KEYS, ("note 1", "note 2"))
    assert {kept.version for kept in sink.kept.values()} == {2}
    assert max(sink.trouble.seen.values()) == 1


async def test_several_views_do_not_disturb_each_other(start_node: StartNode, database: Database) -> None:
    async with counting(start_node, database) as (node, counters):
        sink = Notes()
        handles = [await run_here(node, "Totals", Totals()), await run_here(node, "Notes", sink)]
        await add_to_all(counters)
        for handle in handles:
            await caught_up(node, handle)
        assert await totals(database) == dict.fromkeys(KEYS, 1)
        assert len(sink.kept) == 10


FAULTS: list[tuple[str, list[Fault]]] = [
    ("create_table", [unavailable()]),
    ("offsets_read", [unavailable()]),
    ("offsets_claim", [unavailable()]),
    ("offsets_claim", [lost_before()]),
    ("offsets_claim", [lost_after()]),
    ("offsets_claim", [unavailable(), lost_after(), lost_before(), unavailable()]),
    ("begin", [unavailable(), unavailable()]),
    ("commit", [unavailable()]),
    ("commit", [lost_before(), lost_before()]),
    ("commit", [lost_after()]),
    ("commit", [lost_after(), lost_before(), unavailable(), lost_after()]),
    ("read_shards", [unavailable(), Fails(OutcomeUnknown("lost"))]),
    ("heads", [unavailable(), unavailable()]),
    ("offsets_read", [Fault(), unavailable(), unavailable()]),
]


@pytest.mark.parametrize(("operation", "faults"), FAULTS)
async def test_exactly_once_whatever_fails(
    start_node: StartNode, faulty: FaultyDatabase, operation: str, faults: list[Fault]
) -> None:
    async with counting(start_node, faulty) as (node, counters):
        await add_to_all(counters)
        faulty.on(operation, *faults)
        handle = await run_here(node, "Totals", Totals())
        await caught_up(node, handle)
        await add_to_all(counters)
        await caught_up(node, handle)
        assert handle.status().running
        assert await totals(faulty) == dict.fromkeys(KEYS, 2)


@pytest.mark.parametrize("fault", [lost_after(), lost_before(), unavailable()])
async def test_a_commit_fails_in_the_middle_of_the_work(
    start_node: StartNode, faulty: FaultyDatabase, fault: Fault
) -> None:
    async with counting(start_node, faulty) as (node, counters):
        handle = await run_here(node, "Totals", Totals())
        for _ in range(5):
            await add_to_all(counters)
            await caught_up(node, handle)
            faulty.on("commit", fault)
        await add_to_all(counters)
        await caught_up(node, handle)
        assert await totals(faulty) == dict.fromkeys(KEYS, 6)


async def test_a_sink_sees_events_again_after_a_lost_commit_and_skips_them(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    async with counting(start_node, faulty) as (node, counters):
        await add_to_all(counters)
        sink = Notes()
        faulty.on("commit", unavailable(), lost_before())
        handle = await run_here(node, "Notes", sink)
        await add_to_all(counters)
        await caught_up(node, handle)
        assert {kept.version for kept in sink.kept.values()} == {2}
        assert max(sink.trouble.seen.values()) == 1, "what the sink has is not folded again"


async def test_a_store_that_is_away_is_waited_for(start_node: StartNode, faulty: FaultyDatabase) -> None:
    async with counting(start_node, faulty) as (node, counters):
        handle = await run_here(node, "Totals", Totals())
        await add_to_all(counters)
        await caught_up(node, handle)
        faulty.go_away()
        await asyncio.sleep(0.1)
        assert handle.status().running
        faulty.heal()
        await add_to_all(counters)
        await caught_up(node, handle)
        assert await totals(faulty) == dict.fromkeys(KEYS, 2)


async def test_a_view_that_starts_while_the_store_is_away(start_node: StartNode, faulty: FaultyDatabase) -> None:
    async with counting(start_node, faulty) as (node, counters):
        await add_to_all(counters)
        faulty.go_away()
        handle = await run_here(node, "Totals", Totals())
        await asyncio.sleep(0.05)
        faulty.heal()
        await caught_up(node, handle)
        assert await totals(faulty) == dict.fromkeys(KEYS, 1)


async def test_what_other_nodes_append_is_found(start_node: StartNode, database: Database) -> None:
    async with counting(start_node, database) as (writer, counters), counting(start_node, database) as (reader, _):
        handle = await run_here(reader, "Totals", Totals())
        await eventually(lambda: handle.status().running)
        await add_to_all(counters)
        await caught_up(writer, handle)
        assert await totals(database) == dict.fromkeys(KEYS, 1)


async def test_of_two_runners_of_one_name_the_older_is_fenced(start_node: StartNode, database: Database) -> None:
    async with counting(start_node, database) as (first, counters), counting(start_node, database) as (second, _):
        older = await run_here(first, "Totals", Totals())
        await add_to_all(counters)
        await caught_up(first, older)
        newer = await run_here(second, "Totals", Totals())
        await caught_up(second, newer)
        await add_to_all(counters)
        with pytest.raises(Fenced):
            await asyncio.wait_for(older.watch_termination(), 5)
        await caught_up(second, newer)
        assert await totals(database) == dict.fromkeys(KEYS, 2)
        status = older.status()
        assert not status.running
        assert status.error is not None
        assert "fenced" in status.error
        assert newer.status().running


async def test_a_superseded_runner_whose_view_objects_to_rows_ahead_of_it_hears_that_it_is_fenced(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    async with counting(start_node, faulty) as (first, counters), counting(start_node, faulty) as (second, _):
        older = await run_here(first, "Totals", Totals())
        await add_to_all(counters)
        await caught_up(first, older)
        gate = faulty.block("read_shards")
        await counters("k1").add(1)
        await gate.reached()
        newer = await run_here(second, "Totals", Totals())
        await caught_up(second, newer)
        gate.release()
        with pytest.raises(Fenced):
            await asyncio.wait_for(older.watch_termination(), 5)
        assert (await totals(faulty))["k1"] == 2


async def test_stopping_is_quiet(start_node: StartNode, faulty: FaultyDatabase) -> None:
    async with counting(start_node, faulty) as (node, _):
        handle = await run_here(node, "Totals", Totals())
        watching = asyncio.ensure_future(handle.watch_termination())
        await turns()
        assert not watching.done()
        await handle.stop()
        await watching
        assert not handle.status().running
        assert handle.status().error is None


async def test_a_watcher_that_is_cancelled_leaves_the_projection_alone(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    async with counting(start_node, faulty) as (node, _):
        handle = await run_here(node, "Totals", Totals())
        watching = asyncio.ensure_future(handle.watch_termination())
        await turns()
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        assert handle.status().running


async def test_its_entity_has_to_be_deployed(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node()
    await node.deploy(Saver)
    with pytest.raises(InvalidDefinition, match="Counter is not deployed"):
        await run_here(node, "Totals", Totals())


async def test_an_error_nobody_thought_of_ends_it_with_a_word(
    start_node: StartNode, faulty: FaultyDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Totals):
        async def prepare(self, database: Database) -> None:
            raise ZeroDivisionError("a bug in prepare")

    async with counting(start_node, faulty) as (node, _):
        handle = await run_here(node, "Broken", Broken())
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(handle.watch_termination(), 5)
        assert handle.status().error is not None
        assert "a bug in prepare" in str(handle.status().error)
    assert "a bug in prepare" in caplog.text


async def test_catching_up_leaves_the_loop_to_others(start_node: StartNode, faulty: FaultyDatabase) -> None:
    class SmallSteps(Totals):
        batch = 1

    async with counting(start_node, faulty) as (node, counters):
        await counters("a").add_all((1,) * 300)
        handle = await run_here(node, "Totals", SmallSteps())
        ticks = 0
        while handle.status().handled < 300:
            await asyncio.sleep(0)
            ticks += 1
        assert ticks > 100


async def test_a_gap_at_the_sink_is_noticed(start_node: StartNode, faulty: FaultyDatabase) -> None:
    sink = Notes()
    async with counting(start_node, faulty) as (node, counters):
        handle = await run_here(node, "Notes", sink)
        await counters("a").add_noted(1, "one")
        await counters("a").add_noted(1, "two")
        await caught_up(node, handle)
        del sink.kept["a"]
        await counters("a").add_noted(1, "three")

        def trouble() -> Any:
            return next((tag.error for tag in handle.status().tags if tag.error), None)

        assert "the sink's 'a' is at version 0, but the next event is 3: rebuild the sink" in await eventually(trouble)
        assert "a" not in sink.kept
