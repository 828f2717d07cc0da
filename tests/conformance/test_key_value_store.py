"""What `KeyValueStore` promises: the newest snapshot per key, written by the shard's holder alone."""

from __future__ import annotations

import asyncio

import pytest

from journal.contract import Database, JournalStore, KeyValueStore
from journal.errors import Fenced
from journal.records import Snapshot
from tests.conformance.conftest import SHARDS, Opener


def snapshot(seq_nr: int, payload: bytes = b"state", key: str = "b-1") -> Snapshot:
    return Snapshot(key, seq_nr, "Booking", 2, payload)


@pytest.fixture
def snapshots(store: JournalStore, database: Database) -> KeyValueStore:
    """The snapshots beside a journal whose shards are claimed under epoch 1."""
    return database.snapshots(store.name)


async def test_no_snapshot_yet(snapshots: KeyValueStore) -> None:
    assert await snapshots.get("b-1") is None


async def test_a_snapshot_comes_back_as_it_was_put(snapshots: KeyValueStore) -> None:
    kept = Snapshot("ключ'", 7, "Ünicode", 3, bytes(range(256)))
    await snapshots.put(1, 1, kept)
    assert await snapshots.get("ключ'") == kept


async def test_the_newest_wins_in_whatever_order_they_come(snapshots: KeyValueStore) -> None:
    await snapshots.put(0, 1, snapshot(10, b"ten"))
    await snapshots.put(0, 1, snapshot(5, b"five"))
    assert await snapshots.get("b-1") == snapshot(10, b"ten")
    await snapshots.put(0, 1, snapshot(11, b"eleven"))
    assert await snapshots.get("b-1") == snapshot(11, b"eleven")


async def test_each_key_has_its_own(snapshots: KeyValueStore) -> None:
    await snapshots.put(0, 1, snapshot(1, b"one", "a"))
    await snapshots.put(0, 1, snapshot(2, b"two", "A"))
    assert await snapshots.get("a") == snapshot(1, b"one", "a")
    assert await snapshots.get("A") == snapshot(2, b"two", "A")


@pytest.mark.parametrize("epoch", [0, 1, 3])
async def test_only_the_current_epoch_may_put(snapshots: KeyValueStore, store: JournalStore, epoch: int) -> None:
    await store.claim(0, 2)
    await snapshots.put(0, 2, snapshot(5))
    with pytest.raises(Fenced) as refused:
        await snapshots.put(0, epoch, snapshot(6, b"stale"))
    assert refused.value.epoch == epoch
    assert await snapshots.get("b-1") == snapshot(5)


async def test_a_shard_that_does_not_exist_is_fenced(snapshots: KeyValueStore) -> None:
    with pytest.raises(Fenced):
        await snapshots.put(SHARDS, 1, snapshot(1))
    assert await snapshots.get("b-1") is None


async def test_a_deleted_snapshot_is_gone(snapshots: KeyValueStore) -> None:
    await snapshots.put(0, 1, snapshot(5))
    await snapshots.delete("b-1")
    assert await snapshots.get("b-1") is None
    await snapshots.delete("b-1")
    await snapshots.put(0, 1, snapshot(3))
    assert await snapshots.get("b-1") == snapshot(3)


async def test_journals_have_their_own_snapshots(snapshots: KeyValueStore, database: Database) -> None:
    await database.journal("ticket", 1)
    await snapshots.put(0, 1, snapshot(5))
    assert await database.snapshots("ticket").get("b-1") is None


async def test_another_program_sees_it(snapshots: KeyValueStore, open_again: Opener) -> None:
    other = await open_again()
    await other.journal("booking", SHARDS)
    await snapshots.put(0, 1, snapshot(5))
    assert await other.snapshots("booking").get("b-1") == snapshot(5)


async def test_puts_at_once_leave_the_newest(snapshots: KeyValueStore, open_again: Opener) -> None:
    other = await open_again()
    await other.journal("booking", SHARDS)
    both = [snapshots, other.snapshots("booking")]
    await asyncio.gather(*(both[seq_nr % 2].put(0, 1, snapshot(seq_nr, b"%d" % seq_nr)) for seq_nr in range(30, 0, -1)))
    assert await snapshots.get("b-1") == snapshot(30, b"30")


async def test_a_large_snapshot(snapshots: KeyValueStore) -> None:
    await snapshots.put(0, 1, snapshot(1, b"s" * 5_000_000))
    kept = await snapshots.get("b-1")
    assert kept is not None
    assert len(kept.payload) == 5_000_000


async def test_snapshots_need_their_journal_open(database: Database) -> None:
    with pytest.raises(LookupError, match="booking"):
        database.snapshots("booking")
