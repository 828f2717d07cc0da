"""in-order under load: many writers, many shards, and readers that would notice a skipped event."""

from __future__ import annotations

import asyncio

import pytest

from journal.contract import Database, JournalStore
from journal.errors import Fenced
from journal.records import Appended
from tests.conformance.conftest import Opener
from tests.conformance.hammer import Reader, check_complete, follow, write_batches
from tests.conformance.samples import append, appending, log

WRITERS, SHARDS, BATCHES = 4, 8, 25


async def opened(database: Database) -> JournalStore:
    return await database.journal("hammered", SHARDS)


async def claim_all(store: JournalStore, epoch: int) -> None:
    for shard in range(SHARDS):
        await store.claim(shard, epoch)


@pytest.mark.parametrize("limit", [7, 500])
async def test_no_reader_skips_an_event_of_writers_on_shards_of_their_own(open_again: Opener, limit: int) -> None:
    programs = [await opened(await open_again()) for _ in range(2)]
    await claim_all(programs[0], 1)
    writers = [
        asyncio.ensure_future(write_batches(programs[n % 2], range(n, SHARDS, WRITERS), f"w{n}", BATCHES))
        for n in range(WRITERS)
    ]

    def done() -> bool:
        return all(writer.done() for writer in writers)

    readers = [
        asyncio.ensure_future(follow(programs[n % 2], Reader(dict.fromkeys(range(SHARDS), 0)), done, limit))
        for n in range(3)
    ]
    written = sum(await asyncio.gather(*writers))
    for reader in await asyncio.gather(*readers):
        check_complete(reader, written)
    assert sum(row.head for row in await programs[0].heads()) == written


async def test_no_reader_skips_an_event_when_writers_share_their_shards(open_again: Opener) -> None:
    """The contract asks for one batch per shard in flight; were it broken, nothing may be skipped even so."""
    programs = [await opened(await open_again()) for _ in range(WRITERS)]
    await claim_all(programs[0], 1)
    writers = [
        asyncio.ensure_future(write_batches(store, (0, 1), f"w{n}", BATCHES)) for n, store in enumerate(programs)
    ]

    def done() -> bool:
        return all(writer.done() for writer in writers)

    reader = asyncio.ensure_future(follow(programs[0], Reader({0: 0, 1: 0}), done, 100))
    written = sum(await asyncio.gather(*writers))
    check_complete(await reader, written)


async def test_shards_that_move_between_holders_all_the_time_stay_whole(open_again: Opener) -> None:
    """Two programs take the same shard from each other under growing epochs, each writing on until it is fenced."""
    programs = [await opened(await open_again()) for _ in range(2)]
    answered: list[tuple[str, int]] = []
    taken = 0

    async def hold(store: JournalStore) -> None:
        nonlocal taken
        for _ in range(12):
            taken += 1
            epoch = taken
            try:
                await store.claim(0, epoch)
            except Fenced:
                continue  # the other's claim was sent later and came first
            seq_nr = len(await store.read_entity("a", 1, 100_000))
            for _ in range(4):
                (outcome,) = await append(store, appending("a", seq_nr + 1, b"%d" % epoch, epoch=epoch))
                if not isinstance(outcome, Appended):
                    break
                seq_nr += 1
                answered.append(("a", outcome.last_offset))

    await asyncio.gather(*(hold(store) for store in programs))
    stored = await log(programs[0])
    assert [event.offset for event in stored] == [event.seq_nr for event in stored] == list(range(1, len(stored) + 1))
    assert sorted(answered) == [(event.key, event.offset) for event in stored]
    epochs = [event.epoch for event in stored]
    assert epochs == sorted(epochs)
