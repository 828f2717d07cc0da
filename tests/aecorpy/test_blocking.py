"""The node for scripts."""

from __future__ import annotations

import asyncio
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aecorpy import AecorError, BlockingNode, InvalidDefinition, NodeStopping
from journal.memory import MemoryDatabase
from tests.aecorpy.conftest import NOW
from tests.aecorpy.samples import Counter, Negative
from tests.faulty_store import FaultyDatabase


def threads() -> set[threading.Thread]:
    """Those that run."""
    return set(threading.enumerate())


def test_a_script_calls_and_waits() -> None:
    before = threads()
    with BlockingNode("script") as node:
        counters = node.deploy(Counter)
        assert node.call(counters("a").add(3)) == 3
        assert node.call(counters("a").get()) == 3
        with pytest.raises(Negative):
            node.call(counters("a").add(-5))
        with pytest.raises(InvalidDefinition):
            node.deploy(Counter)
    assert threads() == before


def test_what_a_script_wrote_is_there_for_the_next(tmp_path: Path) -> None:
    pytest.importorskip("journal.sqlite", exc_type=ImportError)
    before = threads()
    for total in (1, 2, 3):
        with BlockingNode("script", journal=f"sqlite:///{tmp_path}/journal.db") as node:
            assert node.call(node.deploy(Counter)("a").add(1)) == total
    assert threads() == before


def test_several_threads_may_call() -> None:
    with BlockingNode("script") as node, ThreadPoolExecutor(8) as pool:
        counters = node.deploy(Counter)
        answers = list(pool.map(lambda _: node.call(counters("a").add(1)), range(100)))
        assert sorted(answers) == list(range(1, 101))


def test_an_error_in_the_block_stops_the_node_all_the_same() -> None:
    before = threads()
    node = BlockingNode("script")
    with pytest.raises(ZeroDivisionError), node:
        node.call(_divides_by_zero())
    assert threads() == before
    with pytest.raises(AecorError):
        node.deploy(Counter)


def test_a_node_that_cannot_start_leaves_no_thread() -> None:
    before = threads()
    with pytest.raises(Exception, match="URL"):
        BlockingNode("script", journal="nonsense:").__enter__()
    assert threads() == before


def test_before_and_after_there_is_nothing_to_call() -> None:
    node = BlockingNode("script")
    with pytest.raises(AecorError, match="needs a running BlockingNode"):
        node.call(asyncio.sleep(0))
    with node:
        node.call(asyncio.sleep(0))
    with pytest.raises(AecorError, match="needs a running BlockingNode"):
        node.call(asyncio.sleep(0))


def test_a_block_within_its_own_block_is_refused() -> None:
    before = threads()
    with BlockingNode("script") as node:
        with pytest.raises(AecorError, match="running already"):
            node.__enter__()
        assert node.call(node.deploy(Counter)("a").add(1)) == 1
    assert threads() == before


def test_its_own_thread_may_not_wait_for_itself() -> None:
    async def call_from_within() -> None:
        node.call(asyncio.sleep(0))

    with BlockingNode("script") as node:
        with pytest.raises(AecorError, match="a thread other than the node's own"):
            node.call(call_from_within())
        assert node.call(node.deploy(Counter)("a").add(1)) == 1


def test_coroutines_may_use_the_node_itself() -> None:
    async def add_twice() -> int:
        counters = await node.node.deploy(Counter)
        await counters("a").add(1)
        return await counters("a").add(1)

    with BlockingNode("script") as node:
        assert node.call(add_twice()) == 2


def test_stand_ins_outlive_their_node_harmlessly() -> None:
    with BlockingNode("script") as node:
        counters = node.deploy(Counter)
    with pytest.raises(NodeStopping):
        asyncio.run(counters("a").add(1))


def test_ctrl_c_while_a_command_is_committed_ends_the_waiting_and_not_the_command() -> None:
    faulty = FaultyDatabase(MemoryDatabase(clock=lambda: NOW))
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    async def interrupt() -> None:
        await gate.reached()
        signal.pthread_kill(main_thread, signal.SIGINT)

    async def release() -> None:
        gate.release()

    with BlockingNode("script", journal=faulty) as node:
        counters = node.deploy(Counter)
        gate = faulty.block("append")

        async def call() -> None:
            await asyncio.gather(interrupt(), counters("a").add(1))

        with pytest.raises(KeyboardInterrupt):
            node.call(call())
        node.call(release())
        assert node.call(counters("a").get()) == 1


async def _divides_by_zero() -> float:
    return 1 / 0
