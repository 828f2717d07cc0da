"""Events of notes written straight to the journal, for views to read; no node hosts the notes meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aecorpy import Behaviour
from journal.contract import Database
from journal.database import open_database
from journal.events import EventJournal
from journal.records import Append
from tests.cluster.notes import Written, notes

BATCH = 2_000
EVENTS_PER_NOTE = 10


class FilledJournal:
    """The journal of `notes(shards)`, whose shards this holds.

    Args:
        database: where it lies.
        journal: itself, with its codec.
        epochs: under which its shards are held.
    """

    def __init__(self, database: Database, journal: EventJournal[Written], epochs: Sequence[int]) -> None:
        self.database = database
        self.journal = journal
        self.heads = [0] * len(epochs)
        self._epochs = epochs
        self._tagging = notes(len(epochs)).tagging
        self._seq_nrs: dict[str, int] = {}

    async def fill(self, events: int, payload_bytes: int) -> None:
        """Append so many, ten for each note, in rounds: between two of one note lies one of every other."""
        keys = [f"note-{number}" for number in range(events // EVENTS_PER_NOTE)]
        text = "x" * payload_bytes
        for _ in range(EVENTS_PER_NOTE):
            for start in range(0, len(keys), BATCH):
                await self.append(keys[start : start + BATCH], text)

    async def append(self, keys: Sequence[str], text: str) -> None:
        """Append an event to each of some notes, all in one transaction.

        Raises:
            JournalError: it may be that nothing was appended.
        """
        events = self.journal.encode([Written(text, "")])
        batch = []
        for key in keys:
            self._seq_nrs[key] = self._seq_nrs.get(key, 0) + 1
            shard = self._tagging.shard_of(key)
            batch.append(Append(shard, self._epochs[shard], key, self._seq_nrs[key], events))
        for outcome in await self.journal.store.append(batch):
            if isinstance(outcome, Exception):
                raise outcome
            self.heads[outcome.shard] = max(self.heads[outcome.shard], outcome.last_offset)

    async def keep_appending(self, keys: Sequence[str], per_second: float, stop: asyncio.Event) -> None:
        """An event to each of some notes so often, until `stop`; to cancel it would leave open what the last did."""
        due = time.monotonic()
        while not stop.is_set():
            await self.append(keys, "")
            due = max(due + 1 / per_second, time.monotonic())
            await asyncio.sleep(due - time.monotonic())


@asynccontextmanager
async def filled_journal(url: str, shards: int) -> AsyncIterator[FilledJournal]:
    """The journal of notes in an empty database, whose shards are claimed."""
    behaviour = Behaviour.of(notes(shards))
    database = await open_database(url)
    try:
        store = await database.journal(behaviour.name, shards)
        journal: EventJournal[Written] = EventJournal(store, behaviour.events)
        epochs = [(await journal.claim(shard, 1)).epoch for shard in range(shards)]
        yield FilledJournal(database, journal, epochs)
    finally:
        await database.close()
