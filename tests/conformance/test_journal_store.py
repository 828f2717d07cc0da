"""What `JournalStore` promises: in-order, single-writer, durable; and one bad append harms no other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from journal.contract import Database, JournalStore
from journal.errors import Conflict, Fenced, InvalidName, JournalError, OutcomeUnknown, WrongShardCount
from journal.records import Append, Appended, NewEvent, ShardHead
from tests.conformance.conftest import SHARDS, Opener
from tests.conformance.samples import append, appending, log, places, written


async def test_a_new_journal_is_empty_and_belongs_to_nobody(database: Database) -> None:
    store = await database.journal("booking", SHARDS)
    assert (store.name, store.shard_count) == ("booking", SHARDS)
    assert await store.heads() == [ShardHead(shard, 0, 0) for shard in range(SHARDS)]
    assert await log(store) == []
    assert await store.read_entity("b-1", 1, 10) == []


async def test_events_come_back_as_they_were_written(store: JournalStore) -> None:
    new = [NewEvent("Placed", 3, b"\x00\xffpayload", b"\x01meta"), NewEvent("Ünïcode", 1, b"", b"")]
    before = datetime.now(UTC)
    (appended,) = await written(store, Append(2, 1, "b-1", 1, new))
    assert appended == Appended(2, 2)
    stored = await store.read_entity("b-1", 1, 10)
    assert stored == await log(store, 2)
    first, second = stored
    assert (first.shard, first.offset, first.key, first.seq_nr, first.epoch) == (2, 1, "b-1", 1, 1)
    assert (first.type_name, first.version, first.payload, first.metadata) == (
        "Placed",
        3,
        b"\x00\xffpayload",
        b"\x01meta",
    )
    assert (second.offset, second.seq_nr, second.type_name, second.payload, second.metadata) == (
        2,
        2,
        "Ünïcode",
        b"",
        b"",
    )
    assert type(first.payload) is bytes
    assert type(first.metadata) is bytes
    assert first.recorded_at.utcoffset() == timedelta(0)
    assert abs(first.recorded_at - before) < timedelta(minutes=5)


async def test_what_was_read_can_be_changed_without_harm(store: JournalStore) -> None:
    await written(store, appending("b-1", 1, b"true"))
    (event,) = await log(store)
    event.payload = b"false"
    assert [event.payload for event in await log(store)] == [b"true"]


async def test_offsets_are_contiguous_within_each_shard(store: JournalStore) -> None:
    outcomes = await written(
        store,
        appending("a", 1, b"1", b"2", shard=0),
        appending("b", 1, b"1", shard=1),
        appending("c", 1, b"1", b"2", b"3", shard=0),
        appending("d", 1, b"1", shard=1),
    )
    assert outcomes == [Appended(0, 2), Appended(1, 1), Appended(0, 5), Appended(1, 2)]
    assert await written(store, appending("a", 3, shard=0)) == [Appended(0, 6)]
    assert places(await log(store, 0)) == [(1, "a", 1), (2, "a", 2), (3, "c", 1), (4, "c", 2), (5, "c", 3), (6, "a", 3)]
    assert places(await log(store, 1)) == [(1, "b", 1), (2, "d", 1)]
    assert await store.heads() == [ShardHead(0, 1, 6), ShardHead(1, 1, 2), ShardHead(2, 1, 0), ShardHead(3, 1, 0)]


async def test_appends_of_one_entity_in_a_batch_run_on(store: JournalStore) -> None:
    await written(store, appending("a", 1), appending("b", 1), appending("a", 2, b"2", b"3"), appending("a", 4))
    assert places(await log(store)) == [(1, "a", 1), (2, "b", 1), (3, "a", 2), (4, "a", 3), (5, "a", 4)]


async def test_an_empty_batch_is_nothing(store: JournalStore) -> None:
    assert await store.append([]) == []


@pytest.mark.parametrize("seq_nr", [1, 2, 4, 100, 0, -1])
async def test_a_repeat_and_a_hole_are_refused(store: JournalStore, seq_nr: int) -> None:
    await written(store, appending("a", 1, b"1", b"2"))
    (outcome,) = await append(store, appending("a", seq_nr, b"wrong"))
    assert isinstance(outcome, Conflict)
    assert (outcome.journal, outcome.key, outcome.expected) == ("booking", "a", seq_nr)
    assert places(await log(store)) == [(1, "a", 1), (2, "a", 2)]
    assert (await store.heads())[0].head == 2
    assert await written(store, appending("a", 3)) == [Appended(0, 3)]


@pytest.mark.parametrize("seq_nr", [2, 0])
async def test_a_new_entity_begins_with_one(store: JournalStore, seq_nr: int) -> None:
    (outcome,) = await append(store, appending("a", seq_nr))
    assert isinstance(outcome, Conflict)
    assert await log(store) == []


async def test_an_append_that_overlaps_what_is_there_writes_nothing(store: JournalStore) -> None:
    await written(store, appending("a", 1, b"1", b"2"))
    (outcome,) = await append(store, appending("a", 2, b"other 2", b"other 3"))
    assert isinstance(outcome, Conflict)
    assert [event.payload for event in await log(store)] == [b"1", b"2"]


async def test_one_conflict_harms_no_other_append(store: JournalStore) -> None:
    await written(store, appending("a", 1))
    outcomes = await append(
        store,
        appending("b", 1, b"1", b"2"),
        appending("a", 1, b"stale"),
        appending("c", 1),
        appending("d", 1, shard=1),
        appending("e", 2, shard=1),
        appending("f", 1, shard=1),
    )
    assert [type(outcome) for outcome in outcomes] == [Appended, Conflict, Appended, Appended, Conflict, Appended]
    assert [outcome for outcome in outcomes if isinstance(outcome, Appended)] == [
        Appended(0, 3),
        Appended(0, 4),
        Appended(1, 1),
        Appended(1, 2),
    ]
    assert places(await log(store)) == [(1, "a", 1), (2, "b", 1), (3, "b", 2), (4, "c", 1)]
    assert places(await log(store, 1)) == [(1, "d", 1), (2, "f", 1)]


async def test_one_fenced_append_harms_no_other(store: JournalStore) -> None:
    await store.claim(1, 7)
    outcomes = await append(
        store,
        appending("a", 1, shard=0),
        appending("b", 1, shard=1),
        appending("c", 1, shard=1, epoch=7),
        appending("d", 1, shard=0),
        appending("e", 1, shard=2, epoch=9),
    )
    assert [type(outcome) for outcome in outcomes] == [Appended, Fenced, Appended, Appended, Fenced]
    assert places(await log(store, 0)) == [(1, "a", 1), (2, "d", 1)]
    assert places(await log(store, 1)) == [(1, "c", 1)]
    assert await log(store, 2) == []
    assert [row.head for row in await store.heads()] == [2, 1, 0, 0]


async def test_appends_behind_a_failed_one_of_the_same_entity_fail_too(store: JournalStore) -> None:
    await written(store, appending("a", 1))
    outcomes = await append(
        store,
        appending("a", 2),
        appending("a", 9, b"a hole"),
        appending("a", 3, b"was decided on top of the hole"),
        appending("b", 1),
        appending("a", 10, b"as well"),
    )
    assert [type(outcome) for outcome in outcomes] == [Appended, Conflict, Conflict, Appended, Conflict]
    assert places(await log(store)) == [(1, "a", 1), (2, "a", 2), (3, "b", 1)]


async def test_appends_behind_a_fenced_one_of_the_same_entity_fail_too(store: JournalStore) -> None:
    await store.claim(0, 2)
    outcomes = await append(
        store,
        appending("a", 1, epoch=1),
        appending("a", 1, epoch=2),
        appending("a", 2, epoch=2),
        appending("b", 1, epoch=2),
    )
    assert [type(outcome) for outcome in outcomes] == [Fenced, Conflict, Conflict, Appended]
    assert places(await log(store)) == [(1, "b", 1)]


async def test_a_fenced_writer_hears_that_rather_than_of_a_conflict(store: JournalStore) -> None:
    await written(store, appending("a", 1))
    await store.claim(0, 2)
    (outcome,) = await append(store, appending("a", 1))
    assert isinstance(outcome, Fenced)
    assert outcome.epoch == 1


async def test_nobody_appends_to_a_shard_that_was_never_claimed(database: Database) -> None:
    store = await database.journal("booking", 1)
    for epoch in (1, 2):
        (outcome,) = await append(store, appending("a", 1, epoch=epoch))
        assert isinstance(outcome, Fenced)
    assert await log(store) == []


async def test_a_claim_returns_the_row_and_raises_the_epoch(store: JournalStore) -> None:
    await written(store, appending("a", 1, b"1", b"2", shard=1))
    assert await store.claim(1, 5) == ShardHead(1, 5, 2)
    assert await store.heads() == [ShardHead(0, 1, 0), ShardHead(1, 5, 2), ShardHead(2, 1, 0), ShardHead(3, 1, 0)]


@pytest.mark.parametrize("epoch", [5, 4, 1, 0, -1])
async def test_an_equal_or_older_claim_is_refused(store: JournalStore, epoch: int) -> None:
    await store.claim(0, 5)
    with pytest.raises(Fenced) as refused:
        await store.claim(0, epoch)
    assert refused.value.epoch == epoch
    assert (await store.heads())[0] == ShardHead(0, 5, 0)


async def test_of_two_claims_at_once_under_one_epoch_one_wins(store: JournalStore, open_again: Opener) -> None:
    other = await (await open_again()).journal("booking", SHARDS)
    results = await asyncio.gather(store.claim(0, 2), other.claim(0, 2), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Fenced", "ShardHead"]


async def test_after_a_claim_the_earlier_holder_is_fenced(store: JournalStore, open_again: Opener) -> None:
    other = await (await open_again()).journal("booking", SHARDS)
    await written(store, appending("a", 1))
    assert (await other.claim(0, 2)).head == 1
    (outcome,) = await append(store, appending("a", 2, b"stale"))
    assert isinstance(outcome, Fenced)
    await written(other, appending("a", 2, b"new", epoch=2))
    assert [event.payload for event in await log(store)] == [b"x", b"new"]
    assert [event.epoch for event in await log(store)] == [1, 2]


async def test_whatever_the_order_a_claim_sees_every_event_of_the_earlier_epoch(
    store: JournalStore, open_again: Opener
) -> None:
    """An append that raced the claim is either in the head that the claim returned, or fenced; never written later."""
    other = await (await open_again()).journal("booking", SHARDS)
    for epoch in range(1, 30):
        results = await asyncio.gather(
            *(append(store, appending(f"{epoch}-{n}", 1, epoch=epoch)) for n in range(3)),
            other.claim(0, epoch + 1),
        )
        claimed = results[-1]
        assert isinstance(claimed, ShardHead)
        assert len(await log(store)) == claimed.head


@pytest.mark.parametrize("shard", [-1, SHARDS, 10_000])
async def test_a_shard_that_does_not_exist(store: JournalStore, shard: int) -> None:
    with pytest.raises((ValueError, JournalError)) as refused:
        await store.claim(shard, 2)
    assert not isinstance(refused.value, OutcomeUnknown)
    outcomes = await append(store, appending("a", 1, shard=shard), appending("b", 1))
    assert [type(outcome) for outcome in outcomes] == [Fenced, Appended]
    assert await store.read_shards({shard: 0}, 10) == []


async def test_reading_an_entity_in_pages(store: JournalStore) -> None:
    await written(store, appending("a", 1, *(b"%d" % n for n in range(1, 8))), appending("b", 1), appending("A", 1))
    assert [event.seq_nr for event in await store.read_entity("a", 1, 3)] == [1, 2, 3]
    assert [event.seq_nr for event in await store.read_entity("a", 4, 3)] == [4, 5, 6]
    assert [event.payload for event in await store.read_entity("a", 7, 3)] == [b"7"]
    assert await store.read_entity("a", 8, 3) == []
    assert [event.seq_nr for event in await store.read_entity("a", 0, 2)] == [1, 2]


async def test_reading_a_shard_in_pages(store: JournalStore) -> None:
    await written(store, *(appending(f"k{n}", 1) for n in range(7)))
    assert [event.offset for event in await store.read_shards({0: 0}, 3)] == [1, 2, 3]
    assert [event.offset for event in await store.read_shards({0: 3}, 3)] == [4, 5, 6]
    assert [event.offset for event in await store.read_shards({0: 6}, 3)] == [7]
    assert await store.read_shards({0: 7}, 3) == []
    assert await store.read_shards({0: 70}, 3) == []


async def test_reading_several_shards_gives_each_its_limit(store: JournalStore) -> None:
    for shard in range(SHARDS):
        await written(store, *(appending(f"{shard}-{n}", 1, shard=shard) for n in range(shard * 2)))
    found = await store.read_shards({0: 0, 1: 1, 3: 2}, 3)
    by_shard = {shard: [event.offset for event in found if event.shard == shard] for shard in range(SHARDS)}
    assert by_shard == {0: [], 1: [2], 2: [], 3: [3, 4, 5]}
    assert await store.read_shards({}, 3) == []


async def test_reading_nothing_of_nobody(store: JournalStore) -> None:
    await written(store, appending("a", 1))
    assert await store.read_shards({0: 0}, 0) == []
    assert await store.read_entity("a", 1, 0) == []


@pytest.mark.parametrize(
    "key",
    [
        "ключ/日本語/🎫",
        "a'; DROP TABLE booking_event; --",
        "%_\\",
        " ",
        "\n\t",
        "k" * 512,
        "é" * 256,
        "$1",
        "{journal}",
    ],
)
async def test_any_text_can_be_a_key(store: JournalStore, key: str) -> None:
    await written(store, appending(key, 1), appending("other", 1), appending(key, 2))
    assert [event.key for event in await store.read_entity(key, 1, 10)] == [key, key]
    (outcome,) = await append(store, appending(key, 2))
    assert isinstance(outcome, Conflict)
    assert outcome.key == key


async def test_keys_differ_by_case_and_by_form(store: JournalStore) -> None:
    keys = ["key", "KEY", "Key", "e\u0301", "\u00e9", "key ", "ключ"]
    await written(store, *(appending(key, 1) for key in keys))
    for key in keys:
        assert [event.key for event in await store.read_entity(key, 1, 10)] == [key]


@pytest.mark.parametrize("key", ["", "nul\0inside", "k" * 513, "é" * 257, "lone \ud800 surrogate"])
async def test_what_cannot_be_a_key_is_refused_and_harms_nothing(store: JournalStore, key: str) -> None:
    try:
        outcomes = await append(store, appending(key, 1))
    except InvalidName:
        pass
    else:
        assert isinstance(outcomes[0], InvalidName)
    assert await log(store) == []
    await written(store, appending("fine", 1))


async def test_a_large_event(store: JournalStore) -> None:
    payload = bytes(range(256)) * 4096 * 4
    await written(store, appending("a", 1, payload))
    assert (await store.read_entity("a", 1, 1))[0].payload == payload


async def test_a_large_batch(store: JournalStore) -> None:
    batch = [appending(f"k{n}", 1, b"1", b"2", shard=n % SHARDS) for n in range(2_000)]
    outcomes = await written(store, *batch)
    assert [row.head for row in await store.heads()] == [1_000] * SHARDS
    assert outcomes[-1] == Appended((2_000 - 1) % SHARDS, 1_000)
    assert [event.offset for event in await log(store, 1)] == list(range(1, 1_001))


async def test_journals_of_one_database_do_not_mix(database: Database) -> None:
    bookings, tickets = await database.journal("booking", 2), await database.journal("ticket", 3)
    await bookings.claim(0, 1)
    await tickets.claim(0, 4)
    await written(bookings, appending("a", 1, b"booking"))
    await written(tickets, appending("a", 1, b"ticket", epoch=4))
    assert [event.payload for event in await log(bookings)] == [b"booking"]
    assert [event.payload for event in await log(tickets)] == [b"ticket"]
    assert (len(await bookings.heads()), len(await tickets.heads())) == (2, 3)


async def test_a_journal_keeps_what_it_has_when_opened_again(store: JournalStore, open_again: Opener) -> None:
    await written(store, appending("a", 1, b"kept"))
    again = await (await open_again()).journal("booking", SHARDS)
    assert [event.payload for event in await log(again)] == [b"kept"]
    assert await again.heads() == await store.heads()


async def test_programs_with_another_shard_count_are_turned_away(store: JournalStore, open_again: Opener) -> None:
    other = await open_again()
    with pytest.raises(WrongShardCount, match=r"created with 4 shards.*asks for 8") as refused:
        await other.journal("booking", 8)
    assert (refused.value.journal, refused.value.stored, refused.value.asked) == ("booking", 4, 8)
    await written(store, appending("a", 1))


async def test_two_programs_create_one_journal_at_once(open_again: Opener) -> None:
    programs = [await open_again() for _ in range(3)]
    stores = await asyncio.gather(*(program.journal("booking", 16) for program in programs))
    assert [await store.heads() for store in stores] == [[ShardHead(shard, 0, 0) for shard in range(16)]] * 3


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Booking",
        "1st",
        "_booking",
        "book-ing",
        'b"; DROP TABLE x; --',
        "b'",
        "b b",
        "b" * 41,
        "b\n",
        "bøøking",
        "a.b",
    ],
)
async def test_what_cannot_be_a_journals_name_is_refused(database: Database, name: str) -> None:
    with pytest.raises(InvalidName):
        await database.journal(name, 4)
    with pytest.raises((JournalError, LookupError)):
        database.snapshots(name)


@pytest.mark.parametrize("name", ["order", "select", "user", "b" * 40, "table", "a_event"])
async def test_a_word_of_sql_can_be_a_journals_name(database: Database, name: str) -> None:
    store = await database.journal(name, 1)
    await store.claim(0, 1)
    await written(store, appending("a", 1))
    assert len(await log(store)) == 1


async def test_a_journal_has_at_least_one_shard(database: Database) -> None:
    for count in (0, -1):
        with pytest.raises(ValueError, match="shard"):
            await database.journal("booking", count)


async def test_a_cancelled_append_leaves_the_journal_whole(store: JournalStore) -> None:
    """Whether it was written is not known to who cancelled; that it is all or nothing, and that others go on, is."""
    for n in range(20):
        task = asyncio.ensure_future(append(store, appending(f"k{n}", 1, b"1", b"2")))
        for _ in range(n % 4):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await asyncio.wait_for(written(store, appending("last", 1)), 10)
    stored = await log(store)
    assert [event.offset for event in stored] == list(range(1, len(stored) + 1))
    assert stored[-1].key == "last"
    for n in range(20):
        assert len(await store.read_entity(f"k{n}", 1, 10)) in (0, 2)
