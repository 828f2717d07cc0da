"""The command `aecorpy` in processes of its own, on modules that tests write."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

LIMIT = 30.0  # seconds

TICKETS = """
from aecorpy import ClusterNode
from aecorpy.demo.booking import Booking


def node(name):
    return ClusterNode("tickets", journal="sqlite:///tickets.db", node=name, entities=[Booking], roles=("web",))


def raises(name):
    raise RuntimeError(f"no luck with\\n{name}")


def number(name):
    return 3


async def coroutine(name):
    return node(name)


def starts_badly(name):
    async def start(started):
        raise ValueError("no luck")

    return ClusterNode("tickets", journal="memory:", node=name, on_start=start)


def open_to_all(name):
    return ClusterNode("tickets", journal="sqlite:///tickets.db", node=name, bind=("0.0.0.0", 0))


def away(name):
    return ClusterNode("tickets", journal="sqlite:////nowhere/tickets.db", node=name)


def other_count(name):
    from aecorpy import Tagging

    Booking.tagging = Tagging.partitioned(8)
    return node(name)


def with_boxes(name, shards=8):
    from thespian.actors import Actor

    class Box(Actor):
        def receiveMessage(self, message, sender):
            self.send(sender, message)

    async def start(started):
        await started.deploy(Box, shards=shards)

    return ClusterNode("tickets", journal="sqlite:///tickets.db", node=name, on_start=start)


def with_other_boxes(name):
    return with_boxes(name, shards=9)


def unstorable(name):
    from aecorpy import command

    class Odd(Booking):
        @command
        async def keep(self, what: object) -> None: ...

    return ClusterNode("tickets", journal="sqlite:///tickets.db", node=name, entities=[Odd])


class Stuck(ClusterNode):
    async def stop(self):
        import asyncio

        await asyncio.Event().wait()


def stuck(name):
    return Stuck("tickets", journal="memory:", node=name)


def busy(name):
    class Busy(ClusterNode):
        async def stop(self):
            while True:  # keeps the loop
                pass

    return Busy("tickets", journal="memory:", node=name)


not_a_function = 7
"""


SLOW = """
import time

print("about to import", flush=True)
time.sleep(60)
"""


def write_modules(folder: Path) -> None:
    """Put `tickets.py`, `broken.py` that cannot be imported, and `slow.py` that takes its time, into a folder."""
    (folder / "slow.py").write_text(SLOW)
    (folder / "tickets.py").write_text(TICKETS)
    (folder / "broken.py").write_text("import not_installed_here\n")


@asynccontextmanager
async def aecorpy(folder: Path, *arguments: object) -> AsyncIterator[Process]:
    """`python -m aecorpy …` in `folder`, which does not outlive the block. What it says is in its `stdout`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", "aecorpy", *map(str, arguments), cwd=folder, stdout=PIPE, stderr=STDOUT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def said(process: Process, part: str) -> str:
    """The next line in which it says `part`."""
    assert process.stdout is not None
    lines = []
    async with asyncio.timeout(LIMIT):
        while part not in (line := (await process.stdout.readline()).decode()):
            lines.append(line)
            assert line, f"it ended without saying {part!r}:\n{''.join(lines)}"
    return line


async def end(process: Process) -> tuple[int, str]:
    """Its exit code, and what it still says."""
    async with asyncio.timeout(LIMIT):
        text = (await process.communicate())[0].decode()
    assert process.returncode is not None
    return process.returncode, text


async def run(folder: Path, *arguments: object) -> tuple[int, str]:
    """Run it to its end: exit code, and what it said."""
    async with aecorpy(folder, *arguments) as process:
        return await end(process)


def processes_in(folder: Path) -> dict[int, list[str]]:
    """The arguments of all processes whose current folder is `folder`, by process id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if os.readlink(entry / "cwd") == str(folder):
                    words = (entry / "cmdline").read_bytes().decode().split("\0")[:-1]
                    if words:  # a process that has ended and is not yet waited for has none
                        found[int(entry.name)] = words
            except OSError:
                continue
    return found


def node_process(folder: Path, name: str) -> int:
    """The process id of the node `name`."""
    (found,) = [pid for pid, words in processes_in(folder).items() if name in words and "node" in words]
    return found


def kill(pid: int) -> None:
    """End a process by SIGKILL."""
    os.kill(pid, signal.SIGKILL)
