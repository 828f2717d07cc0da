"""Schedules on nodes, over each kind of store."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from aecorpy import ClusterNode, Commands, EntityEvent, EntityRefs, ProcessManager
from aecorpy.management.look import look
from aecorpy.management.rebuilding import rebuild
from aecorpy.processing.wishes import pause, resume
from aecorpy.schedule import Dropped, Fired, NotScheduled, Scheduled, TimerEvent, name_of, pending
from aecorpy.schedule.view import PendingTimers
from journal.contract import Database
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.samples import Added, Counter
from tests.aecorpy.schedule.reminders import Meals, Reminder, Reminders
from tests.faulty_store import FaultyDatabase, lost_after, lost_before
from tests.waiting import eventually

TEA = Reminder("tea")


async def outcomes(node: ClusterNode, timers: EntityRefs[Reminders], *keys: str) -> list[str]:
    """What became of them."""
    found = [await timers(key).look() for key in keys]
    return ["none" if timer is None else timer.outcome for timer in found]


async def events(node: ClusterNode, schedule: type = Reminders) -> list[EntityEvent[TimerEvent[Reminder]]]:
    """All events of a schedule."""
    journal = node.journal(schedule)
    records = await journal.store.read_shards(dict.fromkeys(range(journal.store.shard_count), 0), 10_000)
    return [journal.decode(record) for record in records]


async def test_timers_fire_and_their_rows_go(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    timers = await node.schedule(Reminders)
    now = await database.now()
    for number in range(10):
        await timers(f"t{number}").at(now + timedelta(milliseconds=100 + 10 * number), TEA)
    await timers("far").at(now + timedelta(days=400), TEA)
    await eventually(lambda: _all_fired(node, timers, 10))
    await eventually(lambda: _rows(node, ["far"]))
    fired = [event.payload for event in await events(node) if isinstance(event.payload, Fired)]
    assert len(fired) == 10
    assert all(timedelta(0) <= one.at - one.due < timedelta(seconds=2) for one in fired)


async def _all_fired(node: ClusterNode, timers: EntityRefs[Reminders], count: int) -> bool:
    return await outcomes(node, timers, *[f"t{number}" for number in range(count)]) == ["fired"] * count


async def _rows(node: ClusterNode, keys: list[str]) -> bool:
    return [row.id async for row in pending(Reminders).rows(node.database)] == keys


async def test_a_cancelled_timer_does_not_fire(node: ClusterNode, faulty: FaultyDatabase) -> None:
    timers = await node.schedule(Reminders)
    now = await faulty.now()
    await timers("no").at(now + timedelta(hours=1), TEA)
    assert await timers("no").cancel()
    await timers("yes").at(now, TEA)
    await eventually(lambda: _decided(node, timers, "yes"))
    assert await outcomes(node, timers, "no", "yes") == ["cancelled", "fired"]
    assert not await timers("yes").cancel()
    with pytest.raises(NotScheduled):
        await timers("never").cancel()


async def _decided(node: ClusterNode, timers: EntityRefs[Reminders], key: str) -> bool:
    return await outcomes(node, timers, key) != ["pending"]


async def test_cancelling_and_firing_at_the_same_time_is_one_of_both(node: ClusterNode, faulty: FaultyDatabase) -> None:
    timers = await node.schedule(Reminders)
    keys = [f"t{number}" for number in range(50)]
    now = await faulty.now()
    await asyncio.gather(*[timers(key).at(now, TEA) for key in keys])
    cancelled = await asyncio.gather(*[timers(key).cancel() for key in keys])
    await eventually(lambda: _none_pending(node, timers, keys))
    found = await outcomes(node, timers, *keys)
    assert found == ["cancelled" if one else "fired" for one in cancelled]
    assert len(await events(node)) == 2 * len(keys)


async def _none_pending(node: ClusterNode, timers: EntityRefs[Reminders], keys: list[str]) -> bool:
    return "pending" not in await outcomes(node, timers, *keys)


async def test_lost_answers_of_commits_double_nothing(node: ClusterNode, faulty: FaultyDatabase) -> None:
    timers = await node.schedule(Reminders)
    now = await faulty.now()
    await timers("t0").at(now + timedelta(seconds=0.3), TEA)
    faulty.on("append", lost_after(), lost_before(), lost_after())
    faulty.on("commit", lost_after(), lost_before())
    await eventually(lambda: _all_fired(node, timers, 1))
    assert [type(event.payload) for event in await events(node)] == [Scheduled, Fired]


async def test_what_was_missed_while_everything_was_down(start_node: StartNode, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    node = await start_node(url)
    timers, meals = await node.schedule(Reminders), await node.schedule(Meals)
    await pause(node.database, name_of(Reminders), "test", "")
    await pause(node.database, name_of(Meals), "test", "")
    await eventually(lambda: _paused(node))
    now = await node.database.now()
    await timers("t0").at(now - timedelta(days=9), TEA)
    await meals("soup").at(now - timedelta(seconds=5.5), "soup")
    await meals("roast").at(now + timedelta(seconds=30), "roast")
    await node.stop()
    node = await start_node(url)
    timers, meals = await node.schedule(Reminders), await node.schedule(Meals)
    assert await outcomes(node, timers, "t0") == ["pending"]
    await resume(node.database, name_of(Reminders), "test", "")
    await resume(node.database, name_of(Meals), "test", "")
    await eventually(lambda: _all_fired(node, timers, 1))
    await eventually(lambda: _dropped(node))
    roast = await meals("roast").look()
    assert roast is not None
    assert roast.outcome == "pending"


async def _paused(node: ClusterNode) -> bool:
    seen = [await look(node.database, name_of(timers)) for timers in (Reminders, Meals)]
    return all(one is not None and {process.state for process in one.processes} == {"paused"} for one in seen)


async def _dropped(node: ClusterNode) -> bool:
    return [type(event.payload) for event in await events(node, Meals) if event.entity_key == "soup"][-1] is Dropped


class Counting(ProcessManager[TimerEvent[Reminder]]):
    """Counts what fires."""

    entity = Reminders

    async def on_event(self, event: EntityEvent[TimerEvent[Reminder]], commands: Commands) -> None:
        if isinstance(event.payload, Fired):
            await commands.to(Counter)(event.payload.payload.text).add(1)


class Setting(ProcessManager[Added]):
    """Sets a timer for each time that tea is counted."""

    entity = Counter

    async def on_event(self, event: EntityEvent[Added], commands: Commands) -> None:
        if event.entity_key == "tea":
            await commands.to(Reminders)(f"again-{event.seq_nr}").at(event.recorded_at, Reminder("again"))


async def test_process_managers_act_on_what_fires_and_set_timers(node: ClusterNode, faulty: FaultyDatabase) -> None:
    timers, counters = await node.schedule(Reminders), await node.deploy(Counter)
    await node.distribute("Counting", Counting())
    await node.distribute("Setting", Setting())
    now = await faulty.now()
    for number in range(5):
        await timers(f"t{number}").at(now, TEA)
    await eventually(lambda: _counted(counters, "tea", 5))
    await eventually(lambda: _counted(counters, "again", 5))


async def _counted(counters: EntityRefs[Counter], key: str, count: int) -> bool:
    return await counters(key).get() == count


async def test_timers_leave_memory(node: ClusterNode, faulty: FaultyDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reminders, "idle_seconds", 0.05)
    timers = await node.schedule(Reminders)
    later = await faulty.now() + timedelta(days=1)
    for number in range(20):
        await timers(f"t{number}").at(later, TEA)
    await eventually(lambda: node.live_entities(Reminders) == 0)


async def test_two_nodes_share_the_parts_and_one_takes_over(tmp_path: Path, start_node: StartNode) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    first, second = await start_node(url, node="one"), await start_node(url, node="two")
    await first.schedule(Reminders)
    again = await second.schedule(Reminders)
    now = await first.database.now()
    for number in range(20):
        await again(f"t{number}").at(now + timedelta(seconds=0.02 * number), TEA)
    await first.stop()
    await eventually(lambda: _all_fired(second, again, 20))
    assert len([event for event in await events(second) if isinstance(event.payload, Fired)]) == 20


async def test_a_rebuild_tells_no_timers_of_old_that_they_are_due(
    start_node: StartNode, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    fire = PendingTimers._fire

    async def tell(view: PendingTimers, key: str, now: datetime) -> bool:
        told.append(key)
        return await fire(view, key, now)

    monkeypatch.setattr(PendingTimers, "_fire", tell)
    monkeypatch.setattr(PendingTimers, "batch", 1)  # so that nothing is set and over in one step
    node = await start_node(database)
    timers = await node.schedule(Reminders)
    now = await database.now()
    for number in range(10):
        await timers(f"t{number}").at(now, TEA)
    await eventually(lambda: _all_fired(node, timers, 10))
    await eventually(lambda: _rows(node, []))
    told.clear()
    await rebuild(database, name_of(Reminders), "a test")

    async def is_rebuilt() -> bool:
        seen = await look(database, name_of(Reminders))
        return seen is not None and seen.view is not None and seen.view.serving == 2

    await eventually(is_rebuilt)
    await timers("later").at(await database.now(), TEA)
    await eventually(lambda: _rows_and_told(node, told))
    assert told == ["later"]


async def _rows_and_told(node: ClusterNode, told: list[str]) -> bool:
    return "later" in told and await _rows(node, [])
