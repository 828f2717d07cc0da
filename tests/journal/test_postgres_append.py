"""Appending to PostgreSQL: the fast statement and the judged way give the same answers as the plain rules do."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from journal.errors import Conflict
from journal.memory import MemoryDatabase
from journal.postgres import batch as batches
from journal.postgres.statements import statement
from journal.records import Append, Appended, NewEvent
from tests.conformance.samples import append, appending, log, places, written
from tests.journal.postgres_store import SHARDS, opened_store, session


def _random_append(dice: random.Random, last: dict[str, int], epochs: list[int]) -> Append:
    key = f"k{dice.randrange(12)}"
    shard = int(key[1:]) % SHARDS
    epoch = epochs[shard] - (dice.random() < 0.03)
    seq_nr = last.get(key, 0) + 1 + (dice.random() < 0.05) - (dice.random() < 0.05)
    new = [NewEvent(f"E{n}", n, b"%d" % n, b"m") for n in range(dice.choice((0, 1, 1, 1, 2, 3)))]
    last[key] = seq_nr + len(new) - 1
    return Append(shard, epoch, key, seq_nr, new)


@pytest.mark.parametrize("seed", range(6))
async def test_random_batches_end_as_they_do_in_memory(postgres_url: str, seed: int) -> None:
    dice = random.Random(seed)
    memory = await MemoryDatabase(clock=lambda: datetime.now(UTC)).journal("booking", SHARDS)
    async with opened_store(postgres_url) as store:
        for shard in range(SHARDS):
            await memory.claim(shard, 1)
        epochs = [1] * SHARDS
        for _ in range(60):
            last: dict[str, int] = {}
            for number in range(12):
                if stored := await memory.read_entity(f"k{number}", 1, 10_000):
                    last[f"k{number}"] = stored[-1].seq_nr
            if dice.random() < 0.1:
                shard = dice.randrange(SHARDS)
                epochs[shard] += 1
                assert await store.claim(shard, epochs[shard]) == await memory.claim(shard, epochs[shard])
            batch = [_random_append(dice, last, epochs) for _ in range(dice.choice((1, 1, 2, 5, 20)))]
            outcomes, expected = await store.append(batch), await memory.append(batch)
            assert list(map(repr, outcomes)) == list(map(repr, expected))
        assert await store.heads() == await memory.heads()
        for shard in range(SHARDS):
            ours, theirs = await log(store, shard), await log(memory, shard)
            for event in (*ours, *theirs):
                event.recorded_at = datetime.min
            assert ours == theirs


async def test_a_batch_larger_than_one_message_should_be(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 1_000_000)
    monkeypatch.setattr("journal.postgres.judged.MOST_BYTES", 1_000_000)
    async with opened_store(postgres_url) as store:
        payload = bytes(300_000)
        outcomes = await written(store, *(appending(f"k{n}", 1, payload, payload, shard=n % 2) for n in range(10)))
        assert outcomes[-2:] == [Appended(0, 10), Appended(1, 10)]
        assert sum(len(event.payload) for event in await log(store)) == 3_000_000
        assert await written(store, appending("one", 1, bytes(1_500_000))) == [Appended(0, 11)]


async def test_what_is_known_of_entities_is_bounded(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "REMEMBERED", 10)
    async with opened_store(postgres_url) as store:
        for seq_nr in range(1, 4):
            for first in (0, 4, 8, 20):
                await written(store, *(appending(f"k{n}", seq_nr) for n in range(first, first + 4)))
        outcomes = await append(store, appending("k0", 9), appending("k20", 9), appending("k21", 4))
        assert [type(outcome).__name__ for outcome in outcomes] == ["Conflict", "Conflict", "Appended"]
        assert len(store._known.last) <= 10


async def test_a_second_program_that_went_on_meanwhile_is_met_with_a_conflict(postgres_url: str) -> None:
    """What this program saw committed is not the last any more: the number is taken, whether it looks or not."""
    async with opened_store(postgres_url) as store, opened_store(postgres_url, claim=False) as other:
        await written(store, appending("a", 1), appending("b", 1))
        await written(other, appending("a", 2, b"theirs"), appending("c", 1))
        outcomes = await append(store, appending("a", 2, b"ours"), appending("b", 2))
        assert [type(outcome).__name__ for outcome in outcomes] == ["Conflict", "Appended"]
        assert places(await log(store))[-1] == (5, "b", 2)


async def test_a_single_append_on_a_number_that_was_taken_meanwhile_is_a_conflict(postgres_url: str) -> None:
    async with opened_store(postgres_url) as store, opened_store(postgres_url, claim=False) as other:
        await written(store, appending("a", 1))
        await written(other, appending("a", 2, b"theirs"), appending("b", 1))
        for late in (appending("a", 2, b"ours"), appending("b", 1, b"ours")):
            (outcome,) = await append(store, late)
            assert isinstance(outcome, Conflict)
        assert places(await log(store)) == [(1, "a", 1), (2, "a", 2), (3, "b", 1)]


async def test_a_single_append_trusts_nothing_that_another_server_committed(postgres_url: str) -> None:
    """A standby that was promoted may lack what this program saw committed: going on behind it would leave a hole."""
    async with opened_store(postgres_url) as store:
        await written(store, appending("a", 1))
        store._known.last["a"] = 2
        store._known.server_started = datetime(2000, 1, 1, tzinfo=UTC)
        (outcome,) = await append(store, appending("a", 3))
        assert isinstance(outcome, Conflict)
        assert await written(store, appending("a", 2)) == [Appended(0, 2)]


async def test_updates_of_a_shards_row_stay_on_its_page(postgres_url: str) -> None:
    """HOT: no index entry and no new page per append, however many there are."""
    async with opened_store(postgres_url) as store, session(postgres_url) as observer:
        size = await observer.fetchval("SELECT pg_relation_size('booking_shard')")
        for seq_nr in range(1, 401):
            await written(store, appending("a", seq_nr))
            await written(store, appending("b", seq_nr, shard=1), appending("c", seq_nr, shard=2))
        assert await observer.fetchval("SELECT pg_relation_size('booking_shard')") == size


async def test_the_batch_statement_goes_by_the_indexes_when_made_for_empty_tables(postgres_url: str) -> None:
    """Its plan is made once and kept; it must serve when the tables have grown."""
    async with opened_store(postgres_url) as store, session(postgres_url) as observer:
        await observer.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
        text = statement("append_batch", "public", "booking")
        await observer.execute(f"PREPARE batch AS {text}")
        plan = await observer.fetch(f"EXPLAIN EXECUTE batch ({', '.join(['NULL'] * 14)})")
        told = "\n".join(line for (line,) in plan)
        assert "Seq Scan" not in told
        assert "Index Only Scan Backward using booking_event_key_seq_nr_key" in told
        assert "Nested Loop" not in told[told.index("CTE written") :]
        await written(store, appending("a", 1), appending("b", 1))
