"""Programs in processes of their own."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LIMIT = 45.0  # seconds; a test has 60


@asynccontextmanager
async def program(*arguments: object) -> AsyncIterator[Process]:
    """`python -m …` in a process of its own, which does not outlive the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "faulthandler", "-W", "error", "-m", *map(str, arguments), stdout=PIPE, stderr=STDOUT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run(*arguments: object) -> tuple[int, list[str]]:
    """Run `python -m …` to its end: the exit code, and the lines on the screen."""
    async with program(*arguments) as process:
        lines = await rest(process)
        assert process.returncode is not None
        return process.returncode, lines


async def rest(process: Process) -> list[str]:
    """The lines that a program still says until it ends, none of which is a traceback or a warning of Python's."""
    ended = asyncio.ensure_future(process.communicate())
    await asyncio.wait([ended], timeout=LIMIT)
    hangs = not ended.done()
    if hangs:
        process.send_signal(signal.SIGABRT)  # faulthandler then says where it is
    text = (await ended)[0].decode()
    assert not hangs, f"it does not end within {LIMIT} s:\n{text}"
    for trouble in ("Traceback", "Exception ignored", "Warning:", "was destroyed"):
        assert trouble not in text, text
    return text.splitlines()
