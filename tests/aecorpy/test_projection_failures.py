"""Events that a projection cannot handle: stop, retry or set aside; never skipped in silence."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from aecorpy import ClusterNode, EntityRefs, InvalidDefinition, Retry, SetAside, Stop
from aecorpy.projection import TagStatus
from aecorpy.projection.runner import ProjectionStopped
from journal.contract import Database
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.running import ProjectionHandle, run_here
from tests.aecorpy.samples import Counter
from tests.aecorpy.views import ByShard, Notes, Totals, caught_up, total_by_shard, totals
from tests.faulty_store import FaultyDatabase, lost_after, unavailable
from tests.waiting import eventually

Counters = EntityRefs[Counter]
SOON = Retry(0.005, 0.02)


class Retrying(Totals):
    on_failure = SOON


class Stopping(Totals):
    on_failure = Stop()


class SettingAside(Totals):
    on_failure = SetAside(3, SOON)

    def apply(self, row: Any, event: Any) -> Any:
        self.trouble.look(event)
        return super().apply(row, event) if row is None or row.events == event.seq_nr - 1 else row


class NotesRetrying(Notes):
    on_failure = SOON


class NotesSettingAside(Notes):
    on_failure = SetAside(2, SOON)


class SqlRetrying(ByShard):
    on_failure = SOON


@pytest.fixture
async def node(start_node: StartNode, database: Database) -> ClusterNode:
    """A node on each kind of database."""
    return await start_node(database)


@pytest.fixture
async def counters(node: ClusterNode) -> Counters:
    """Counters with a poisonous event in the middle of "bad"'s, which shares its shard with "same"."""
    counters = await node.deploy(Counter)
    for key in (*others(counters), bad(counters)):
        await counters(key).add(1)
    await counters(bad(counters)).add_noted(10, "poison")
    for key in (*others(counters), bad(counters)):
        await counters(key).add(100)
    return counters


def bad(counters: Counters) -> str:
    """A key of shard 0."""
    return next(key for key in map(str, range(1_000)) if counters.door.tagging.shard_of(key) == 0)


def others(counters: Counters) -> list[str]:
    """Keys of all shards."""
    return [key for key in map(str, range(12)) if key != bad(counters)]


def elsewhere(counters: Counters) -> dict[str, int]:
    """What a view of the shards without the poison shows."""
    return {key: 101 for key in others(counters) if counters.door.tagging.shard_of(key) != 0}


def in_trouble(handle: ProjectionHandle, failures: int = 1) -> Callable[[], TagStatus | None]:
    """The tag that has failed so often."""
    return lambda: next((tag for tag in handle.status().tags if tag.failures >= failures), None)


async def test_retrying_holds_one_tag_and_lets_the_others_go_on(
    node: ClusterNode, counters: Counters, database: Database
) -> None:
    view = Retrying()
    view.trouble.poison.add("poison")
    handle = await run_here(node, "Totals", view)
    tag = await eventually(in_trouble(handle, 3))
    assert tag is not None
    assert tag.tag == "counter-0"
    assert tag.error == "ValueError: cannot handle 'poison'"

    async def shown() -> bool:
        found = await totals(database)
        return {key: found.get(key) for key in elsewhere(counters)} == elsewhere(counters)

    await eventually(shown)
    assert (await totals(database))[bad(counters)] == 1, "all before the poison, and nothing behind it"
    assert handle.status().running
    view.trouble.poison.clear()
    await caught_up(node, handle)
    assert await totals(database) == {**dict.fromkeys(others(counters), 101), bad(counters): 111}
    assert {(tag.failures, tag.error) for tag in handle.status().tags} == {(0, None)}


async def test_retrying_goes_on_in_a_new_runner(node: ClusterNode, counters: Counters, database: Database) -> None:
    view = Retrying()
    view.trouble.poison.add("poison")
    handle = await run_here(node, "Totals", view)
    await eventually(in_trouble(handle))
    await handle.stop()
    handle = await run_here(node, "Totals", Retrying())
    await caught_up(node, handle)
    assert await totals(database) == {**dict.fromkeys(others(counters), 101), bad(counters): 111}


async def test_events_that_come_while_a_tag_is_held_are_handled(
    node: ClusterNode, counters: Counters, database: Database
) -> None:
    class Patient(Totals):
        on_failure = Retry(60.0, 60.0)

    view = Patient()
    view.trouble.poison.add("poison")
    handle = await run_here(node, "Totals", view)
    await eventually(in_trouble(handle))
    key = next(iter(elsewhere(counters)))
    await counters(key).add(1_000)

    async def shown() -> bool:
        return (await totals(database)).get(key) == 1_101

    await eventually(shown)
    await handle.stop()


async def test_where_a_failure_comes_from_is_logged_once(
    node: ClusterNode, counters: Counters, caplog: pytest.LogCaptureFixture
) -> None:
    view = Retrying()
    view.trouble.poison.add("poison")
    handle = await run_here(node, "Totals", view)
    await eventually(in_trouble(handle, 3))
    await handle.stop()
    told = [record for record in caplog.records if "cannot handle counter-0" in record.getMessage()]
    assert f"(Added of '{bad(counters)}'), failure 2: ValueError: cannot handle 'poison'" in told[1].getMessage()
    assert [record.exc_info is not None for record in told[:3]] == [True, False, False]
    assert caplog.text.count("Traceback (most recent call last)") == 1


async def test_stopping_says_where_and_why(
    node: ClusterNode, counters: Counters, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    view = Stopping()
    view.trouble.poison.add("poison")
    handle = await run_here(node, "Totals", view)
    with pytest.raises(ProjectionStopped, match="cannot handle 'poison'") as caught:
        await asyncio.wait_for(handle.watch_termination(), 5)
    error = caught.value
    assert (error.consumer, error.tag, error.key) == ("Totals", "counter-0", bad(counters))
    assert f"{error.tag} offset {error.offset} (Added of '{error.key}', seq_nr 2)" in str(error)
    assert handle.status().error == str(error)
    assert not handle.status().running
    assert "projection 'Totals' ended" in caplog.text
    assert (await totals(database)).get(bad(counters)) == 1
    handle = await run_here(node, "Totals", Stopping())
    await caught_up(node, handle)
    assert await totals(database) == {**dict.fromkeys(others(counters), 101), bad(counters): 111}


async def test_setting_aside_leaves_a_letter_and_goes_on(
    node: ClusterNode, counters: Counters, database: Database
) -> None:
    view = SettingAside()
    view.trouble.poison.add("poison")
    handle = await run_here(node, "Totals", view)
    await caught_up(node, handle)
    (letter,) = await database.dead_letters.list("Totals")
    assert (letter.consumer, letter.tag, letter.key, letter.seq_nr) == ("Totals", "counter-0", bad(counters), 2)
    assert (letter.type_name, letter.error) == ("Added", "ValueError: cannot handle 'poison'")
    assert letter.recorded_at is not None
    assert view.trouble.seen[bad(counters), 2] >= 3, "it was tried as often as asked"
    assert {key: total for key, total in (await totals(database)).items() if key != bad(counters)} == dict.fromkeys(
        others(counters), 101
    )
    await counters(others(counters)[0]).add(1)
    await caught_up(node, handle)
    assert len(await database.dead_letters.list("Totals")) == 1


class Mute(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("nothing to say")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Mute(), "Mute"),
        (ValueError("x" * 3_000_000), "ValueError: xxx"),
    ],
    ids=["without a text", "with a long text"],
)
async def test_an_event_is_set_aside_whatever_error_it_raises(
    node: ClusterNode, counters: Counters, database: Database, error: Exception, told: str
) -> None:
    class Raising(SettingAside):
        def apply(self, row: Any, event: Any) -> Any:
            if event.payload.note == "poison":
                raise error
            return super().apply(row, event)

    handle = await run_here(node, "Totals", Raising())
    await caught_up(node, handle)
    (letter,) = await database.dead_letters.list("Totals")
    assert letter.error.startswith(told)
    assert len(letter.error) < 20_000


async def test_setting_aside_the_first_and_the_last_event(
    node: ClusterNode, counters: Counters, database: Database
) -> None:
    class AllAside(SettingAside):
        on_failure = SetAside(1, SOON)

    view = AllAside()
    view.trouble.poison |= {"", "poison"}
    handle = await run_here(node, "Totals", view)
    await caught_up(node, handle)
    assert len(await database.dead_letters.list("Totals")) == 2 * 12 + 1
    assert await totals(database) == {}


async def test_the_letter_and_the_offset_commit_together(
    start_node: StartNode, faulty: FaultyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aecorpy.projection.runner.STORE_PAUSES", Retry(0.001, 0.01))
    node = await start_node(faulty)
    counters = await node.deploy(Counter)
    for note in ("fine", "poison", "fine"):
        await counters("a").add_noted(1, note)
    view = SettingAside()
    view.trouble.poison.add("poison")
    for faults in ([unavailable()] * 3, [lost_after()] * 3):
        faulty.on("commit", *faults)
    handle = await run_here(node, "Totals", view)
    await caught_up(node, handle)
    assert [letter.seq_nr for letter in await faulty.dead_letters.list("Totals")] == [2]


async def test_an_event_that_cannot_be_read_is_the_policy_s_matter_too(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    node = await start_node(faulty)
    counters = await node.deploy(Counter)
    await counters("a").add_all((1, 2, 3))
    shard = counters.door.tagging.shard_of("a")
    faulty.corrupt("a", 2, payload=b"\xc1")
    handle = await run_here(node, "Totals", Retrying())
    tag = await eventually(in_trouble(handle))
    assert tag is not None
    assert tag.offset == 1
    for part in ("CorruptRecord", "counter_event", "'Added'", "'a'", "seq_nr 2", f"shard {shard}", "offset 2"):
        assert part in str(tag.error)
    assert await totals(faulty) == {"a": 1}
    faulty.heal()
    await caught_up(node, handle)
    assert await totals(faulty) == {"a": 6}


async def test_an_unreadable_event_can_be_set_aside(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node(faulty)
    counters = await node.deploy(Counter)
    await counters("a").add_all((1, 2, 3))
    faulty.corrupt("a", 2, type_name="Vanished")
    handle = await run_here(node, "Totals", SettingAside())
    await caught_up(node, handle)
    (letter,) = await faulty.dead_letters.list("Totals")
    assert (letter.seq_nr, letter.type_name) == (2, "Vanished")
    assert "CorruptRecord" in letter.error


async def test_sql_views_roll_back_what_they_wrote_before_the_poison(
    node: ClusterNode, counters: Counters, database: Database
) -> None:
    if database.url == "memory:":
        pytest.skip("the memory store has no SQL")
    view = SqlRetrying()
    view.trouble.poison.add("poison")
    handle = await run_here(node, "ByShard", view)
    await eventually(in_trouble(handle, 2))
    view.trouble.poison.clear()
    await caught_up(node, handle)
    assert sum((await total_by_shard(database)).values()) == 12 * 101 + 10


async def test_a_sink_that_is_away_is_tried_again_and_counts_nothing_twice(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    node = await start_node(faulty)
    counters = await node.deploy(Counter)
    for key in ("a", "b", "c"):
        for note in ("one", "two"):
            await counters(key).add_noted(1, note)
    sink = NotesRetrying()
    away = {"load", "save"}
    sink.fail_load = lambda key: "load" in away and key == "b"
    sink.fail_save = lambda key: "save" in away and key == "c"
    handle = await run_here(node, "Notes", sink)
    await eventually(in_trouble(handle, 2))
    away.clear()
    await caught_up(node, handle)
    assert {key: kept.value for key, kept in sink.kept.items()} == dict.fromkeys("abc", ("one", "two"))
    assert {kept.version for kept in sink.kept.values()} == {2}


async def test_an_event_that_cannot_follow_at_a_sink(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node(faulty)
    counters = await node.deploy(Counter)
    await counters("a").add_noted(1, "cannot follow")
    sink = NotesSettingAside()
    handle = await run_here(node, "Notes", sink)
    await caught_up(node, handle)
    (letter,) = await faulty.dead_letters.list("Notes")
    assert "'a': event 1 cannot follow version 0: it says so itself" in letter.error


async def test_a_sink_that_makes_nothing_of_an_event_hears_of_it(start_node: StartNode, faulty: FaultyDatabase) -> None:
    class Nothing(NotesSettingAside):
        def apply(self, value: Any, event: Any) -> Any:
            return None

    node = await start_node(faulty)
    counters = await node.deploy(Counter)
    await counters("a").add(1)
    handle = await run_here(node, "Notes", Nothing())
    await caught_up(node, handle)
    (letter,) = await faulty.dead_letters.list("Notes")
    assert "Next" in letter.error


async def test_a_row_under_another_key_is_refused(start_node: StartNode, faulty: FaultyDatabase) -> None:
    class Elsewhere(SettingAside):
        def apply(self, row: Any, event: Any) -> Any:
            found = super().apply(row, event)
            return type(found)("elsewhere", found.total, found.events, found.last_note)

    node = await start_node(faulty)
    counters = await node.deploy(Counter)
    await counters("a").add(1)
    handle = await run_here(node, "Totals", Elsewhere())
    await caught_up(node, handle)
    (letter,) = await faulty.dead_letters.list("Totals")
    assert "'elsewhere'" in letter.error
    assert "'a'" in letter.error
    assert await totals(faulty) == {}


async def test_a_view_that_blocks_for_ever_can_be_stopped(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node(faulty)
    counters = await node.deploy(Counter)
    await counters("a").add(1)
    begun = asyncio.Event()

    class Endless(Notes):
        async def load(self, key: str) -> None:
            begun.set()
            await asyncio.Event().wait()

    handle = await run_here(node, "Notes", Endless())
    await asyncio.wait_for(begun.wait(), 5)
    await asyncio.wait_for(handle.stop(), 5)


def test_pauses_grow_up_to_the_longest() -> None:
    retry = Retry(0.2, 30.0)
    assert [retry.pause(attempt, 0.5) for attempt in (1, 2, 3, 4)] == [0.2, 0.4, 0.8, 1.6]
    assert retry.pause(10, 0.5) == retry.pause(100_000, 0.5) == 30.0
    assert [retry.pause(1, draw) for draw in (0.0, 1.0)] == pytest.approx([0.15, 0.25])


@pytest.mark.parametrize(("first", "longest"), [(0, 1), (-1, 1), (2, 1), (math.nan, 1)])
def test_pauses_that_cannot_be(first: float, longest: float) -> None:
    with pytest.raises(ValueError, match="pauses are above 0 seconds"):
        Retry(first, longest)


def test_an_event_is_tried_once_at_least() -> None:
    with pytest.raises(ValueError, match=r"SetAside\(attempts=0\): use 1 or more"):
        SetAside(0)


@pytest.mark.parametrize("policy", [Stop, SetAside, "stop", None])
async def test_what_is_no_policy_is_refused(node: ClusterNode, policy: Any) -> None:
    class Wrong(Totals):
        on_failure = policy

    await node.deploy(Counter)
    with pytest.raises(InvalidDefinition, match=r"Wrong\.on_failure is .*: use Stop\(\), Retry\(\) or SetAside\(\)"):
        await node.distribute("Wrong", Wrong())
