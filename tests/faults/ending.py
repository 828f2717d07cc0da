"""What is there at the end of a run: the journals, the views, what processes did, snapshots, and recoveries."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aecorpy.behaviour import Behaviour
from aecorpy.demo.permits import ActivityCounts, PermitApplication, PermitCases
from aecorpy.demo.permits.comparison import activity_counts, case_rows, differences
from aecorpy.demo.permits.log import read_log
from aecorpy.entity import Entity
from aecorpy.recovery import Recovery
from aecorpy.snapshots import Snapshots
from journal.contract import Database
from journal.events import EventJournal
from journal.records import StoredEvent, offset_on
from tests.checker.records import CaughtUp, Claimed, Effect, Event, Record, Row, Started, State
from tests.faults.bells import strokes
from tests.faults.concerts import LINES, SHARDS, STEPS, BookingSteps, Concert, ConcertLines, SeatBooked
from tests.faults.hosting import ACTIVITIES, CASES
from tests.faults.setting import BOOKING, now

PAGE = 5_000
CONSUMERS = {BOOKING: (LINES, STEPS)}


async def behind(database: Database, entity: type[Entity[Any, Any]], consumers: tuple[str, ...]) -> str:
    """Which consumer has not taken in what is in the journal, and where; empty when all have."""
    tagging, name = entity.tagging, Behaviour.of(entity).name
    store = await database.journal(name, tagging.shard_count)
    heads = {shard: head for shard, _, head in await store.heads()}
    for consumer in consumers:
        places = await database.offsets.read(consumer)
        for shard, tag in enumerate(map(str, tagging.tags(name))):
            if offset_on(places, tag) < heads.get(shard, 0):
                return f"{consumer} is at {places.get(tag)} of {heads.get(shard, 0)}"
    return ""


async def booking_records(database: Database) -> list[Record]:
    """Journal, views, snapshots and recoveries of the booking load."""
    events = [event async for event in _bookings(database)]
    states = [state for key in sorted({one.key for one in events}) async for state in _states(database, key)]
    rows: list[Record] = [Row(now(), LINES, one.concert, one.seats, one.value) async for one in _lines(database)]
    ends = [CaughtUp(now(), name) for name in CONSUMERS[BOOKING]]
    return [*events, *_claimed(events), *states, *rows, *await BookingSteps.moves(database), *ends]


def _lines(database: Database) -> AsyncIterator[Any]:
    return ConcertLines.table.rows(database)


async def _bookings(database: Database) -> AsyncIterator[Event]:
    codec = Behaviour.of(Concert).events
    async for one in _stored(database, Concert):
        booked: SeatBooked = codec.decode(one.type_name, one.version, one.payload)
        place = (one.shard, one.offset, one.key, one.seq_nr, one.epoch)
        yield Event(booked.at, "concert", *place, booked.booking, booked.by, "append", booked.item)


def _claimed(events: list[Event]) -> list[Claimed]:
    """An epoch was claimed before the first event under it was made."""
    first: dict[tuple[int, int], Event] = {}
    for event in events:
        known = first.setdefault((event.shard, event.epoch), event)
        if event.at < known.at:
            first[event.shard, event.epoch] = event
    return [Claimed(one.at, "concert", shard, epoch, one.writer) for (shard, epoch), one in sorted(first.items())]


async def _states(database: Database, key: str) -> AsyncIterator[State]:
    behaviour = Behaviour.of(Concert)
    store, snapshots = await database.journal("concert", SHARDS), database.snapshots("concert")
    kept, codec = await snapshots.get(key), behaviour.snapshot_codec
    assert codec is not None, "concerts have snapshots"
    if kept is not None:
        bookings = codec.decode(kept.type_name, kept.version, kept.payload)
        yield State(now(), "snapshot", key, kept.seq_nr, bookings.value)
    recovery = Recovery(behaviour, EventJournal(store, behaviour.events), Snapshots(behaviour, snapshots))
    found = await recovery.state_of(key)
    yield State(now(), "recovery", key, found.seq_nr, None if found.state is None else found.state.value)


async def permit_records(database: Database) -> list[Record]:
    """The journal of the permit log's load."""
    codec, ahead = Behaviour.of(PermitApplication).events, now() - time.time()
    found: list[Record] = []
    async for one in _stored(database, PermitApplication):
        task = codec.decode(one.type_name, one.version, one.payload).task_id
        place = (one.shard, one.offset, one.key, one.seq_nr, one.epoch)
        at = one.recorded_at.timestamp() + ahead
        found.append(Event(at, "permit_application", *place, f"{one.key}/{task}", "", "append", task))
    return found


async def permit_findings(database: Database, log: Path) -> list[str]:
    """Where the views of the permits differ from what plain Python computes from the file."""
    wanted = read_log(log)
    cases = {row.case_id: row async for row in PermitCases.table.rows(database)}
    counts = await ActivityCounts.read(database)
    return [
        *differences("case", case_rows(wanted), cases),
        *differences("activity", activity_counts(wanted), counts),
    ]


async def process_records(database: Database, started: list[Started]) -> list[Record]:
    """What processes did, and what they had claimed when they said that they started."""
    claims = [Claimed(one.at, one.name, one.number, one.epoch, one.node) for one in started if one.kind == "process"]
    unique = {(one.what, one.number, one.epoch): one for one in reversed(claims)}  # one may start anew under its epoch
    return [*unique.values(), *await strokes(database)]


def gaps(effects: list[Effect]) -> list[str]:
    """Strokes that are missing before the last one."""
    counted: dict[tuple[str, int], list[int]] = {}
    for effect in effects:
        counted.setdefault((effect.name, effect.number), []).append(int(effect.id.split()[1]))
    return [
        f"exactly once: {name} {number}: stroke {missing} is missing"
        for (name, number), some in sorted(counted.items())
        for missing in sorted(set(range(1, max(some) + 1)) - set(some))[:1]
    ]


async def _stored(database: Database, entity: type[Entity[Any, Any]]) -> AsyncIterator[StoredEvent]:
    shards = entity.tagging.shard_count
    store = await database.journal(Behaviour.of(entity).name, shards)
    for shard in range(shards):
        after = 0
        while records := await store.read_shards({shard: after}, PAGE):
            for record in records:
                yield record
            after = records[-1].offset


PERMIT_CONSUMERS = (CASES, ACTIVITIES)
