"""Processes on nodes of one cluster: exactly one of each, wherever nodes come and go."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from aecorpy import ClusterNode, DeploymentMismatch, Fenced, InvalidDefinition, InvalidName
from aecorpy.management import Management
from aecorpy.management.look import look
from aecorpy.pauses import Retry
from aecorpy.processing.process import HeldProcess, Process, ProcessContext
from aecorpy.processing.wishes import pause, resume
from aecorpy.processing.worker import Patience
from journal.contract import Database
from journal.records import NewNote
from tests.waiting import eventually

NOTES = ("deployment", "control", "process", "action", "view")


class Record:
    """Which instances run, by process and node."""

    def __init__(self) -> None:
        self.running: Tally[tuple[str, str]] = Tally()
        self.most = 0
        self.contexts: list[ProcessContext] = []

    def processes(self, count: int) -> list[Process]:
        """So many that run for ever."""
        return [Process.of(f"job-{number}", self._run) for number in range(count)]

    async def _run(self, context: ProcessContext) -> None:
        self.running[context.name, context.node] += 1
        self.contexts.append(context)
        self.most = max(self.most, sum(n for (name, _), n in self.running.items() if name == context.name))
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.running[context.name, context.node] -= 1

    def where(self) -> dict[str, list[str]]:
        """Where each runs."""
        found: dict[str, list[str]] = {}
        for (name, node), count in sorted(self.running.items()):
            found.setdefault(name, []).extend([node] * count)
        return found

    def spread(self) -> list[int]:
        """How many run on each node, where any does."""
        nodes = [node for found in self.where().values() for node in found]
        return sorted(Tally(nodes).values())


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Any]:
    """Starts nodes of one cluster on a SQLite file."""
    async with AsyncExitStack() as stack:
        count = 0

        async def start(**options: Any) -> ClusterNode:
            nonlocal count
            count += 1
            url = f"sqlite:///{tmp_path}/journal.db"
            return await stack.enter_async_context(ClusterNode("test", journal=url, node=f"node-{count}", **options))

        yield start


async def test_each_process_runs_once_and_moves_when_a_node_comes_or_goes(nodes: Any) -> None:
    record = Record()
    first = await nodes()
    await first.processing.start("jobs", record.processes(4))
    await eventually(lambda: record.spread() == [4])
    second = await nodes()
    await second.processing.start("jobs", record.processes(4))
    await eventually(lambda: record.spread() == [2, 2])
    await first.stop()
    await eventually(lambda: record.spread() == [4])
    assert record.where() == {f"job-{number}": ["node-2"] for number in range(4)}
    assert record.most == 1
    epochs = [context.epoch for context in record.contexts if context.name == "job-0"]
    assert epochs == sorted(set(epochs))


async def test_the_switch_ends_it_on_one_node_and_the_others_take_over(nodes: Any) -> None:
    record = Record()
    first, second = await nodes(), await nodes()
    switches = [await node.processing.start("jobs", record.processes(3)) for node in (first, second)]
    await eventually(lambda: sum(record.spread()) == 3 and len(record.spread()) == 2)
    await switches[0].shutdown()
    assert all(node != "node-1" for found in record.where().values() for node in found)
    await eventually(lambda: record.spread() == [3])
    await switches[1].shutdown()
    assert record.spread() == []
    await first.processing.start("jobs", record.processes(3))
    await eventually(lambda: record.spread() == [3])
    assert record.most == 1


async def test_a_process_of_another_count_is_refused_while_one_runs_and_taken_later(nodes: Any) -> None:
    record = Record()
    first, second = await nodes(), await nodes()
    switch = await first.processing.start("jobs", record.processes(3))
    with pytest.raises(DeploymentMismatch, match=r"3.*5|5.*3"):
        await second.processing.start("jobs", record.processes(5))
    seen = await look(second.database, "jobs")
    assert seen is not None
    assert len(seen.processes) == 3, "what was refused is not what is shown"
    await switch.shutdown()
    await second.processing.start("jobs", record.processes(5))
    await eventually(lambda: record.spread() == [5])


@pytest.mark.parametrize(
    ("names", "message"), [([], "has no process"), (["a", "b", "a"], "two processes are called a")]
)
async def test_what_cannot_be_started(nodes: Any, names: list[str], message: str) -> None:
    async def body(_: ProcessContext) -> None:
        await asyncio.sleep(0)

    node = await nodes()
    with pytest.raises(InvalidDefinition, match=message):
        await node.processing.start("jobs", [Process.of(name, body) for name in names])
    with pytest.raises(InvalidName):
        await node.processing.start("no spaces", [Process.of("a", body)])


async def test_a_deployment_runs_once_on_a_node(nodes: Any) -> None:
    record = Record()
    node = await nodes()
    await node.processing.start("jobs", record.processes(1))
    with pytest.raises(InvalidDefinition, match="'jobs' runs on this node already"):
        await node.processing.start("jobs", record.processes(1))


async def test_states_can_be_seen_from_the_database(nodes: Any) -> None:
    record = Record()
    node = await nodes()
    await node.processing.start("jobs", record.processes(2))

    async def seen() -> bool:
        found = await look(node.database, "jobs")
        return found is not None and found.running

    await eventually(seen)
    found = await look(node.database, "jobs")
    assert found is not None
    assert [process.name for process in found.processes] == ["job-0", "job-1"]
    said = found.processes[1].said
    assert said is not None
    assert (said.node, said.restarts, said.error) == ("node-1", 0, None)
    assert said.epoch > 0


async def test_a_pause_holds_on_all_nodes_and_over_a_full_restart(nodes: Any) -> None:
    record = Record()
    first, second = await nodes(), await nodes()
    for node in (first, second):
        await node.processing.start("jobs", record.processes(4))
    await eventually(lambda: record.spread() == [2, 2])
    await pause(second.database, "jobs", "ann", "maintenance")
    await eventually(lambda: record.spread() == [])
    await first.stop()
    await second.stop()
    third = await nodes()
    await third.processing.start("jobs", record.processes(4))

    async def paused() -> bool:
        found = await look(third.database, "jobs")
        return found is not None and {one.state for one in found.processes} == {"paused"}

    await eventually(paused)
    assert record.spread() == []
    await resume(third.database, "jobs", "ann", "done")
    await eventually(lambda: record.spread() == [4])


async def test_one_process_can_be_paused(nodes: Any) -> None:
    record = Record()
    node = await nodes()
    await node.processing.start("jobs", record.processes(3))
    await eventually(lambda: record.spread() == [3])
    await pause(node.database, "jobs/1", "ann", "")
    await eventually(lambda: record.where() == {"job-0": ["node-1"], "job-1": [], "job-2": ["node-1"]})
    await resume(node.database, "jobs/1", "ann", "")
    await eventually(lambda: record.spread() == [3])


async def test_an_instance_that_was_taken_over_commits_nothing(nodes: Any) -> None:
    record = Record()
    first = await nodes()
    await first.processing.start("jobs", record.processes(1))
    await eventually(lambda: record.contexts)
    old = record.contexts[0]
    async with old.transaction(cursor=5):
        pass
    assert old.cursor == 5
    second = await nodes()
    await second.processing.start("jobs", record.processes(1))
    await first.stop()
    await eventually(lambda: len(record.contexts) == 2 and record.spread() == [1])
    new = record.contexts[1]
    assert new.cursor == 5
    stale = ProcessContext("jobs", "job-0", 0, "node-1", old.epoch, second.database, 5)
    with pytest.raises(Fenced):
        async with stale.transaction(cursor=6):
            pass
    async with new.transaction(cursor=7):
        pass
    assert await _cursor(second.database) == 7


async def _cursor(database: Database) -> int:
    return (await database.offsets.read("jobs"))["job-0"].offset


async def test_a_node_that_stops_waits_for_its_processes_within_their_bound(nodes: Any) -> None:
    ended = asyncio.Event()

    async def body(_: ProcessContext) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0.2)
            ended.set()

    node = await nodes()
    await node.processing.start("jobs", [Process.of("slow", body)], patience=Patience(stop_seconds=2.0))

    async def running() -> bool:
        found = await look(node.database, "jobs")
        return found is not None and found.running

    await eventually(running)
    await node.stop()
    assert ended.is_set()


async def test_a_process_that_wants_to_be_looked_at_is_paused_until_it_is_resumed(nodes: Any) -> None:
    runs = 0

    async def body(_: ProcessContext) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise HeldProcess("look at this")
        await asyncio.get_running_loop().create_future()

    node = await nodes()
    await node.processing.start("jobs", [Process.of("job", body)], patience=Patience(Retry(0.01, 0.01)))

    async def paused() -> bool:
        seen = await look(node.database, "jobs")
        return seen is not None and seen.processes[0].control.paused and seen.processes[0].state == "paused"

    await eventually(paused)
    seen = await look(node.database, "jobs")
    assert seen is not None
    assert seen.processes[0].control.why == "HeldProcess: look at this"
    assert runs == 1
    await resume(node.database, "jobs/0", "a test", "")
    await eventually(lambda: runs == 2)


async def test_unreadable_notes_of_another_deployment_are_no_obstacle(nodes: Any) -> None:
    record = Record()
    node = await nodes()
    unreadable = [NewNote(kind, f"jobs_of_others{rest}", b"\xc1") for kind in NOTES for rest in ("", "/0")]
    await node.database.notes.put(unreadable)
    await node.processing.start("jobs", record.processes(1))
    await eventually(lambda: record.spread() == [1])
    await Management(node.database).pause("jobs", by="a test", wait=5)
    assert record.spread() == []
    seen = await Management(node.database).show("jobs")
    assert seen.state == "paused"


async def test_waiting_for_a_pause_goes_by_nothing_that_was_said_before(nodes: Any) -> None:
    record = Record()
    node = await nodes()
    await node.processing.start("jobs", record.processes(2))
    await eventually(lambda: record.spread() == [2])
    manager = Management(node.database)
    for _ in range(2):
        await manager.pause("jobs", by="a test", wait=5)
        assert record.spread() == []
        await manager.resume("jobs", by="a test")
        await eventually(lambda: record.spread() == [2])
