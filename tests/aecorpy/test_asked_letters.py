"""Dead letters that somebody asked for: handled each by itself, before the projection reads on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from aecorpy import ClusterNode, EntityEvent, EntityRefs, Fenced, Retry, SetAside, Table, TableView
from journal.contract import Database
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.running import run_here
from tests.aecorpy.samples import Added, Counter
from tests.aecorpy.views import Notes, Trouble, caught_up
from tests.faulty_store import FaultyDatabase, lost_after, unavailable
from tests.waiting import eventually

SOON = Retry(0.005, 0.02)


@dataclass(frozen=True, slots=True)
class Line:
    key: str
    notes: str


class Lines(TableView[Line, Added]):
    """The notes of a counter in the order in which they were handled."""

    entity = Counter
    table = Table(Line, "lines")
    on_failure = SetAside(1, SOON)

    def __init__(self) -> None:
        self.trouble = Trouble()

    def apply(self, row: Line | None, event: EntityEvent[Added]) -> Line:
        self.trouble.look(event)
        return Line(event.entity_key, f"{'' if row is None else row.notes}{event.payload.note}")


class NotesSetAside(Notes):
    on_failure = SetAside(1, SOON)


async def lines(database: Database) -> dict[str, str]:
    """What the view shows."""
    return {row.key: row.notes async for row in Lines.table.rows(database)}


@pytest.fixture
async def node(start_node: StartNode, database: Database) -> ClusterNode:
    """A node on each kind of database."""
    return await start_node(database)


@pytest.fixture
async def counters(node: ClusterNode) -> EntityRefs[Counter]:
    """Counters on it."""
    return await node.deploy(Counter)


async def with_letters(node: ClusterNode, notes: str, poison: str) -> Lines:
    """A stopped view of counter "a" after events with these notes, of which some are set aside and asked for."""
    for note in notes:
        await node.refs(Counter)("a").add_noted(1, note)
    view = Lines()
    view.trouble.poison |= set(poison)
    handle = await run_here(node, "Lines", view)
    await caught_up(node, handle)
    await handle.stop()
    for letter in await node.database.dead_letters.list("Lines"):
        assert await node.database.dead_letters.ask_again("Lines", letter.tag, letter.offset)
    return view


async def test_they_are_handled_in_order_before_anything_new(
    node: ClusterNode, counters: EntityRefs[Counter], database: Database
) -> None:
    view = await with_letters(node, "abcdef", "bde")
    assert await lines(database) == {"a": "acf"}
    await counters("a").add_noted(1, "g")
    view.trouble.poison.clear()
    handle = await run_here(node, "Lines", view)
    await caught_up(node, handle)
    assert await lines(database) == {"a": "acfbdeg"}
    assert await database.dead_letters.list("Lines") == []


async def test_what_fails_again_is_set_aside_again_with_its_new_error_and_the_others_go_on(
    node: ClusterNode, counters: EntityRefs[Counter], database: Database
) -> None:
    class Other(Lines):
        def apply(self, row: Line | None, event: EntityEvent[Added]) -> Line:
            if event.payload.note == "d":
                raise LookupError("another trouble")
            return super().apply(row, event)

    await with_letters(node, "abcdef", "bde")
    handle = await run_here(node, "Lines", Other())
    await eventually(lambda: _none_asked(database))
    assert await lines(database) == {"a": "acfbe"}
    (letter,) = await database.dead_letters.list("Lines")
    assert (letter.seq_nr, letter.error, letter.asked) == (4, "LookupError: another trouble", False)
    await counters("a").add_noted(1, "g")
    await caught_up(node, handle)
    assert await lines(database) == {"a": "acfbeg"}


async def _none_asked(database: Database) -> bool:
    tags = [f"counter-{shard}" for shard in range(4)]
    return await database.dead_letters.asked("Lines", tags) == []


async def test_a_runner_that_was_superseded_handles_none(
    node: ClusterNode, counters: EntityRefs[Counter], database: Database
) -> None:
    view = await with_letters(node, "ab", "b")
    view.trouble.poison.clear()

    class TakenOver(Lines):
        async def handle(self, database: Database, step: Any) -> None:
            stored = await database.offsets.read("Lines")
            await database.offsets.claim("Lines", list(stored), 1 + max(row.epoch for row in stored.values()))
            await super().handle(database, step)

    superseded = await run_here(node, "Lines", TakenOver())
    with pytest.raises(Fenced):
        await superseded.watch_termination()
    assert await lines(database) == {"a": "a"}
    assert not await _none_asked(database)


async def test_a_sink_s_events_come_in_the_order_they_need(
    node: ClusterNode, counters: EntityRefs[Counter], database: Database
) -> None:
    for note in "abc":
        await counters("a").add_noted(1, note)
    sink = NotesSetAside()
    sink.trouble.poison.add("b")
    handle = await run_here(node, "Lines", sink)
    await caught_up(node, handle)
    await handle.stop()
    letters = await database.dead_letters.list("Lines")
    assert [letter.seq_nr for letter in letters] == [2, 3], "the third cannot follow the first"
    for letter in reversed(letters):
        await database.dead_letters.ask_again("Lines", letter.tag, letter.offset)
    sink.trouble.poison.clear()
    await run_here(node, "Lines", sink)
    await eventually(lambda: _none_asked(database))
    assert sink.kept["a"].value == ("a", "b", "c")
    assert await database.dead_letters.list("Lines") == []


async def test_each_counts_once_whatever_the_store_does(
    start_node: StartNode, faulty: FaultyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aecorpy.projection.runner.STORE_PAUSES", Retry(0.001, 0.01))
    node = await start_node(faulty)
    await node.deploy(Counter)
    view = await with_letters(node, "abcd", "bc")
    view.trouble.poison = {"c"}
    faulty.on("commit", unavailable(), lost_after(), unavailable(), lost_after())
    handle = await run_here(node, "Lines", view)
    await eventually(lambda: _none_asked(faulty))
    await caught_up(node, handle)
    assert await lines(faulty) == {"a": "adb"}
    assert [letter.seq_nr for letter in await faulty.dead_letters.list("Lines")] == [3]


async def test_an_event_that_failed_by_its_effect_has_that_when_it_is_handled_again(
    node: ClusterNode, counters: EntityRefs[Counter], database: Database
) -> None:
    class WithEffects(Lines):
        def __init__(self) -> None:
            super().__init__()
            self.had: list[str] = []
            self.down = True

        async def effects(self, events: Sequence[EntityEvent[Added]]) -> None:
            for event in events:
                if self.down and event.payload.note == "b":
                    raise ConnectionError("no mail today")
                self.had.append(event.payload.note)

    view = WithEffects()
    for note in "abc":
        await counters("a").add_noted(1, note)
    handle = await run_here(node, "Lines", view)
    await caught_up(node, handle)
    await handle.stop()
    (letter,) = await database.dead_letters.list("Lines")
    for down in (True, False):
        view.down = down
        assert await database.dead_letters.ask_again("Lines", letter.tag, letter.offset)
        handle = await run_here(node, "Lines", view)
        await eventually(lambda: _none_asked(database))
        await handle.stop()
        assert ("b" in view.had) is not down
        assert await lines(database) == {"a": "ac" if down else "acb"}
    assert await database.dead_letters.list("Lines") == []
