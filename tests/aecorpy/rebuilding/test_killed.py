"""Nodes are killed during a rebuild, also in the middle of the switch: it goes on, and each event counts once."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from aecorpy.management.rebuilding import rebuild
from aecorpy.projection.generations import read_generations
from journal.contract import Database
from tests.aecorpy.rebuilding.conftest import StartNode
from tests.aecorpy.rebuilding.seeing import rebuild_seen, serves, view_seen
from tests.aecorpy.rebuilding.shops import Load, RebuiltShop, rows
from tests.waiting import eventually


@pytest.fixture
def store_url(postgres_url: str) -> str:
    """Processes share a server."""
    return postgres_url


@pytest.fixture
async def spawn(store_url: str) -> AsyncIterator[Callable[[str], Awaitable[Process]]]:
    """Starts nodes in processes, which end with the test."""
    started: list[Process] = []

    async def spawn(name: str) -> Process:
        program = [sys.executable, "-m", "tests.aecorpy.rebuilding.program", store_url, name]
        process = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE)
        started.append(process)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return process

    yield spawn
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def killed(process: Process) -> None:
    """Kill it."""
    process.send_signal(signal.SIGKILL)
    await process.wait()


@pytest.mark.parametrize("when", ["building", "switching"])
async def test_nodes_are_killed(
    start: StartNode, database: Database, spawn: Callable[[str], Awaitable[Process]], when: str
) -> None:
    first, second = await spawn("first"), await spawn("second")
    caller = await start(weight=0.0, lease_seconds=2.0)
    load = Load([(await caller.deploy(RebuiltShop)).within(30)])
    await load.some(400)
    await rebuild(database, "shops", "a test")

    async def it_is_time() -> bool:
        if when == "building":
            return (await rebuild_seen(database)).handled > 500
        seen = await read_generations(database, "shops")
        return seen is not None and (seen.switching or seen.building is None)

    await eventually(it_is_time, within=20.0, every=0.001)
    await asyncio.gather(killed(first), killed(second))
    if when == "building":
        assert (await view_seen(database)).serving == 1
    await spawn("third")
    await spawn("first")
    await serves(database, 2, within=30.0)
    await load.some(1)
    await load.seen()
    assert await rows(database) == load.expected
