"""What a manager is told by the entities it commands: a rejection stays one, *not now* no failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from aecorpy import (
    ClusterNode,
    Commands,
    EntityEvent,
    OutcomeUnknown,
    Unavailable,
)
from aecorpy.errors import AecorError
from aecorpy.projection.runner import ProjectionStopped
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.managing import Account, OverLimit, Undeclared, amounts
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


async def test_a_rejection_is_caught_by_its_type(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, accounts = await deployed(node)
    await accounts("a").set_limit(10)
    await count(counters, 6, 5, 4)
    await caught_up(node, await run_here(node, "Payments", Payments(over_limit)))
    assert [await amounts(accounts, faulty, key) for key in ("a", "over", "thanks")] == [[6, 4], [1], [6, 4]]


@pytest.mark.parametrize("crash", [True, False])
async def test_an_event_takes_the_same_way_again_even_if_a_command_would_be_accepted_now(
    start_node: StartNode, faulty: FaultyDatabase, crash: bool
) -> None:
    node = await start_node()
    counters, accounts = await deployed(node)
    await accounts("a").set_limit(10)
    await count(counters, 6, 5)
    broken = {5}

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        await over_limit(event, commands)
        if event.payload.n in broken:
            raise ValueError("a bug")

    handle = await run_here(node, "Payments", Payments(pay))
    await in_trouble(handle)
    await accounts("a").set_limit(100)
    if crash:
        await node.stop()
        node = await start_node()
        counters, accounts = await deployed(node)
        handle = await run_here(node, "Payments", Payments(over_limit))
    broken.clear()
    await count(counters, 7)
    await caught_up(node, handle)
    assert [await amounts(accounts, faulty, key) for key in ("a", "over", "thanks")] == [[6, 7], [1], [6, 7]]


@pytest.mark.parametrize("fault", [unavailable, lost_before, lost_after])
async def test_a_rejection_that_cannot_be_kept_is_not_acted_on(
    node: ClusterNode, faulty: FaultyDatabase, fault: Callable[[], Fault]
) -> None:
    counters, accounts = await deployed(node)
    await accounts("a").set_limit(10)
    await count(counters, 11)
    faulty.on("commit", Fault(), fault(), Fault(), fault())
    await caught_up(node, await run_here(node, "Payments", Stopping(over_limit)))
    assert [await amounts(accounts, faulty, key) for key in ("a", "over", "thanks")] == [[], [1], []]


async def test_a_run_begins_when_what_the_former_one_stores_is_stored(
    node: ClusterNode, faulty: FaultyDatabase
) -> None:
    """Otherwise it could be told otherwise, and the run after it meet a rejection that nobody had heard of."""
    counters, accounts = await deployed(node)
    await accounts("a").set_limit(10)
    await count(counters, 11)
    faulty.on("begin", Fault())  # of reading what was rejected
    gate = faulty.block("begin")  # of keeping one more
    stored: list[bool] = []

    def store() -> None:
        stored.append(True)
        gate.release()

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        async def fail() -> None:
            await gate.reached()
            asyncio.get_running_loop().call_later(0.1, store)
            raise ValueError("a bug")

        runs.append(list(stored))
        await asyncio.gather(over_limit(event, commands), *([fail()] if len(runs) == 1 else []))

    runs: list[list[bool]] = []
    handle = await run_here(node, "Payments", Payments(pay))
    await gate.reached()
    await accounts("a").set_limit(100)
    await caught_up(node, handle)
    assert runs == [[], [True]]
    assert [await amounts(accounts, faulty, key) for key in ("a", "over", "thanks")] == [[], [1], []]


async def test_what_was_rejected_once_stays_so_for_a_manager_that_begins_anew(
    start_node: StartNode, tmp_path: Path
) -> None:
    node = await start_node(f"sqlite:///{tmp_path}/journal.db")
    counters, accounts = await deployed(node)
    await accounts("a").set_limit(10)
    await count(counters, 11, 5, 12)
    handle = await run_here(node, "Payments", Payments(over_limit))
    await caught_up(node, handle)
    await handle.stop()
    await accounts("a").set_limit(100)
    await begin_anew(node.database, "Payments")
    await caught_up(node, await run_here(node, "Payments", Stopping(over_limit)))
    keys = ("a", "over", "thanks")
    assert [await amounts(accounts, node.database, key) for key in keys] == [[5], [1, 7], [5]]


async def test_a_kept_rejection_that_cannot_be_read_is_the_policy_s_matter(
    start_node: StartNode, tmp_path: Path
) -> None:
    node = await start_node(f"sqlite:///{tmp_path}/journal.db")
    counters, accounts = await deployed(node)
    await accounts("a").set_limit(10)
    await count(counters, 11)
    handle = await run_here(node, "Payments", Payments(over_limit))
    await caught_up(node, handle)
    await handle.stop()
    async with node.database.transaction() as transaction:
        await transaction.execute("UPDATE process_manager_rejection SET rejections = $1", b"\xc1")
    await begin_anew(node.database, "Payments")
    handle = await run_here(node, "Payments", Payments(over_limit))
    assert "row 'Payments/counter-" in await in_trouble(handle)


async def test_one_that_decides_otherwise_the_second_time_is_told(node: ClusterNode) -> None:
    counters, accounts = await deployed(node)
    await accounts("a").set_limit(10)
    await count(counters, 11)
    orders = [["pay", "set_limit"], ["set_limit", "pay"]]

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        to, order = commands.to(Account), orders.pop(0)
        for command in order:
            with suppress(OverLimit):
                await (to("a").pay(11) if command == "pay" else to("a").set_limit(20))
        raise ValueError("a bug")

    handle = await run_here(node, "Payments", Stopping(pay))
    with pytest.raises(ProjectionStopped, match="led to 'pay' here before: what reacts to an event must do the same"):
        await asyncio.wait_for(handle.watch_termination(), 5)


async def test_a_rejection_that_is_not_declared(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, _ = await deployed(node)
    await count(counters, 1)

    async def refuse(event: EntityEvent[Added], commands: Commands) -> None:
        with suppress(Undeclared, AecorError):
            await commands.to(Account)("a").refuse()

    await caught_up(node, await run_here(node, "Payments", Aside(refuse)))
    (letter,) = await faulty.dead_letters.list("Payments")
    assert "declare it in Account.rejections" in letter.error


# --- not now


async def test_not_now_is_no_failure_of_the_event(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, accounts = await deployed(node)
    await count(counters, 1, 2, 3)
    faulty.always("append", unavailable())
    payments = Stopping()
    handle = await run_here(node, "Payments", payments)
    await eventually(lambda: payments.seen.count(("c", 1)) > 5)
    assert handle.status().running
    faulty.heal()
    await caught_up(node, handle)
    assert await amounts(accounts, faulty, "a") == [1, 2, 3]


async def test_not_now_is_tried_again_even_if_it_was_caught(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, accounts = await deployed(node)
    await count(counters, 1)
    heard: list[type[Exception]] = []

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        for key in ("a", "b"):
            try:
                await commands.to(Account)(key).pay(event.payload.n)
            except (Unavailable, OutcomeUnknown) as error:
                heard.append(type(error))

    faulty.on("append", unavailable(), lost_after())
    await caught_up(node, await run_here(node, "Payments", Stopping(pay)))
    assert heard == [Unavailable, Unavailable, OutcomeUnknown, OutcomeUnknown], "the second command is not sent"
    assert [await amounts(accounts, faulty, key) for key in "ab"] == [[1], [1]]


async def test_a_target_without_a_host_is_waited_for(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node(ask_seconds=0.02)
    counters = await node.deploy(Counter)
    await node.deploy(Account, hosts=False)
    await count(counters.within(5.0), 1)
    payments = Stopping()
    handle = await run_here(node, "Payments", payments)
    await eventually(lambda: len(payments.seen) > 2)
    await handle.stop()


async def test_a_target_that_is_not_deployed_is_told(node: ClusterNode) -> None:
    counters = await node.deploy(Counter)
    await count(counters, 1)
    handle = await run_here(node, "Payments", Payments())
    assert "Account is not deployed on node" in await in_trouble(handle)
    await node.deploy(Account)
    await caught_up(node, handle)


async def test_queries_are_no_part_of_the_count(node: ClusterNode, faulty: FaultyDatabase) -> None:
    counters, accounts = await deployed(node)
    await count(counters, 1)
    failures = [ValueError("a bug")] * 2

    async def pay(event: EntityEvent[Added], commands: Commands) -> None:
        to = commands.to(Account)
        if failures:
            assert await to("a").total() == (0 if len(failures) == 2 else 1)
        await to("a").pay(1)
        if failures:
            raise failures.pop()

    await caught_up(node, await run_here(node, "Payments", Payments(pay)))
    assert await amounts(accounts, faulty, "a") == [1]
