"""single-writer on PostgreSQL: whichever waits for whom, a stale holder's append is refused by the shard's row."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from journal.errors import Conflict, Fenced, JournalError, Unavailable
from journal.records import Append, Appended, Snapshot
from tests.conformance.samples import append, appending, log, written
from tests.journal.postgres_store import (
    SHARDS,
    Cable,
    opened,
    opened_store,
    prepares,
    session,
    stopped_in_exchange,
    waiting_for_a_lock,
)
from tests.waiting import eventually

BATCHES = {
    "one event": [appending("a", 1)],
    "one append": [appending("a", 1, b"1", b"2")],
    "several": [appending("a", 1), appending("b", 1, b"1", b"2"), appending("a", 2)],
    "to be judged": [appending("a", 1), appending("b", 7)],
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
async def test_an_append_that_waited_behind_a_claim_is_fenced(postgres_url: str, batch: Sequence[Append]) -> None:
    async with opened_store(postgres_url) as store, session(postgres_url) as claimer:
        await claimer.execute("BEGIN; UPDATE booking_shard SET epoch = 2 WHERE shard = 0")
        late = asyncio.ensure_future(append(store, *batch))
        await waiting_for_a_lock(claimer)
        await claimer.execute("COMMIT")
        assert {type(outcome) for outcome in await late} <= {Fenced, Conflict}
        assert type((await late)[0]) is Fenced
        assert await log(store) == []
        assert (await store.heads())[0].head == 0


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
async def test_an_append_that_waited_behind_a_claim_undone_is_written(
    postgres_url: str, batch: Sequence[Append]
) -> None:
    async with opened_store(postgres_url) as store, session(postgres_url) as claimer:
        await claimer.execute("BEGIN; UPDATE booking_shard SET epoch = 2 WHERE shard = 0")
        late = asyncio.ensure_future(append(store, *batch))
        await waiting_for_a_lock(claimer)
        await claimer.execute("ROLLBACK")
        assert type((await late)[0]) is Appended


async def test_a_claim_waits_for_the_append_in_flight_and_counts_it(postgres_url: str) -> None:
    async with opened_store(postgres_url) as store, session(postgres_url) as writer:
        await writer.execute(
            "BEGIN; UPDATE booking_shard SET head = 1 WHERE shard = 0 AND epoch = 1;"
            'INSERT INTO booking_event (shard, "offset", key, seq_nr, epoch, type_name, version, payload, metadata) '
            "VALUES (0, 1, 'a', 1, 1, 'Happened', 1, '', '')"
        )
        claiming = asyncio.ensure_future(store.claim(0, 2))
        await waiting_for_a_lock(writer)
        await writer.execute("COMMIT")
        assert (await claiming).head == 1
        assert len(await log(store)) == 1


async def test_one_shards_claim_holds_up_no_other(postgres_url: str) -> None:
    async with opened_store(postgres_url) as store, session(postgres_url) as claimer:
        await claimer.execute("BEGIN; UPDATE booking_shard SET epoch = 2 WHERE shard = 0")
        await asyncio.wait_for(written(store, appending("b", 1, shard=1)), 5)
        await claimer.execute("COMMIT")


async def test_a_snapshot_that_waited_behind_a_claim_is_fenced(postgres_url: str) -> None:
    async with opened(postgres_url) as database, session(postgres_url) as claimer:
        await (await database.journal("booking", SHARDS)).claim(0, 1)
        snapshots = database.snapshots("booking")
        await claimer.execute("BEGIN; UPDATE booking_shard SET epoch = 2 WHERE shard = 0")
        late = asyncio.ensure_future(snapshots.put(0, 1, Snapshot("a", 1, "State", 1, b"stale")))
        await waiting_for_a_lock(claimer)
        await claimer.execute("COMMIT")
        with pytest.raises(Fenced):
            await late
        assert await snapshots.get("a") is None


async def _race(writer: Any, key: str, seq_nr: int) -> None:
    """Append as a second program with the same epoch would, and stay in the transaction."""
    await writer.execute("BEGIN; UPDATE booking_shard SET head = head + 1 WHERE shard = 0 AND epoch = 1")
    await writer.execute(
        'INSERT INTO booking_event (shard, "offset", key, seq_nr, epoch, type_name, version, payload, metadata) '
        "SELECT 0, head, $1, $2, 1, 'Happened', 1, 'theirs', '' FROM booking_shard WHERE shard = 0",
        key,
        seq_nr,
    )


async def test_a_number_taken_while_the_append_waited_fails_the_offender_alone(postgres_url: str) -> None:
    """Two writers with one epoch, which no coordinator hands out: UNIQUE (key, seq_nr) is the second line."""
    async with opened_store(postgres_url) as store, session(postgres_url) as second:
        await written(store, appending("a", 1))
        await _race(second, "a", 2)
        late = asyncio.ensure_future(append(store, appending("b", 1), appending("a", 2, b"ours"), appending("c", 1)))
        await waiting_for_a_lock(second)
        await second.execute("COMMIT")
        outcomes = await late
        assert [type(outcome) for outcome in outcomes] == [Appended, Conflict, Appended]
        assert [(event.offset, event.key) for event in await log(store)] == [(1, "a"), (2, "a"), (3, "b"), (4, "c")]
        assert (await store.read_entity("a", 2, 1))[0].payload == b"theirs"


async def test_a_number_taken_while_a_single_append_waited_is_a_conflict(postgres_url: str) -> None:
    async with opened_store(postgres_url) as store, session(postgres_url) as second:
        await _race(second, "a", 1)
        late = asyncio.ensure_future(append(store, appending("a", 1, b"ours")))
        await waiting_for_a_lock(second)
        await second.execute("COMMIT")
        (outcome,) = await late
        assert isinstance(outcome, Conflict)
        assert outcome.found == 1


async def test_batches_in_opposite_order_of_shards_do_not_deadlock(postgres_url: str) -> None:
    orders = ([0, 1, 2, 3], [3, 2, 1, 0])

    async def write(number: int) -> None:
        async with opened_store(postgres_url, claim=number == 0) as store:
            ready.append(store)
            await both_ready.wait()
            for step in range(60):
                await written(store, *(appending(f"w{number}-{step}-{n}", 1, shard=n) for n in orders[number]))

    ready: list[object] = []
    both_ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        writers = [group.create_task(write(0))]
        await eventually(lambda: len(ready) == 1)  # which has claimed by now
        writers.append(group.create_task(write(1)))
        await eventually(lambda: len(ready) == 2)
        both_ready.set()
    async with session(postgres_url) as observer:
        assert await observer.fetchval("SELECT sum(head) FROM booking_shard") == 2 * 60 * 4
        assert await observer.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


async def test_waiting_for_a_lock_is_bounded_and_nothing_happened(postgres_url: str) -> None:
    async with (
        opened_store(postgres_url, lock_timeout=0.2) as store,
        opened_store(postgres_url, claim=False) as other,
        session(postgres_url) as holder,
    ):
        await holder.execute("BEGIN; SELECT * FROM booking_shard WHERE shard = 0 FOR UPDATE")
        for batch in BATCHES.values():
            with pytest.raises(Unavailable, match="lock timeout"):
                await asyncio.wait_for(append(store, *batch), 10)
        with pytest.raises(Unavailable, match="lock timeout"):
            await asyncio.wait_for(store.claim(0, 2), 10)
        await holder.execute("ROLLBACK")
        assert await log(other) == []
        assert (await written(store, appending("a", 1)))[0].last_offset == 1


async def test_a_client_that_stops_in_the_middle_gives_the_shard_free(postgres_url: str) -> None:
    """A program paused between two statements of ours keeps a takeover waiting no longer than the idle limit."""
    async with (
        opened(postgres_url, idle_transaction_timeout=0.3) as database,
        opened(postgres_url) as other,
    ):
        store = await database.journal("booking", SHARDS)
        await store.claim(0, 1)
        rival = await other.journal("booking", SHARDS)

        async def pause() -> None:
            async with database.transaction() as transaction:
                await transaction.fetch("SELECT * FROM booking_shard WHERE shard = 0 FOR UPDATE")
                assert (await asyncio.wait_for(rival.claim(0, 2), 5)).epoch == 2

        with pytest.raises(Unavailable):
            await pause()
        assert [type(outcome) for outcome in await append(store, appending("a", 1))] == [Fenced]


@pytest.mark.parametrize("taken", ["by a claim", "in a block", "in a block that is given up first"])
async def test_a_client_that_stops_while_a_statement_is_prepared_gives_its_locks_free(
    postgres_url: str, taken: str
) -> None:
    """The server is in the middle of an exchange then, so its limit for idle transactions does not count."""
    async with (
        Cable(postgres_url) as cable,
        opened(cable.url) as database,
        opened(postgres_url, lock_timeout=5 if "first" in taken else 0.2, idle_transaction_timeout=0.3) as other,
    ):
        store = await database.journal("booking", SHARDS)
        await store.claim(0, 1)
        rival = await other.journal("booking", SHARDS)

        async def stop() -> None:
            async with database.transaction() as transaction:
                await transaction.execute("SELECT * FROM booking_shard WHERE shard = 0 FOR UPDATE")
                cable.stop_after = prepares
                await transaction.fetch("SELECT 1 + $1::int", 1)

        async def is_taken() -> bool:
            try:
                if taken == "by a claim":
                    assert (await rival.claim(0, 2)).epoch == 2
                else:
                    async with asyncio.timeout(0.2 if "first" in taken else None), other.transaction() as transaction:
                        await transaction.execute("UPDATE booking_shard SET epoch = 2 WHERE shard = 0")
            except Unavailable as error:
                assert "lock timeout" in str(error)  # noqa: PT017 - whatever else it may be is not to be waited for
                return False
            except TimeoutError:
                return False
            return True

        stopped = asyncio.ensure_future(stop())
        async with session(postgres_url) as observer:
            await stopped_in_exchange(observer)
        await eventually(is_taken, within=10)
        with pytest.raises(Unavailable):
            await stopped
        cable.stop_after = lambda question: False
        assert [type(outcome) for outcome in await append(store, appending("a", 1))] == [Fenced]


async def test_an_append_never_raises_what_the_contract_does_not_know(postgres_url: str) -> None:
    odd = [
        appending("a", 2**70),
        appending("a", 1, epoch=2**70),
        appending("a", 1, shard=2**40),
        appending("lone \ud800", 1),
        appending("a", 1)._replace(events=[]),
    ]
    async with opened_store(postgres_url) as store:
        for one in odd:
            for batch in ([one], [one, appending("fine", 1)], [appending("fine", 1), one]):
                outcomes = await store.append(batch)
                assert all(isinstance(outcome, Appended | JournalError) for outcome in outcomes)
        assert len(await store.read_entity("fine", 1, 10)) == 1
