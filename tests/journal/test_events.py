"""The typed journal: pages, live streams, and one read path for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from journal.codec import PayloadCodec, event, upcast
from journal.contract import Database
from journal.database import open_database
from journal.errors import BadPayload, Conflict, CorruptRecord
from journal.events import EntityEvent, EventJournal
from journal.memory import MemoryDatabase
from journal.metadata import Metadata
from journal.records import Append, NewEvent
from journal.tagging import EventTag
from tests.faulty_store import FaultyDatabase

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@event("Placed", version=2)
@dataclass(frozen=True, slots=True)
class Placed:
    seats: int
    client: str


@event("Cancelled")
@dataclass(frozen=True, slots=True)
class Cancelled:
    pass


@upcast("Placed", 1)
def with_client(raw: Any) -> Any:
    return {**raw, "client": "nobody"}


CODEC: PayloadCodec[Placed | Cancelled] = PayloadCodec(Placed | Cancelled, (with_client,))
Bookings = EventJournal[Placed | Cancelled]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Any) -> AsyncIterator[Database]:
    """An empty database of each kind."""
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/journal.db"}
    database = await open_database(urls.get(request.param) or request.getfixturevalue("postgres_url"))
    yield database
    await database.close()


@pytest.fixture
async def journal(database: Database) -> AsyncIterator[Bookings]:
    """A journal of two shards, claimed."""
    async for journal in opened(database):
        yield journal


@pytest.fixture
def faulty() -> FaultyDatabase:
    """A memory that fails when told to."""
    return FaultyDatabase(MemoryDatabase(clock=lambda: NOW))


@pytest.fixture
async def corruptible(faulty: FaultyDatabase) -> AsyncIterator[Bookings]:
    """A journal whose rows can be corrupted."""
    async for journal in opened(faulty):
        yield journal


async def opened(database: Database) -> AsyncIterator[Bookings]:
    """A journal on a database."""
    journal: Bookings = EventJournal(await database.journal("booking", 2), CODEC, poll_seconds=0.002)
    for shard in (0, 1):
        await journal.claim(shard, 1)
    yield journal
    await journal.close()


def payloads(events: list[EntityEvent[Placed | Cancelled]]) -> list[int]:
    """The seats of each event."""
    return [event.payload.seats if isinstance(event.payload, Placed) else 0 for event in events]


async def test_events_come_back_with_their_place(journal: Bookings) -> None:
    metadata = Metadata("c-1").encode()
    appended = await journal.append(1, 1, "b-1", 1, [Placed(2, "c"), Cancelled()], metadata)
    assert (appended.shard, appended.last_offset) == (1, 2)
    first, second = [event async for event in journal.read("b-1")]
    assert (first.entity_key, first.seq_nr, first.shard, first.offset) == ("b-1", 1, 1, 1)
    assert (first.payload, second.payload) == (Placed(2, "c"), Cancelled())
    assert first.metadata == second.metadata == Metadata("c-1")
    assert first.recorded_at.tzinfo is not None
    with pytest.raises(Conflict):
        await journal.append(1, 1, "b-1", 2, [Cancelled()])


@pytest.mark.parametrize("page", [1, 2, 3, 4, 5, 7, 100])
async def test_pages_are_not_noticed(journal: Bookings, page: int) -> None:
    await journal.append(0, 1, "b-1", 1, [Placed(seats, "c") for seats in range(1, 7)])
    await journal.append(0, 1, "b-2", 1, [Placed(0, "c")])
    assert payloads([event async for event in journal.read("b-1", page=page)]) == [1, 2, 3, 4, 5, 6]
    assert payloads([event async for event in journal.read("b-1", 4, page=page)]) == [4, 5, 6]
    assert payloads([event async for event in journal.read("b-1", 7, page=page)]) == []
    tag = EventTag("booking", 0)
    assert payloads([event async for event in journal.current_events(tag, page=page)]) == [1, 2, 3, 4, 5, 6, 0]
    assert payloads([event async for event in journal.current_events(tag, 5, page=page)]) == [6, 0]


async def test_a_live_stream_has_no_end(journal: Bookings) -> None:
    await journal.append(0, 1, "b-1", 1, [Placed(1, "c")])
    found: list[EntityEvent[Placed | Cancelled]] = []

    async def follow() -> None:
        async with aclosing(journal.events(EventTag("booking", 0), page=2)) as events:  # type: ignore[type-var]
            async for event in events:
                found.append(event)
                if len(found) == 9:
                    return

    following = asyncio.ensure_future(follow())
    for seats in range(2, 6):
        await journal.append(0, 1, "b-1", seats, [Placed(seats, "c")])
        await journal.append(1, 1, "elsewhere", seats - 1, [Placed(100, "c")])
    await journal.append(0, 1, "b-2", 1, [Placed(seats, "c") for seats in range(6, 10)])
    await asyncio.wait_for(following, 5)
    assert payloads(found) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert [event.offset for event in found] == [1, 2, 3, 4, 5, 6, 7, 8, 9]


async def test_what_another_program_appends_is_streamed_too(journal: Bookings) -> None:
    events = journal.events(EventTag("booking", 0))
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    await journal.store.append([Append(0, 1, "b-1", 1, journal.encode([Placed(1, "c")]))])
    assert (await asyncio.wait_for(waiting, 5)).payload == Placed(1, "c")
    await events.aclose()  # type: ignore[attr-defined]


async def test_old_events_are_upcast_in_every_way_of_reading(journal: Bookings) -> None:
    _, _, current = CODEC.encode(Placed(3, "c"))
    old = current.replace(b"\xa6client\xa1c", b"").replace(b"\x82", b"\x81")
    await journal.store.append([Append(0, 1, "b-1", 1, [NewEvent("Placed", 1, old)])])
    expected = Placed(3, "nobody")
    assert [event.payload async for event in journal.read("b-1")] == [expected]
    assert [event.payload async for event in journal.current_events(EventTag("booking", 0))] == [expected]
    assert [journal.decode(record).payload for record in await journal.read_shards({0: 0}, 10)] == [expected]


async def test_a_value_that_cannot_be_stored_is_refused_before_anything_is_queued(journal: Bookings) -> None:
    with pytest.raises(BadPayload, match=r"Placed\.client"):
        await journal.append(0, 1, "b-1", 1, [Placed(1, "c"), Placed(1, "\ud800")])
    with pytest.raises(BadPayload, match="str is not known here"):
        journal.encode(["text"])  # type: ignore[list-item]
    assert [event async for event in journal.read("b-1")] == []


@pytest.mark.parametrize("changes", [{"payload": b"\xc1"}, {"type_name": "Vanished"}, {"version": 3}, {"version": -1}])
async def test_a_corrupt_row_is_named_in_every_way_of_reading(
    faulty: FaultyDatabase, corruptible: Bookings, changes: dict[str, Any]
) -> None:
    await corruptible.append(1, 1, "b-1", 1, [Placed(1, "c"), Placed(2, "c")])
    faulty.corrupt("b-1", 2, **changes)

    async def read_all(events: AsyncIterator[EntityEvent[Placed | Cancelled]]) -> list[int]:
        found = [(await anext(events)).seq_nr]
        with pytest.raises(CorruptRecord) as caught:
            await anext(events)
        error = caught.value
        assert (error.table, error.shard, error.offset, error.key, error.seq_nr) == ("booking_event", 1, 2, "b-1", 2)
        assert error.type_name == changes.get("type_name", "Placed")
        return found

    assert await read_all(corruptible.read("b-1")) == [1]
    assert await read_all(corruptible.current_events(EventTag("booking", 1))) == [1]
    assert await read_all(corruptible.events(EventTag("booking", 1))) == [1]


async def test_metadata_that_cannot_be_read_does_not_stop_the_event(
    faulty: FaultyDatabase, corruptible: Bookings
) -> None:
    await corruptible.append(1, 1, "b-1", 1, [Placed(1, "c")])
    faulty.corrupt("b-1", 1, metadata=b"\xc1")
    (event,) = [event async for event in corruptible.read("b-1")]
    assert event.payload == Placed(1, "c")
    with pytest.raises(BadPayload, match="metadata cannot be read"):
        _ = event.metadata


async def test_closing_commits_what_is_queued(database: Database) -> None:
    journal: Bookings = EventJournal(await database.journal("booking", 2), CODEC)
    await journal.claim(0, 1)
    heard: list[Any] = []
    for seq_nr in range(1, 4):
        journal.submit(Append(0, 1, "b-1", seq_nr, journal.encode([Cancelled()])), heard.append)
    await journal.close()
    assert [outcome.last_offset for outcome in heard] == [1, 2, 3]
    assert len([event async for event in journal.read("b-1")]) == 3, "the store stays open"
