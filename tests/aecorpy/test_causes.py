"""A command with a cause appends once, and gets the answer of the first time when it comes again."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from aecorpy import (
    BadPayload,
    Cause,
    ClusterNode,
    CommandFailed,
    EntityRefs,
    JournalError,
    OutcomeUnknown,
    RecoveryFailed,
    Unavailable,
)
from journal.contract import Database
from journal.metadata import Metadata
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import started, stored
from tests.aecorpy.managing import Account, Balance, OverLimit, amounts, caused, metadata_of
from tests.faulty_store import FaultyDatabase, lost_after, lost_before, unavailable
from tests.waiting import eventually

Accounts = EntityRefs[Account]


@pytest.fixture
async def accounts(node: ClusterNode) -> Accounts:
    """Accounts on the node on the faulty memory."""
    return await node.deploy(Account)


async def test_a_repeated_command_appends_nothing_and_gets_its_answer(
    start_node: StartNode, database: Database
) -> None:
    accounts = await (await start_node(database)).deploy(Account)
    assert await caused(accounts, 1)("a").pay(5) == 5
    assert await caused(accounts, 2)("a").pay(7) == 12
    assert await caused(accounts, 2)("a").pay(7) == 12
    assert await caused(accounts, 1)("a").pay(5) == 5, "an older one, too, gets what it got"
    assert await caused(accounts, 1, 2)("a").pay(1) == 13, "older, but never done"
    assert await caused(accounts, 1, 2)("a").pay(1) == 13
    assert await accounts("a").pay(1) == await accounts("a").total() == 14
    assert await amounts(accounts, database, "a") == [5, 7, 1, 1]


async def test_each_manager_and_stream_counts_by_itself(accounts: Accounts, faulty: FaultyDatabase) -> None:
    for _ in range(2):
        await caused(accounts, 9)("a").pay(1)
        await caused(accounts, 9, consumer="Other")("a").pay(2)
        await caused(accounts, 3, tag="counter-1")("a").pay(3)
        await caused(accounts, 9)("b").pay(4)
    assert await amounts(accounts, faulty, "a") == [1, 2, 3]
    assert await amounts(accounts, faulty, "b") == [4]


async def test_every_event_names_its_cause_and_the_first_the_answer(accounts: Accounts, faulty: FaultyDatabase) -> None:
    await accounts("a").pay(1)
    await caused(accounts.because(correlation_id="r"), 7, 2)("a").pay_all((2, 3))
    plain, first, second = await metadata_of(faulty, "a")
    assert plain == Metadata()
    assert second == Metadata(correlation_id="r", cause=Cause("Manager", "counter-0", 7, 2))
    assert first == replace(second, answered=("pay_all", b"\x06"))


@pytest.mark.parametrize("happened", [True, False])
async def test_a_commit_whose_answer_was_lost(accounts: Accounts, faulty: FaultyDatabase, happened: bool) -> None:
    faulty.on("append", lost_after() if happened else lost_before())
    with pytest.raises(OutcomeUnknown):
        await caused(accounts, 1)("a").pay(5)
    assert await caused(accounts, 1)("a").pay(5) == 5
    assert await amounts(accounts, faulty, "a") == [5]


async def test_a_repetition_waits_for_the_commit_of_the_original(accounts: Accounts, faulty: FaultyDatabase) -> None:
    gate = faulty.block("append")
    original = await started(caused(accounts, 1)("a").pay(5))
    await gate.reached()
    behind = await started(caused(accounts, 2)("a").pay(1))
    repeated = [await started(caused(accounts, offset)("a").pay(5)) for offset in (1, 1, 2)]
    other = await started(caused(accounts, 1)("a").set_limit(5))
    assert not any(call.done() for call in (*repeated, other))
    gate.release()
    assert await asyncio.gather(original, behind, *repeated) == [5, 6, 5, 5, 6]
    with pytest.raises(CommandFailed, match="led to 'pay' here before"):
        await other
    assert await amounts(accounts, faulty, "a") == [5, 1]


async def test_a_repetition_fails_with_the_original(accounts: Accounts, faulty: FaultyDatabase) -> None:
    gate = faulty.block("append", unavailable())
    original = await started(caused(accounts, 1)("a").pay(5))
    await gate.reached()
    repeated = await started(caused(accounts, 1)("a").pay(5))
    gate.release()
    results = await asyncio.gather(original, repeated, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable, Unavailable]
    assert await caused(accounts, 1)("a").pay(5) == 5, "its events were not committed, so it is no repetition"
    assert await amounts(accounts, faulty, "a") == [5]


async def test_what_appends_nothing_leaves_no_trace(accounts: Accounts, faulty: FaultyDatabase) -> None:
    await accounts("a").set_limit(5)
    with pytest.raises(OverLimit):
        await caused(accounts, 1)("a").pay(6)
    await accounts("a").set_limit(50)
    assert await caused(accounts, 1)("a").pay(6) == 6
    with pytest.raises(OverLimit):
        await caused(accounts, 2)("a").pay(60)
    assert await amounts(accounts, faulty, "a") == [6]


async def test_another_command_with_the_same_cause_is_refused(accounts: Accounts) -> None:
    await caused(accounts, 1)("a").pay(5)
    with pytest.raises(CommandFailed, match="event Manager/counter-0/1 led to 'pay' here before"):
        await caused(accounts, 1)("a").set_limit(5)
    assert await accounts("a").pay(5) == 10


@pytest.mark.parametrize("events", [1, 3, 4, 5, 9])
async def test_a_new_node_knows_what_was_done(start_node: StartNode, database: Database, events: int) -> None:
    node = await start_node(database)
    accounts = await node.deploy(Account)
    replies = [await caused(accounts, offset)("a").pay(1) for offset in range(1, events + 1)]
    snapshots = node.database.snapshots("account")
    if events >= 4:

        async def kept() -> bool:
            return (await snapshots.get("a")) is not None

        await eventually(kept)
    await node.stop()
    accounts = await (await start_node(database)).deploy(Account)
    assert [await caused(accounts, offset)("a").pay(1) for offset in range(1, events + 1)] == replies
    assert await caused(accounts, events)("a").pay(1) == events
    assert await amounts(accounts, database, "a") == [1] * events


async def test_an_entity_that_left_memory_knows_it(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node(idle_seconds=0.02)
    accounts = await node.deploy(Account)
    await caused(accounts, 1)("a").pay(5)
    await eventually(lambda: node.live_entities(Account) == 0)
    assert await caused(accounts, 1)("a").pay(5) == 5
    assert await amounts(accounts, faulty, "a") == [5]


async def test_snapshots_without_causes_are_as_they_always_were(accounts: Accounts, faulty: FaultyDatabase) -> None:
    await accounts("a").pay_all((1, 2, 3, 4))
    codec = accounts.behaviour.snapshot_codec
    assert codec is not None

    async def kept() -> object:
        return await faulty.snapshots("account").get("a")

    await eventually(kept)
    found = await faulty.snapshots("account").get("a")
    assert found is not None
    assert codec.decode(found.type_name, found.version, found.payload) == Balance(10, notes=("",) * 4)


@pytest.mark.parametrize("damage", [b"\xc1\0\0\0\1\xc1", b"\xc1", b"\xc1\0\0\0\4\x91\x91\xa1a"])
async def test_a_damaged_snapshot_costs_a_longer_recovery(
    start_node: StartNode, faulty: FaultyDatabase, damage: bytes
) -> None:
    node = await start_node()
    accounts = await node.deploy(Account)
    for offset in range(1, 5):
        await caused(accounts, offset)("a").pay(1)
    snapshots = faulty.snapshots("account")

    async def kept() -> object:
        return await snapshots.get("a")

    await eventually(kept)
    await node.stop()
    found = await snapshots.get("a")
    assert found is not None
    await snapshots.delete("a")
    (head,) = [
        row for row in await (await faulty.journal("account", 4)).heads() if row.shard == Account.tagging.shard_of("a")
    ]
    await snapshots.put(head.shard, head.epoch, replace(found, payload=damage + found.payload))
    accounts = await (await start_node()).deploy(Account)
    assert await caused(accounts, 2)("a").pay(1) == 2
    assert await accounts("a").total() == 4


async def test_an_answer_far_back_in_a_long_history_is_found(accounts: Accounts, faulty: FaultyDatabase) -> None:
    replies = [await caused(accounts, offset)("a").pay(1) for offset in range(1, 351)]
    assert [await caused(accounts, offset)("a").pay(1) for offset in (3, 349, 120, 121, 350, 1)] == [
        replies[offset - 1] for offset in (3, 349, 120, 121, 350, 1)
    ]
    assert await caused(accounts, 5, 9)("a").pay(1) == 351
    assert len(await stored(faulty, "a", "account")) == 351


async def test_a_manager_that_begins_anew_reads_little_per_command(accounts: Accounts, faulty: FaultyDatabase) -> None:
    for offset in range(1, 351):
        await caused(accounts, offset)("a").pay(1)
    await caused(accounts, 1)("a").pay(1)
    before = faulty.counts["read_entity"]
    for offset in range(1, 351):
        await caused(accounts, offset)("a").pay(1)
    assert faulty.counts["read_entity"] - before == 350


async def test_looking_back_while_the_store_is_away(accounts: Accounts, faulty: FaultyDatabase) -> None:
    await caused(accounts, 1)("a").pay(1)
    await caused(accounts, 2)("a").pay(1)
    faulty.on("read_entity", unavailable(), lost_before())
    for error in (Unavailable, OutcomeUnknown):
        with pytest.raises(error):
            await caused(accounts, 1)("a").pay(1)
    assert await caused(accounts, 1)("a").pay(1) == 1


async def test_a_commit_that_fails_while_one_looks_back(accounts: Accounts, faulty: FaultyDatabase) -> None:
    await caused(accounts, 1)("a").pay(1)
    appending = faulty.block("append", unavailable())
    failing = await started(caused(accounts, 2)("a").pay(1))
    await appending.reached()
    reading = faulty.block("read_entity")
    repeated = await started(caused(accounts, 1)("a").pay(1))
    await reading.reached()
    appending.release()
    assert isinstance((await asyncio.gather(failing, return_exceptions=True))[0], Unavailable)
    reading.release()
    with pytest.raises(Unavailable):
        await repeated
    assert await caused(accounts, 1)("a").pay(1) == 1
    assert await caused(accounts, 2)("a").pay(1) == 2
    assert await amounts(accounts, faulty, "a") == [1, 1]


async def test_an_answer_too_large_to_keep_is_refused_before_anything_is_appended(
    accounts: Accounts, faulty: FaultyDatabase
) -> None:
    with pytest.raises(BadPayload, match="kept beside its events, at most 16384"):
        await caused(accounts, 1)("a").recite(20_000)
    assert await stored(faulty, "a", "account") == []
    assert await caused(accounts, 1)("a").recite(16_000) == "x" * 16_000
    assert await caused(accounts, 1)("a").recite(16_000) == "x" * 16_000
    assert len(await accounts("a").recite(20_000)) == 20_000


async def test_the_largest_answer_beside_the_most_metadata_can_be_read_again(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    for _ in range(2):
        node = await start_node()
        accounts = await node.deploy(Account)
        much = caused(accounts.because(extra={"x": "y" * 16_000}), 1)
        assert await much("a").recite(16_384 - 3) == "x" * (16_384 - 3)
        await node.stop()
    assert len(await stored(faulty, "a", "account")) == 1


@pytest.mark.parametrize("broken", [b"\x81\xa1e\x01", b"\x81\xa1e\x94\xa1a\xa1b\xa1c\x01", b"\x82\xa1e\x91\x01"])
async def test_a_cause_that_cannot_be_read_stops_the_entity_and_says_where(
    start_node: StartNode, faulty: FaultyDatabase, broken: bytes
) -> None:
    node = await start_node()
    accounts = await node.deploy(Account)
    for offset in (1, 2, 3):
        await caused(accounts, offset)("a").pay(1)
    faulty.corrupt("a", 1, metadata=broken)
    with pytest.raises(JournalError, match="'a'"):
        await caused(accounts, 1)("a").pay(1)
    await node.stop()
    accounts = await (await start_node()).deploy(Account)
    with pytest.raises(RecoveryFailed, match="its event 1: "):
        await accounts("a").total()
