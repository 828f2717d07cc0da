"""Events of counters lead to commands on accounts: each has its effect once, whatever goes wrong in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from aecorpy import (
    Cause,
    ClusterNode,
    Commands,
    EntityEvent,
    EntityRefs,
    Fenced,
)
from aecorpy.errors import AecorError
from aecorpy.management import NotIdempotent
from aecorpy.management.rebuilding import rebuild
from aecorpy.projection.contract import Step
from aecorpy.projection.generations import RebuildRefused
from aecorpy.projection.runner import ProjectionStopped
from journal.contract import Database
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import turns
from tests.aecorpy.managing import Account, OverLimit, amounts, metadata_of
from tests.aecorpy.payments import (
    Aside,
    Payments,
    Stopping,
    begin_anew,
    count,
    deployed,
    in_trouble,
    no_long_pauses,
    over_limit,
)
from tests.aecorpy.running import run_here
from tests.aecorpy.samples import Added, Counter
from tests.aecorpy.views import caught_up
from tests.faulty_store import Fault, FaultyDatabase, lost_after, lost_before, unavailable
from tests.waiting import eventually

__all__ = ["no_long_pauses"]  # a fixture for all of them


async def test_each_event_leads_to_its_command(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    counters, accounts = await deployed(node)
    for key in "uvwxyz":
        await count(counters, 1, 2, 3, key=key, note=key)
    handle = await run_here(node, "Payments", Payments())
    await count(counters, 4, key="z", note="z")
    await caught_up(node, handle)
    assert [await amounts(accounts, database, key) for key in "uvwxyz"] == [[1, 2, 3]] * 5 + [[1, 2, 3, 4]]
    assert handle.status().handled == 19
    assert {tag.error for tag in handle.status().tags} == {None}


async def test_commands_name_the_event_and_share_its_correlation(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, _ = await deployed(node)
    await counters.because(correlation_id="order-7")("c").add_noted(5, "a")
    await caught_up(node, await run_here(node, "Payments", Payments()))
    (metadata,) = await metadata_of(faulty, "a")
    tag = f"counter-{Counter.tagging.shard_of('c')}"
    assert metadata.cause == Cause("Payments", tag, 1, 1)
    assert (metadata.correlation_id, metadata.causation_id) == ("order-7", f"{tag}/1")


@pytest.mark.parametrize("fault", [unavailable, lost_before, lost_after])
async def test_an_effect_whose_outcome_is_unknown_comes_once(
    node: ClusterNode, faulty: FaultyDatabase, fault: Callable[[], Fault]
) -> None:
    counters, accounts = await deployed(node)
    await count(counters, 1, 2, 3)
    faulty.on("append", fault(), fault(), Fault(), fault())
    handle = await run_here(node, "Payments", Stopping())
    await caught_up(node, handle)
    assert await amounts(accounts, faulty, "a") == [1, 2, 3]


@pytest.mark.parametrize("operation", ["commit", "begin", "offsets_read"])
@pytest.mark.parametrize("fault", [unavailable, lost_before, lost_after])
async def test_the_offset_store_fails_now_and_then(
    node: ClusterNode, faulty: FaultyDatabase, fault: Callable[[], Fault], operation: str
) -> None:
    counters, accounts = await deployed(node)
    await count(counters, *range(1, 8))
    faulty.on(operation, Fault(), fault(), fault(), Fault(), fault())
    handle = await run_here(node, "Payments", Stopping())
    await caught_up(node, handle)
    assert await amounts(accounts, faulty, "a") == list(range(1, 8))
    assert handle.status().handled == 7


async def test_a_crash_between_the_commands_and_the_offset(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node()
    counters, accounts = await deployed(node)
    await count(counters, *range(1, 21))
    faulty.on("commit", Fault())  # of reading what was rejected
    gate = faulty.block("commit")
    handle = await run_here(node, "Payments", Payments())
    await gate.reached()
    await handle.stop()
    await node.stop()
    assert len(await amounts(accounts, faulty, "a")) == 20, "all is done, and the offset has not moved"
    node = await start_node()
    counters, accounts = await deployed(node)
    payments = Payments()
    handle = await run_here(node, "Payments", payments)
    await count(counters, 21)
    await caught_up(node, handle)
    assert payments.seen == [("c", number) for number in range(1, 22)], "they all came again"
    assert await amounts(accounts, faulty, "a") == list(range(1, 22))


async def test_a_manager_that_begins_anew_changes_nothing(start_node: StartNode, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    node = await start_node(url)
    counters, accounts = await deployed(node)
    await accounts("a").set_limit(40)
    for key in "pqrs":
        await count(counters, *range(1, 5), key=key)

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        try:
            await commands.to(Account)("a").pay(event.payload.n)
        except OverLimit as no:
            await commands.to(Account)("over").pay(no.by, "over")
        await commands.to(Account)("count").pay(1)

    handle = await run_here(node, "Payments", Payments(pay))
    await caught_up(node, handle)
    await handle.stop()
    before = [await amounts(accounts, node.database, key) for key in ("a", "over", "count")]
    assert before[2] == [1] * 16
    await begin_anew(node.database, "Payments")
    again = Payments(pay)
    handle = await run_here(node, "Payments", again)
    await caught_up(node, handle)
    assert len(again.seen) >= 16
    assert [await amounts(accounts, node.database, key) for key in ("a", "over", "count")] == before


async def test_several_commands_of_one_event_and_a_bug_between_them(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, accounts = await deployed(node)
    await count(counters, 1, 2, 3)
    broken = {2}

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        to = commands.to(Account)
        n = event.payload.n
        paid = await to("a").pay(n)
        await to("b").pay(n)
        assert paid == {1: 1, 2: 13, 3: 36}[n], "the answer of the first time, however often it is asked"
        if n in broken:
            raise ValueError("a bug")
        await to("a").pay(10 * n)
        await to("b").pay_all((100 * n, 100 * n))

    handle = await run_here(node, "Payments", Payments(pay))
    assert await in_trouble(handle) == "ValueError: a bug"
    assert await amounts(accounts, faulty, "a") == [1, 10, 2]
    broken.clear()
    await caught_up(node, handle)
    assert await amounts(accounts, faulty, "a") == [1, 10, 2, 20, 3, 30]
    assert await amounts(accounts, faulty, "b") == [1, 100, 100, 2, 200, 200, 3, 300, 300]


async def test_commands_sent_at_the_same_time(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, accounts = await deployed(node)
    await count(counters, 1, 2)
    failures = [ValueError("a bug")] * 3

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        to = commands.to(Account)
        await asyncio.gather(*[to(key).pay(event.payload.n) for key in "abab"])
        if failures:
            raise failures.pop()

    await caught_up(node, await run_here(node, "Payments", Payments(pay)))
    assert [await amounts(accounts, faulty, key) for key in "ab"] == [[1, 1, 2, 2]] * 2


async def test_two_managers_with_the_same_targets(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, accounts = await deployed(node)
    await count(counters, 1, 2)

    async def pay_more(event: EntityEvent[Added], commands: Commands) -> None:
        await commands.to(Account)("a").pay(event.payload.n * 10)

    for handle in [await run_here(node, "One", Payments()), await run_here(node, "Two", Payments(pay_more))]:
        await caught_up(node, handle)
    assert sorted(await amounts(accounts, faulty, "a")) == [1, 2, 10, 20]


async def test_what_was_handled_before_a_failure_is_committed(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, accounts = await deployed(node)
    await count(counters, *range(1, 11))
    broken = {7}

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        await commands.to(Account)("a").pay(event.payload.n)
        if event.payload.n in broken:
            raise ValueError("a bug")

    payments = Payments(pay)
    handle = await run_here(node, "Payments", payments)
    await in_trouble(handle)
    assert sum(tag.offset for tag in handle.status().tags) == 6
    assert handle.status().handled == 6
    broken.clear()
    await caught_up(node, handle)
    assert [payments.seen.count(("c", number)) for number in (1, 5, 6, 8)] == [1, 1, 1, 1]
    assert handle.status().handled == 10
    assert await amounts(accounts, faulty, "a") == list(range(1, 11))


async def test_an_event_that_is_set_aside(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, accounts = await deployed(node)
    await count(counters, 1, 2, 3)

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        if event.payload.n == 2:
            raise ValueError("a bug")
        await commands.to(Account)("a").pay(event.payload.n)

    await caught_up(node, await run_here(node, "Payments", Aside(pay)))
    (letter,) = await faulty.dead_letters.list("Payments")
    assert (letter.key, letter.seq_nr, letter.error) == ("c", 2, "ValueError: a bug")
    assert await amounts(accounts, faulty, "a") == [1, 3]


async def test_an_event_that_was_set_aside_can_be_handled_later(start_node: StartNode, tmp_path: Path) -> None:
    node = await start_node(f"sqlite:///{tmp_path}/journal.db")
    counters, accounts = await deployed(node)
    await count(counters, 1, 2, 3)
    broken = {2}

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        await commands.to(Account)("a").pay(event.payload.n)
        if event.payload.n in broken:
            raise ValueError("a bug")
        await commands.to(Account)("a").pay(event.payload.n * 10)

    handle = await run_here(node, "Payments", Aside(pay))
    await caught_up(node, handle)
    await handle.stop()
    assert await amounts(accounts, node.database, "a") == [1, 10, 2, 3, 30]
    broken.clear()
    await begin_anew(node.database, "Payments")
    await caught_up(node, await run_here(node, "Payments", Aside(pay)))
    assert await amounts(accounts, node.database, "a") == [1, 10, 2, 3, 30, 20], "older than the newest, but never done"


async def test_a_bug_in_a_command_is_the_policy_s_matter(node: ClusterNode) -> None:
    counters, _ = await deployed(node)
    await count(counters, 1)

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        await commands.to(Counter)("other").fail(1)

    handle = await run_here(node, "Payments", Stopping(pay))
    with pytest.raises(ProjectionStopped, match="CommandFailed"):
        await asyncio.wait_for(handle.watch_termination(), 5)


# --- order, and who runs


async def test_one_tag_is_in_order_and_others_go_on(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, _ = await deployed(node)
    slow, quick = "c", next(k for k in "defghij" if Counter.tagging.shard_of(k) != Counter.tagging.shard_of("c"))
    for key in (slow, quick):
        await count(counters, 1, 2, key=key, note=key)
    gate, done = asyncio.Event(), []

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        if event.entity_key == slow:
            await gate.wait()
        done.append((event.entity_key, event.seq_nr))

    handle = await run_here(node, "Payments", Payments(pay))
    await eventually(lambda: len(done) == 2)
    await turns()
    assert done == [(quick, 1), (quick, 2)]
    gate.set()
    await caught_up(node, handle)
    assert done[2:] == [(slow, 1), (slow, 2)]


async def test_one_that_is_superseded_ends_and_does_no_harm(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, accounts = await deployed(node)
    await accounts("a").set_limit(10)
    await count(counters, 11)
    gate = asyncio.Event()

    async def late(event: EntityEvent[Added], commands: Commands) -> None:
        await gate.wait()
        await over_limit(event, commands)

    old = await run_here(node, "Payments", Payments(late))
    await turns()
    tag = f"counter-{Counter.tagging.shard_of('c')}"
    await faulty.offsets.claim("Payments", [tag], 99)
    gate.set()
    with pytest.raises(Fenced):
        await asyncio.wait_for(old.watch_termination(), 5)
    assert await amounts(accounts, faulty, "over") == [], "a rejection that it could not keep is not acted on"


async def test_one_that_is_stopped_in_the_middle_leaves_nothing_behind(node: ClusterNode) -> None:
    counters, _ = await deployed(node)
    await count(counters, 1)
    begun = asyncio.Event()

    async def wait(event: EntityEvent[Added], commands: Commands) -> None:
        begun.set()
        await asyncio.Event().wait()

    handle = await run_here(node, "Payments", Payments(wait))
    await asyncio.wait_for(begun.wait(), 5)
    await asyncio.wait_for(handle.stop(), 5)


async def test_what_goes_on_behind_the_reaction_sends_nothing(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, accounts = await deployed(node)
    await count(counters, 1)
    kept: list[EntityRefs[Account]] = []

    async def keep(event: EntityEvent[Added], commands: Commands) -> None:
        kept.append(commands.to(Account))

    await caught_up(node, await run_here(node, "Payments", Payments(keep)))
    with pytest.raises(AecorError, match="on_event has ended"):
        await kept[0]("a").pay(1)
    assert await amounts(accounts, faulty, "a") == []


async def test_a_reaction_that_is_cancelled_by_itself_has_failed(node: ClusterNode) -> None:
    counters, _ = await deployed(node)
    await count(counters, 1)

    async def cancelled(event: EntityEvent[Added], commands: Commands) -> None:
        raise asyncio.CancelledError

    handle = await run_here(node, "Payments", Payments(cancelled))
    assert "cancelled by what it awaits" in await in_trouble(handle)


async def test_a_manager_without_a_node_is_told(faulty: FaultyDatabase) -> None:
    with pytest.raises(AecorError, match="Payments is bound to no node"):
        await Payments().handle(faulty, Step("Payments", 1, (), ()))


# --- over the wire


async def test_the_cause_crosses_from_node_to_node(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    async with ClusterNode("test", journal=url, node="caller") as caller, ClusterNode("test", journal=url) as host:
        counters = await caller.deploy(Counter)
        accounts = await host.deploy(Account)
        await caller.deploy(Account, hosts=False)
        await accounts("a").set_limit(10)
        for key in "pqrs":
            await count(counters, *range(1, 4), key=key)

        async def pay(event: EntityEvent[Added], commands: Commands) -> None:
            await over_limit(event, commands)
            assert await commands.to(Account)("count").pay(1) > 0

        handle = await run_here(caller, "Payments", Payments(pay))
        await caught_up(caller, handle)
        await handle.stop()
        keys = ("a", "over", "thanks", "count")
        before = [await amounts(accounts, host.database, key) for key in keys]
        assert [sum(before[0]) <= 10, before[3]] == [True, [1] * 12]
        assert all(metadata.cause is not None for metadata in await metadata_of(host.database, "count"))
        await begin_anew(caller.database, "Payments")
        again = Payments(pay)
        await caught_up(caller, await run_here(caller, "Payments", again))
        assert len(again.seen) >= 12
        assert [await amounts(accounts, host.database, key) for key in keys] == before
        assert (caller.live_entities(Account), host.live_entities(Account) > 0) == (0, True)


async def test_a_dead_letter_that_is_asked_for_is_reacted_to_once(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    node = await start_node(faulty)
    counters, accounts = await deployed(node)
    await count(counters, 1, 2, 3)
    broken = {2}

    async def react(event: EntityEvent[Added], commands: Commands) -> None:
        if event.payload.n in broken:
            raise LookupError("no such account")
        await commands.to(Account)("a").pay(event.payload.n)

    handle = await run_here(node, "Payments", Aside(react))
    await caught_up(node, handle)
    await handle.stop()
    (letter,) = await faulty.dead_letters.list("Payments")
    for gone in (False, True):
        assert await faulty.dead_letters.ask_again("Payments", letter.tag, letter.offset)
        if gone:
            broken.clear()
        handle = await run_here(node, "Payments", Aside(react))
        await count(counters, 4)
        await caught_up(node, handle)
        await handle.stop()
        assert await faulty.dead_letters.asked("Payments", [letter.tag]) == []
        assert len(await faulty.dead_letters.list("Payments")) == (0 if gone else 1)
    assert await amounts(accounts, faulty, "a") == [1, 3, 4, 2, 4]


async def test_it_is_told_apart_from_views_and_cannot_be_rebuilt(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    await node.deploy(Counter)
    await node.distribute("Payments", Payments())
    assert (await node.management.show("Payments")).registration.kind == "process manager"
    with pytest.raises(RebuildRefused, match="is a process manager, which makes no view"):
        await rebuild(database, "Payments", by="ann")
    with pytest.raises(NotIdempotent, match="is a process manager: what its commands append or reject stays as it is"):
        await node.management.replay("Payments", 1, by="ann")
