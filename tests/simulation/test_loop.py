"""The event loop on virtual time: what asyncio promises holds, and what is random comes from the seed."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any

import pytest

from tests.simulation.errors import Deadlock, LimitReached
from tests.simulation.loop import SimLoop
from tests.simulation.nodes import Clock
from tests.simulation.ready import Order

SEEDS = range(20)


@pytest.fixture(params=list(Order), ids=lambda order: order.name)
def order(request: pytest.FixtureRequest) -> Order:
    """Both orders."""
    chosen: Order = request.param
    return chosen


@pytest.fixture
def loops(order: Order) -> Iterator[Callable[[], Iterator[SimLoop]]]:
    """Loops of several seeds, closed after the test."""
    made: list[SimLoop] = []

    def make() -> Iterator[SimLoop]:
        for seed in SEEDS:
            made.append(SimLoop(seed, order=order, max_steps=10_000))
            yield made[-1]

    yield make
    for loop in made:
        loop.close()


Loops = Callable[[], Iterator[SimLoop]]


def test_time_jumps_to_the_next_timer() -> None:
    loop = SimLoop(1, max_time=10_000_000)
    before = time.perf_counter()
    loop.run_until_complete(asyncio.sleep(1_000_000))
    assert loop.time() == pytest.approx(1_000_000, abs=0.001)
    assert time.perf_counter() - before < 5
    loop.close()


async def _shuffled() -> list[int]:
    ran: list[int] = []
    loop = asyncio.get_running_loop()
    for number in range(6):
        loop.call_soon(ran.append, number)
    await asyncio.sleep(1)
    return ran


def test_the_seed_chooses_the_order_of_what_is_ready() -> None:
    def ran(seed: int, order: Order = Order.ANY) -> tuple[int, ...]:
        loop = SimLoop(seed, order=order)
        try:
            return tuple(loop.run_until_complete(_shuffled()))
        finally:
            loop.close()

    assert [ran(seed) for seed in SEEDS] == [ran(seed) for seed in SEEDS]
    assert len({ran(seed) for seed in SEEDS}) > 10
    assert {ran(seed, Order.BY_NODE) for seed in SEEDS} == {(0, 1, 2, 3, 4, 5)}


def test_by_node_keeps_the_order_of_a_node_and_mixes_nodes() -> None:
    def ran(seed: int) -> tuple[str, ...]:
        loop = SimLoop(seed, order=Order.BY_NODE)
        done: list[str] = []
        for name in "ab":
            context = loop.context(loop.boot(name))
            for number in range(3):
                loop.call_soon(done.append, f"{name}{number}", context=context)
        loop.run_until_complete(asyncio.sleep(1))
        loop.close()
        return tuple(done)

    seen = {ran(seed) for seed in SEEDS}
    assert len(seen) > 5
    for one in seen:
        assert [step for step in one if step[0] == "a"] == ["a0", "a1", "a2"]
        assert [step for step in one if step[0] == "b"] == ["b0", "b1", "b2"]


def test_a_draw_from_one_stream_leaves_the_others_alone() -> None:
    one, other = SimLoop(7), SimLoop(7)
    one.random("faults").random()
    assert one.random("load").random() == other.random("load").random()
    assert one.random("faults").random() != other.random("faults").random()
    one.close()
    other.close()


def test_a_deadlock_says_who_waits_where() -> None:
    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    loop = SimLoop(42)
    loop.boot("a")
    task = loop.start("a", waits_for_ever())
    with pytest.raises(Deadlock, match=r"seed 42(.|\n)*<a>: a-\d+ in Event.wait \(locks.py:\d+\)"):
        loop.run_until_complete(asyncio.shield(task))
    loop.close()


@pytest.mark.parametrize(("pause", "limit"), [(0, "2000 steps"), (1, r"50\.\d+ s")])
def test_a_run_without_end_is_ended(pause: float, limit: str) -> None:
    async def forever() -> None:
        for _ in itertools.count():
            await asyncio.sleep(pause)

    loop = SimLoop(42, max_time=50, max_steps=2_000)
    with pytest.raises(LimitReached, match=f"seed 42: {limit}"):
        loop.run_until_complete(forever())
    loop.close()


async def test_there_are_no_threads_and_no_sockets() -> None:
    async def threads() -> None:
        await asyncio.to_thread(time.sleep, 0)

    async def sockets() -> None:
        await asyncio.open_connection("localhost", 1)

    for forbidden in (threads, sockets):
        loop = SimLoop(1)
        with pytest.raises(NotImplementedError):
            await _elsewhere(loop, forbidden())
        loop.close()
    with pytest.raises(NotImplementedError):
        loop.call_soon_threadsafe(print)


async def _elsewhere(loop: SimLoop, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run in the simulation from within a test that runs on a real loop."""
    real = asyncio.get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        asyncio._set_running_loop(real)


def test_what_callbacks_raise_is_reported() -> None:
    def fails() -> None:
        raise ValueError("a bug")

    loop = SimLoop(1)
    loop.call_soon(fails)
    loop.run_until_complete(asyncio.sleep(1))
    assert len(loop.reported) == 1
    assert "a bug" in loop.reported[0]
    loop.close()


def test_an_abandoned_generator_is_closed() -> None:
    closed: list[float] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(1)
            closed.append(asyncio.get_running_loop().time())

    async def first() -> int:
        async for number in numbers():
            return number
        return 0

    async def main() -> None:
        assert await first() == 1
        await asyncio.sleep(5)

    loop = SimLoop(1)
    loop.run_until_complete(main())
    assert closed == [pytest.approx(1, abs=0.001)]
    loop.close()


def test_many_cancelled_timers_are_forgotten() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(20_000):
            loop.call_later(1_000, print).cancel()

    loop = SimLoop(1)
    loop.run_until_complete(main())
    assert len(loop._timers) < 5_000
    loop.run_until_complete(asyncio.sleep(1))
    loop.close()


def test_each_node_has_a_clock_of_its_own() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(100)
        return before, loop.time()

    loop = SimLoop(1)
    loop.boot("fast", Clock(rate=1.25, start=1_000_000.0))
    before, after = loop.run_until_complete(loop.call("fast", main()))
    assert before == pytest.approx(1_000_000)
    assert after - before == pytest.approx(100, abs=0.001)
    assert loop.now == pytest.approx(80, abs=0.001)
    assert loop.node_time("fast") == pytest.approx(after, abs=0.001)
    loop.close()


def _tell_time(reached: asyncio.Future[float]) -> None:
    reached.set_result(reached.get_loop().time())


@pytest.mark.parametrize("start", [0.0, 0.1, 12_345.678, 98_765_432.1])
def test_a_timer_never_fires_before_its_own_clock_says_so(start: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for step in range(1, 200):
            deadline = loop.time() + step / 7
            reached: asyncio.Future[float] = loop.create_future()
            loop.call_at(deadline, _tell_time, reached)
            assert await reached >= deadline

    loop = SimLoop(1, step_seconds=0.0, max_time=100_000)
    loop.boot("a", Clock(rate=1.000_37, start=start))
    loop.run_until_complete(loop.call("a", main()))
    loop.close()


# ---- asyncio's own, in every order


def test_locks_let_one_in_and_everyone_in(loops: Loops) -> None:
    async def main() -> None:
        lock, inside, entered = asyncio.Lock(), 0, 0

        async def enter() -> None:
            nonlocal inside, entered
            async with lock:
                inside += 1
                entered += 1
                assert inside == 1
                await asyncio.sleep(0.1)
                inside -= 1

        await asyncio.gather(*(enter() for _ in range(10)))
        assert entered == 10

    for loop in loops():
        loop.run_until_complete(main())


def test_queues_keep_the_order_and_the_bound(loops: Loops) -> None:
    async def main() -> None:
        queue: asyncio.Queue[tuple[int, int]] = asyncio.Queue(3)
        got: list[tuple[int, int]] = []

        async def put(who: int) -> None:
            for number in range(5):
                await queue.put((who, number))
                assert queue.qsize() <= 3

        async def get() -> None:
            while True:
                got.append(await queue.get())
                queue.task_done()

        taker = asyncio.create_task(get())
        async with asyncio.TaskGroup() as group:
            for who in range(3):
                group.create_task(put(who))
        await queue.join()
        taker.cancel()
        for who in range(3):
            assert [number for one, number in got if one == who] == [0, 1, 2, 3, 4]

    for loop in loops():
        loop.run_until_complete(main())


def test_events_conditions_and_semaphores(loops: Loops) -> None:
    async def main() -> None:
        event, condition, semaphore = asyncio.Event(), asyncio.Condition(), asyncio.Semaphore(2)
        passed: list[int] = []
        inside = 0

        async def waiter(number: int) -> None:
            nonlocal inside
            await event.wait()
            async with semaphore:
                inside += 1
                assert inside <= 2
                await asyncio.sleep(0.01)
                inside -= 1
            async with condition:
                await condition.wait_for(lambda: len(passed) == number)
                passed.append(number)
                condition.notify_all()

        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(waiter(number))
            await asyncio.sleep(1)
            assert not passed
            event.set()
        assert passed == [0, 1, 2, 3, 4, 5]

    for loop in loops():
        loop.run_until_complete(main())


def test_timeouts_and_wait_for(loops: Loops) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        assert loop.time() - begin == pytest.approx(10, abs=0.001)
        assert await asyncio.wait_for(asyncio.sleep(1, "done"), 5) == "done"
        async with asyncio.timeout(5):
            await asyncio.sleep(1)
        done, pending = await asyncio.wait([loop.create_task(asyncio.sleep(n)) for n in (1, 9)], timeout=2)
        assert (len(done), len(pending)) == (1, 1)

    for loop in loops():
        loop.run_until_complete(main())


def test_groups_and_gather_cancel_the_rest(loops: Loops) -> None:
    async def main() -> None:
        ended: list[str] = []

        async def forever(name: str) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name)

        async def fails() -> None:
            await asyncio.sleep(1)
            raise ValueError("a bug")

        async def group() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(forever("group"))
                tasks.create_task(fails())

        with pytest.raises(ExceptionGroup):
            await group()
        assert ended == ["group"]
        results = await asyncio.gather(fails(), asyncio.sleep(2, "slept"), return_exceptions=True)
        assert isinstance(results[0], ValueError)
        assert results[1] == "slept"
        shielded = asyncio.create_task(forever("shielded"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(shielded), 1)
        assert not shielded.done()
        shielded.cancel()
        with pytest.raises(asyncio.CancelledError):
            await shielded
        assert ended == ["group", "shielded"]

    for loop in loops():
        loop.run_until_complete(main())
        assert not loop.reported
        assert not loop.pending()


def test_streams_work_on_the_loops_futures(loops: Loops) -> None:
    async def main() -> list[bytes]:
        reader = asyncio.StreamReader()

        async def feed() -> None:
            for piece in (b"on", b"e\ntw", b"o\n"):
                await asyncio.sleep(1)
                reader.feed_data(piece)
            reader.feed_eof()

        async with asyncio.TaskGroup() as group:
            group.create_task(feed())
            return [line async for line in reader]

    for loop in loops():
        assert loop.run_until_complete(main()) == [b"one\n", b"two\n"]
