"""A node's life: start, stop, and what is left afterwards."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aecorpy import ClusterNode, EntityRefs, InvalidDefinition, NodeStopping, OutcomeUnknown, Process, Unavailable
from aecorpy.errors import AecorError, UnsafeSetting
from journal.errors import InvalidUrl
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import numbers, started, turns
from tests.aecorpy.samples import Counter, Saver, Stops
from tests.aecorpy.views import Totals
from tests.faulty_store import FaultyDatabase

Counters = EntityRefs[Counter]


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """After the test there are no more tasks and threads than before."""
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    yield
    await turns(5)
    here = asyncio.current_task()
    assert {task for task in asyncio.all_tasks() - tasks if task is not here and not _fixture(task)} == set()
    assert set(threading.enumerate()) - threads == set()


def _fixture(task: asyncio.Task[object]) -> bool:
    return "pytest_asyncio" in repr(task.get_coro())


@pytest.mark.usefixtures("nothing_left")
async def test_a_node_that_did_nothing_leaves_nothing() -> None:
    async with ClusterNode("test"):
        pass


@pytest.mark.usefixtures("nothing_left")
async def test_a_node_that_worked_leaves_nothing(store_url: str) -> None:
    async with ClusterNode("test", journal=store_url, idle_seconds=0.01) as node:
        counters = await node.deploy(Counter)
        await node.deploy(Saver)
        await asyncio.gather(*[counters(f"k{number}").add(1) for number in range(100)])
        await asyncio.gather(*[counters(f"k{number}").get() for number in range(10)])


async def test_a_node_closes_the_database_that_it_opened_and_no_other(faulty: FaultyDatabase) -> None:
    async with ClusterNode("test", journal=faulty) as node:
        assert node.database is faulty
    assert not faulty.closed
    async with ClusterNode("test") as node:
        own = node.database
    with pytest.raises(Unavailable):
        await own.journal("counter", 4)


async def test_stopping_lets_commands_under_way_finish_and_refuses_new_ones(
    start_node: StartNode, faulty: FaultyDatabase, stops: Stops
) -> None:
    node = await start_node(stop_seconds=5.0)
    counters = await node.deploy(Counter)
    await counters("a").add(1)
    gate = faulty.block("append")
    committing = await started(counters("a").add(1))
    await gate.reached()
    queued = await started(counters("b").add(1))
    running = await started(counters("c").add_after(1, "stop"))
    behind = await started(counters("c").add(1))
    stopping = await started(node.stop())
    with pytest.raises(NodeStopping, match="the node is stopping"):
        await counters("a").add(1)
    with pytest.raises(NodeStopping):
        await counters("new").get()
    with pytest.raises(NodeStopping):
        await node.deploy(Saver)
    assert not stopping.done()
    gate.release()
    stops.let_go("stop")
    assert [await call for call in (committing, queued, running, behind)] == [2, 1, 2, 3]
    await stopping
    assert await numbers(counters, faulty, "c") == [1, 1, 1]


async def test_stopping_does_not_wait_longer_than_it_should(
    start_node: StartNode, faulty: FaultyDatabase, stops: Stops
) -> None:
    node = await start_node(stop_seconds=0.1)
    counters = await node.deploy(Counter)
    await counters("a").add(1)
    gate = faulty.block("append")
    committing = await started(counters("a").add(1))
    await gate.reached()
    queued = await started(counters("b").add(1))
    running = await started(counters("c").add_after(1, "stop"))
    behind = await started(counters("c").add(1))
    async with asyncio.timeout(5):
        await node.stop()
    for call, error in [(committing, OutcomeUnknown), (queued, Unavailable), (behind, Unavailable)]:
        with pytest.raises(error):
            await call
    with pytest.raises((OutcomeUnknown, Unavailable)):
        await running


async def test_the_commands_of_cancelled_callers_are_committed_before_a_node_has_stopped(
    start_node: StartNode, faulty: FaultyDatabase
) -> None:
    node = await start_node()
    counters = await node.deploy(Counter)
    await counters("a").add(1)
    gate = faulty.block("append")
    caller = await started(counters("a").add(1))
    await gate.reached()
    other = await started(counters("a").add(1))
    for task in (caller, other):
        task.cancel()
    stopping = await started(node.stop())
    assert not stopping.done()
    gate.release()
    await stopping
    assert await numbers(counters, faulty, "a") == [1, 1, 1]


async def test_stopping_twice_is_stopping_once(start_node: StartNode) -> None:
    node = await start_node()
    await asyncio.gather(node.stop(), node.stop())
    await node.stop()


async def test_a_node_that_is_cancelled_while_it_stops_still_lets_go(faulty: FaultyDatabase, stops: Stops) -> None:
    node = ClusterNode("test", journal=faulty, stop_seconds=60.0)
    await node.start()
    counters = await node.deploy(Counter)
    running = await started(counters("a").add_after(1, "stop"))
    stopping = await started(node.stop())
    stopping.cancel()
    await asyncio.wait([stopping])
    assert stopping.cancelled()
    with pytest.raises((OutcomeUnknown, Unavailable)):
        await running
    with pytest.raises(AecorError, match="not running"):
        _ = node.database


async def test_a_node_can_be_started_again(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node()
    assert await (await node.deploy(Counter))("a").add(1) == 1
    await node.stop()
    await node.start()
    assert await (await node.deploy(Counter))("a").add(1) == 2


async def test_starting_twice_is_refused_and_harms_nothing(start_node: StartNode) -> None:
    node = await start_node()
    counters = await node.deploy(Counter)
    with pytest.raises(AecorError, match="is running already"):
        await node.start()
    assert await counters("a").add(1) == 1


async def test_a_node_that_is_not_started_says_so() -> None:
    node = ClusterNode("test")
    for call in (node.deploy(Counter), node.distribute("Totals", Totals())):
        with pytest.raises(AecorError, match=r"not running|not deployed"):
            await call
    with pytest.raises(AecorError, match="not running: use it in `async with`"):
        _ = node.database
    await node.stop()


async def test_stand_ins_of_a_stopped_node_say_so(start_node: StartNode) -> None:
    node = await start_node()
    counters = await node.deploy(Counter)
    await node.stop()
    with pytest.raises(NodeStopping):
        await counters("a").add(1)


async def test_stand_ins_know_their_name(counters: Counters) -> None:
    assert repr(counters("a")) == "<Counter 'a'>"
    assert counters.name == "Counter"
    assert counters("a").add.__name__ == "add"
    with pytest.raises(AttributeError):
        _ = counters("a").no_such_command  # type: ignore[attr-defined]


async def test_what_is_given_in_another_shape_is_refused(node: ClusterNode) -> None:
    with pytest.raises(InvalidDefinition, match=r"projection 'Totals' is <class .*: give an instance"):
        await node.distribute("Totals", Totals)  # type: ignore[arg-type]
    with pytest.raises(InvalidDefinition, match=r"deployment 'chores' is to run .*: give a list of processes"):
        await node.processing.start("chores", Process.of("one", asyncio.sleep))  # type: ignore[arg-type]
    with pytest.raises(InvalidDefinition, match=r"deployment 'chores' is to run .*: give a list of processes"):
        await node.processing.start("chores", [asyncio.sleep])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("journal", None),
        ("journal", b"postgresql://someone:secret-word@host/db"),
        ("store", 5),
        ("node", 5),
        ("entities", Counter),
        ("bind", "localhost"),
        ("bind", ("localhost", "80")),
        ("advertise", ("localhost",)),
        ("secret", "x" * 32),
        ("ask_seconds", "5"),
        ("ask_seconds", math.nan),
        ("ask_seconds", 0),
        ("stop_seconds", -1),
        ("idle_seconds", 0),
        ("max_live_entities", 0),
        ("max_waiting_appends", -1),
    ],
)
def test_an_argument_that_cannot_be_is_named_where_it_is_given(name: str, value: Any) -> None:
    with pytest.raises((TypeError, ValueError, UnsafeSetting), match=f"^{name}(:| is )") as caught:
        ClusterNode("test", **{name: value})
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize("name", ["", 5, None, "x" * 256, "\ud800"])
def test_a_cluster_s_name_is_text(name: Any) -> None:
    with pytest.raises(UnsafeSetting, match=r"^cluster: a name of 1 to 255 bytes"):
        ClusterNode(name)


async def test_what_is_not_deployed_cannot_be_asked_about(node: ClusterNode) -> None:
    with pytest.raises(InvalidDefinition, match=f"Counter is not deployed on node {node.node!r} of cluster 'test'"):
        node.live_entities(Counter)
    with pytest.raises(InvalidDefinition, match=f"Counter is not deployed on node {node.node!r} of cluster 'test'"):
        node.journal(Counter)


@pytest.mark.parametrize("url", ["", "mysql://u:secret@h/d", "sqlite", "memory:x", "postgresql:", "file.db"])
async def test_an_unknown_url_is_refused_and_no_password_is_shown(url: str) -> None:
    with pytest.raises((InvalidUrl, Unavailable, ValueError)) as caught:
        await ClusterNode("test", journal=url).start()
    assert "secret" not in str(caught.value)


async def test_a_database_that_is_away_at_the_start_is_named_without_its_password() -> None:
    pytest.importorskip("journal.postgres", exc_type=ImportError)
    node = ClusterNode("test", journal="postgresql://someone:secret-word@127.0.0.1:1/nowhere")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1") as caught:
        await node.start()
    error: BaseException | None = caught.value
    while error is not None:
        assert "secret-word" not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__
    with pytest.raises(AecorError, match="not running"):
        _ = node.database


async def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    pytest.importorskip("journal.sqlite", exc_type=ImportError)
    (tmp_path / "garbage.db").write_bytes(b"this is no database, and it never was one" * 100)
    for path in (tmp_path / "no" / "such" / "folder.db", tmp_path, tmp_path / "garbage.db"):
        with pytest.raises((Unavailable, AecorError), match=path.name):
            await ClusterNode("test", journal=f"sqlite:///{path}").start()
