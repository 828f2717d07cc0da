"""A process that calls: `python -m tests.faults.calling`, a node of weight 0, steered by its standard input.

Each line is a wish: `enough` ends the load, `serve` waits until every shard answers. A line of JSON says when it is so.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import TypeAlias

from aecorpy import AecorError, ClusterNode, JournalError, settle_heap
from aecorpy.demo.permits import PermitApplication
from aecorpy.demo.permits.log import read_log
from aecorpy.errors import ClusterStoreError
from tests.checker.files import Recorder
from tests.cluster.program import die_with_parent, say
from tests.faults.burials import record_members
from tests.faults.callers import BookingLoad, PermitLoad, Teller, until
from tests.faults.concerts import Concert
from tests.faults.hosting import client, status_lines
from tests.faults.setting import BOOKING, PERMITS, Setting, given

AGAIN = 0.3  # seconds between two tries to start
NOT_NOW = 1

Load: TypeAlias = "BookingLoad | PermitLoad"

_log = logging.getLogger(__name__)


async def main(setting: Setting) -> int:
    """Call until somebody asks to stop; the exit code."""
    record_members(setting)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    wishes = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(wishes), sys.stdin)
    try:
        async with client(setting, weight=0.0) as node:
            load = await _new_load(node, setting)
            settle_heap()
            say({"ready": True})
            tasks = [loop.create_task(one) for one in (_steered(load, wishes), stop.wait())]
            if setting.status:
                tasks.append(loop.create_task(status_lines(setting)))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    except (AecorError, JournalError, ClusterStoreError, OSError) as error:
        _log.warning("not now: %r", error)  # the store is away, or our name is still taken: we are started again
        return NOT_NOW
    return 0


async def _new_load(node: ClusterNode, setting: Setting) -> Load:
    if setting.loads == (PERMITS,):
        permits = await node.deploy(PermitApplication)
        teller = Teller(setting.life, Recorder(setting.file(PERMITS)))
        return PermitLoad(permits, teller, read_log(Path(setting.log)), setting.log_seconds)
    concerts = await node.deploy(Concert)
    teller = Teller(setting.life, Recorder(setting.file(BOOKING)))
    return BookingLoad(concerts, teller, setting.seed, setting.per_second)


async def _steered(load: Load, wishes: asyncio.StreamReader) -> None:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(load.run())
        while wish := (await wishes.readline()).strip():
            if wish == b"enough":
                load.enough.set()
                await running
            else:
                await until(load.all_answer, AGAIN)
            say({"done": wish.decode()})
        running.cancel()


if __name__ == "__main__":
    die_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s.%(msecs)03d %(name)s: %(message)s", datefmt="%H:%M:%S")
    sys.exit(asyncio.run(main(given())))
