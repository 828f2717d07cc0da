"""What one aecorpy node does, each question a function that takes a database's URL and gives one number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter

import asyncpg

from aecorpy import (
    ClusterNode,
    Entity,
    EntityEvent,
    EntityRefs,
    EventTag,
    Fold,
    Next,
    Table,
    TableView,
    Tagging,
    command,
    event,
    query,
)
from benchmarks.harness.load import Load, closed_loop
from journal.events import EventJournal

SHARDS = 64
ENTITIES_PER_CALLER = 8


@event("Written")
@dataclass(frozen=True, slots=True)
class Written:
    """The one event: some text, as large as the other contestants' payload."""

    text: str


class Note(Entity[int, Written]):
    """An entity with one event per command, as the other contestants have."""

    fold = Fold[int, Written](0, lambda written, _: Next(written + 1))
    tagging = Tagging.partitioned(SHARDS)

    @command
    async def write(self, text: str) -> None:
        """Append one event."""
        self.append(Written(text))

    @query
    async def written(self) -> int:
        """How often it was written."""
        return self.state


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A row of the view: how often a note was written, and what last."""

    note: str
    written: int
    text: str


class Notes(TableView[NoteRow, Written]):
    """A view with a row per note, updated by each event, exactly once."""

    entity = Note
    table = Table(NoteRow, "notes")

    def apply(self, row: NoteRow | None, event: EntityEvent[Written]) -> NoteRow | None:
        """Count, and keep the last text."""
        return NoteRow(event.entity_key, 1 if row is None else row.written + 1, event.payload.text)


@asynccontextmanager
async def notes_on(url: str) -> AsyncIterator[tuple[ClusterNode, EntityRefs[Note]]]:
    """A node with notes, on the database `url`."""
    async with ClusterNode("benchmark", journal=url, idle_seconds=3_600) as node:
        yield node, await node.deploy(Note)


async def load(url: str, callers: int, payload_bytes: int, seconds: float) -> Load:
    """Durable commands of so many callers, each on entities of its own."""
    text = "x" * payload_bytes
    async with notes_on(url) as (_, notes):
        keys = [[f"{caller}-{number}" for number in range(ENTITIES_PER_CALLER)] for caller in range(callers)]
        await asyncio.gather(*(notes(key).written() for mine in keys for key in mine))
        turns = [0] * callers

        async def write(caller: int) -> None:
            turns[caller] += 1
            await notes(keys[caller][turns[caller] % ENTITIES_PER_CALLER]).write(text)

        return await closed_loop(callers, seconds, write)


async def commands_per_second(url: str, callers: int, payload_bytes: int, seconds: float) -> float:
    """Durable commands per second of so many callers."""
    return (await load(url, callers, payload_bytes, seconds)).per_second


async def command_milliseconds(url: str, payload_bytes: int, seconds: float) -> float:
    """The p50, in milliseconds, of one caller's durable command."""
    return (await load(url, 1, payload_bytes, seconds)).percentile_ms(50)


async def hot_entity_per_second(url: str, callers: int, payload_bytes: int, seconds: float) -> float:
    """Durable commands per second of so many callers on a single entity."""
    text = "x" * payload_bytes
    async with notes_on(url) as (_, notes):
        return (await closed_loop(callers, seconds, lambda _: notes("hot").write(text))).per_second


async def asks_per_second(url: str, callers: int, seconds: float) -> float:
    """Commands per second that append nothing."""
    async with notes_on(url) as (_, notes):
        return (await closed_loop(callers, seconds, lambda caller: notes(f"asked-{caller}").written())).per_second


async def recovery_events_per_second(url: str, payload_bytes: int, events: int = 10_000) -> float:
    """Events per second when an entity of so many is called into memory; database, decoding and folding together."""
    async with notes_on(url) as (node, _):
        await _fill(node, {"long": events}, payload_bytes)
    async with notes_on(url) as (_, notes):
        await notes("other").written()  # so that connecting and preparing is not counted
        began = perf_counter()
        if await notes("long").written() != events:
            raise RuntimeError("the entity did not recover what was appended")
        return events / (perf_counter() - began)


async def view_events_per_second(url: str, payload_bytes: int, events: int) -> float:
    """Events per second into a view that starts with all of them before it."""
    keys = {f"viewed-{number}": 10 for number in range(events // 10)}
    async with notes_on(url) as (node, _):
        await _fill(node, keys, payload_bytes)
        began = perf_counter()
        handle = await node.distribute("Notes", Notes())
        await handle.caught_up(600)
        taken = perf_counter() - began
        rows = [row async for row in Notes.table.rows(node.database)]
        if sum(row.written for row in rows) != events:
            raise RuntimeError("the view does not hold each event once")
        return events / taken


async def view_lag_ms(url: str, payload_bytes: int, per_second: int, seconds: float) -> list[float]:
    """From a command's answer to its row being visible to another connection, in milliseconds, sorted.

    One entity per shard, so that a shard's offset is its entity's version, and offsets commit together with the rows:
    an event is visible from the first poll of the offsets that covers it.
    """
    text = "x" * payload_bytes
    async with notes_on(url) as (node, notes):
        keys = _key_per_shard()
        await asyncio.gather(*(notes(key).written() for key in keys))
        await node.distribute("Notes", Notes())
        answered: list[list[float]] = [[] for _ in keys]
        lags: list[float] = []
        watcher = asyncio.create_task(_watch(url, answered, lags))
        began = perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(int(per_second * seconds)):
                await asyncio.sleep(began + number / per_second - perf_counter())
                shard = number % SHARDS
                group.create_task(_write_and_note(notes(keys[shard]), text, answered[shard]))
        await watcher_done(watcher, answered, lags)
    return sorted(lags)


async def _write_and_note(note: Note, text: str, answered: list[float]) -> None:
    await note.write(text)
    answered.append(perf_counter())


async def watcher_done(watcher: asyncio.Task[None], answered: list[list[float]], lags: list[float]) -> None:
    """Wait until every answered event was seen, and end the watcher."""
    async with asyncio.timeout(30):
        while len(lags) < sum(len(times) for times in answered):
            await asyncio.sleep(0.01)
    watcher.cancel()
    await asyncio.wait([watcher])


async def _watch(url: str, answered: list[list[float]], lags: list[float]) -> None:
    seen = [0] * len(answered)
    connection = await asyncpg.connect(url)
    try:
        statement = await connection.prepare("SELECT tag, position FROM aecorpy_offset WHERE consumer = 'Notes'")
        while True:
            positions = {EventTag.parse(tag).shard: position for tag, position in await statement.fetch()}
            now = perf_counter()
            for shard, times in enumerate(answered):
                visible = min(positions.get(shard, 0), len(times))
                lags.extend((now - times[index]) * 1000 for index in range(seen[shard], visible))
                seen[shard] = max(seen[shard], visible)
            await asyncio.sleep(0.002)
    finally:
        await connection.close()


def _key_per_shard() -> list[str]:
    keys: dict[int, str] = {}
    number = 0
    while len(keys) < SHARDS:
        key = f"lag-{number}"
        keys.setdefault(Note.tagging.shard_of(key), key)
        number += 1
    return [keys[shard] for shard in range(SHARDS)]


async def _fill(node: ClusterNode, events: dict[str, int], payload_bytes: int) -> None:
    """Append so many events to each entity, in large appends, before the node's shards are claimed by commands."""
    text = "x" * payload_bytes
    journal: EventJournal[Written] = node.journal(Note)
    heads = await journal.store.heads()
    for head in heads:
        await journal.claim(head.shard, head.epoch + 1)
    pieces = [(key, first) for key, count in events.items() for first in range(1, count + 1, 100)]
    for start in range(0, len(pieces), 50):
        await asyncio.gather(
            *(
                journal.append(
                    shard := Note.tagging.shard_of(key),
                    heads[shard].epoch + 1,
                    key,
                    first,
                    [Written(text)] * min(100, events[key] - first + 1),
                )
                for key, first in pieces[start : start + 50]
            )
        )
