"""What is there at the end of a run: the journal, the views, snapshots, and what a recovery makes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from aecorpy.behaviour import Behaviour
from aecorpy.errors import RecoveryFailed
from aecorpy.recovery import Recovery
from aecorpy.snapshots import Snapshots
from journal.codec import PayloadCodec
from journal.events import EventJournal
from tests.checker.records import Event, Record, Row, State
from tests.simulation.notes import SHARDS, Line, Lines, Noted, Notes
from tests.simulation.projecting import COPIES, LINES, Projecting
from tests.simulation.recording import Log, RecordedWorld


async def final_records(world: RecordedWorld, log: Log, projecting: Projecting) -> list[Record]:
    """All of it; read from the memory itself, past everything that nodes go through."""
    events = [event async for event in _events(world, log)]
    keys = sorted({event.key for event in events})
    states = [state for key in keys async for state in _states(world, key)]
    return [*events, *states, *[row async for row in _rows(world, projecting)]]


async def _events(world: RecordedWorld, log: Log) -> AsyncIterator[Event]:
    codec: PayloadCodec[Any] = PayloadCodec(Noted)
    store = await world.memory.journal("notes", SHARDS)
    for stored in await store.read_shards(dict.fromkeys(range(SHARDS), 0), 1_000_000):
        noted: Noted = codec.decode(stored.type_name, stored.version, stored.payload)
        at, writer = log.written.get(("notes", stored.shard, stored.offset), (world.loop.now, ""))
        place = (stored.shard, stored.offset, stored.key, stored.seq_nr, stored.epoch)
        yield Event(at, "notes", *place, noted.command, writer, "append", noted.item)


async def _states(world: RecordedWorld, key: str) -> AsyncIterator[State]:
    behaviour = Behaviour.of(Notes)
    store = await world.memory.journal("notes", SHARDS)
    snapshots, codec = world.memory.snapshots("notes"), behaviour.snapshot_codec
    assert codec is not None, "notebooks have snapshots"
    kept = await snapshots.get(key)
    if kept is not None:
        notebook = codec.decode(kept.type_name, kept.version, kept.payload)
        yield State(world.loop.now, "snapshot", key, kept.seq_nr, notebook.value)
    try:
        kept_states = Snapshots(behaviour, snapshots)
        found = await Recovery(behaviour, EventJournal(store, behaviour.events), kept_states).state_of(key)
    except RecoveryFailed as error:
        yield State(world.loop.now, f"recovery: {error}", key, 0, "none")
    else:
        yield State(world.loop.now, "recovery", key, found.seq_nr, None if found.state is None else found.state.value)


async def _rows(world: RecordedWorld, projecting: Projecting) -> AsyncIterator[Row]:
    now = world.loop.now
    for key, copy in sorted(projecting.copies.items()):
        yield _row(now, COPIES, key, copy.value)
    await world.memory.create_table(Lines.table.spec)
    async for values in world.memory.scan(Lines.table.spec):
        yield _row(now, LINES, values[0], Line(*values))


def _row(now: float, consumer: str, key: str, line: Line) -> Row:
    return Row(now, consumer, key, line.events, line.value)
