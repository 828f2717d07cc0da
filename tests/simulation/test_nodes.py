"""Nodes as units of failure: frozen, thawed, crashed, started again."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterator

import pytest

from tests.simulation.errors import Deadlock, NodeCrashed
from tests.simulation.loop import SimLoop
from tests.simulation.nodes import Node, current_node
from tests.simulation.ready import Order


@pytest.fixture(params=list(Order), ids=lambda order: order.name)
def loop(request: pytest.FixtureRequest) -> Iterator[SimLoop]:
    """A loop with nodes a and b."""
    loop = SimLoop(3, order=request.param)
    loop.boot("a")
    loop.boot("b")
    yield loop
    loop.close()


async def _ticks(into: list[float], seconds: float = 1.0) -> None:
    """Note the time every so often."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(seconds)
        into.append(round(loop.time(), 3))


def test_what_a_node_starts_belongs_to_it(loop: SimLoop) -> None:
    seen: list[str] = []

    def note() -> None:
        seen.append(str(current_node()))

    async def main() -> None:
        note()
        inner = asyncio.create_task(asyncio.sleep(0))
        inner.add_done_callback(lambda _: note())
        asyncio.get_running_loop().call_later(1, note)
        await asyncio.sleep(2)

    loop.run_until_complete(loop.call("a", main()))
    assert seen == ["a", "a", "a"]
    assert current_node() is None


def test_a_future_set_by_another_node_wakes_its_waiter_on_its_own(loop: SimLoop) -> None:
    async def main() -> None:
        future: asyncio.Future[None] = loop.create_future()
        woken: list[str] = []

        async def wait() -> None:
            await future
            woken.append(str(current_node()))

        async def wake() -> None:
            future.set_result(None)

        waiting = loop.start("a", wait())
        await loop.call("b", wake())
        await waiting
        assert woken == ["a"]

    loop.run_until_complete(main())


def test_a_frozen_node_does_nothing_while_time_and_others_go_on(loop: SimLoop) -> None:
    async def main() -> None:
        a: list[float] = []
        b: list[float] = []
        loop.start("a", _ticks(a))
        loop.start("b", _ticks(b))
        await asyncio.sleep(2.5)
        loop.freeze("a")
        await asyncio.sleep(5)
        assert a == [1, 2]
        assert b == [1, 2, 3, 4, 5, 6, 7]
        loop.thaw("a")
        await asyncio.sleep(2)
        assert a == [1, 2, 7.5, 8.5]  # the timer that came due meanwhile fires at once

    loop.run_until_complete(main())


def test_what_was_ready_when_a_node_was_frozen_runs_after_the_thaw(loop: SimLoop) -> None:
    async def main() -> None:
        ran: list[str] = []
        context = loop.context(loop.node("a"))
        loop.call_soon(ran.append, "before", context=context)
        loop.freeze("a")
        loop.call_soon(ran.append, "meanwhile", context=context)
        await asyncio.sleep(10)
        assert ran == []
        loop.thaw("a")
        await asyncio.sleep(1)
        assert sorted(ran) == ["before", "meanwhile"]

    loop.run_until_complete(main())


def test_a_deadlock_names_the_frozen_node(loop: SimLoop) -> None:
    task = loop.start("a", asyncio.sleep(1))
    loop.freeze("a")
    with pytest.raises(Deadlock, match="<a frozen>: "):
        loop.run_until_complete(asyncio.shield(task))


def test_a_node_may_freeze_and_crash_itself(loop: SimLoop) -> None:
    ran: list[str] = []

    async def freezes() -> None:
        loop.freeze("a")
        ran.append("to the end of the step")
        await asyncio.sleep(0)
        loop.crash("a")
        ran.append("to the end of this one, too")
        await asyncio.sleep(0)
        ran.append("never")

    async def main() -> None:
        loop.start("a", freezes())
        await asyncio.sleep(1)
        assert ran == ["to the end of the step"]
        loop.thaw("a")
        await asyncio.sleep(1)
        assert ran == ["to the end of the step", "to the end of this one, too"]

    loop.run_until_complete(main())


def test_a_crashed_node_runs_nothing_more_not_even_finally(loop: SimLoop, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []

    async def work() -> None:
        try:
            try:
                await asyncio.sleep(1)
            finally:
                ran.append("finally")
                await asyncio.sleep(1)
        except asyncio.CancelledError:
            ran.append("cancelled")

    async def main() -> None:
        loop.start("a", work())
        loop.start("a", _ticks([]))
        await asyncio.sleep(0.5)
        loop.crash("a")
        loop.start("b", asyncio.sleep(0))
        await asyncio.sleep(10)
        gc.collect()
        assert ran == []
        assert list(loop.pending()) == ["<world>"]

    with caplog.at_level(logging.DEBUG, "asyncio"):
        loop.run_until_complete(main())
        loop.close()
        gc.collect()
    assert not caplog.records
    assert not loop.reported


def test_tasks_that_never_took_a_step_and_failed_futures_go_without_noise(loop: SimLoop) -> None:
    async def main() -> None:
        failed = loop.start("a", _fails())
        await asyncio.sleep(1)
        loop.start("a", asyncio.sleep(1))
        loop.crash("a")
        del failed
        await asyncio.sleep(1)

    async def _fails() -> None:
        raise ValueError("nobody asks")

    loop.run_until_complete(main())
    loop.close()
    gc.collect()
    assert [line for line in loop.reported if "nobody asks" not in line] == []


def test_callers_hear_of_a_crash(loop: SimLoop) -> None:
    async def main() -> None:
        call = loop.create_task(loop.call("a", asyncio.sleep(100)))
        await asyncio.sleep(1)
        loop.crash("a")
        with pytest.raises(NodeCrashed, match="a crashed"):
            await call
        with pytest.raises(ValueError, match="has crashed"):
            loop.freeze("a")

    loop.run_until_complete(main())


def test_callers_get_results_and_errors_and_may_cancel(loop: SimLoop) -> None:
    async def fails() -> None:
        raise ValueError("a bug")

    async def main() -> None:
        assert await loop.call("a", asyncio.sleep(1, "slept")) == "slept"
        with pytest.raises(ValueError, match="a bug"):
            await loop.call("a", fails())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.call("a", asyncio.sleep(100)), 1)
        await asyncio.sleep(1)
        assert list(loop.pending()) == ["<world>"]

    loop.run_until_complete(main())


def test_a_new_life_has_nothing_of_the_old_one(loop: SimLoop) -> None:
    crashed: list[Node] = []
    loop.on_crash(crashed.append)

    async def main() -> None:
        old: list[float] = []
        new: list[float] = []
        loop.start("a", _ticks(old))
        await asyncio.sleep(1.5)
        with pytest.raises(ValueError, match="runs already"):
            loop.boot("a")
        loop.crash("a")
        assert str(loop.boot("a")) == "a/2"
        loop.start("a", _ticks(new))
        await asyncio.sleep(2.5)
        assert (old, new) == ([1], [2.5, 3.5])

    loop.run_until_complete(main())
    assert [str(node) for node in crashed] == ["a"]


def test_a_crash_while_frozen(loop: SimLoop) -> None:
    async def main() -> None:
        ticks: list[float] = []
        loop.start("a", _ticks(ticks))
        await asyncio.sleep(1.5)
        loop.freeze("a")
        await asyncio.sleep(5)
        loop.crash("a")
        loop.thaw("a")
        await asyncio.sleep(5)
        assert ticks == [1]

    loop.run_until_complete(main())


def test_pending_tasks_are_listed_by_node(loop: SimLoop) -> None:
    async def main() -> None:
        loop.start("b", asyncio.sleep(1))
        loop.start("a", asyncio.sleep(1))
        await asyncio.sleep(0.1)
        assert list(loop.pending()) == ["<world>", "<a>", "<b>"]
        await asyncio.sleep(1)
        assert list(loop.pending()) == ["<world>"]

    loop.run_until_complete(main())
