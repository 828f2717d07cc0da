"""Programs in processes of their own."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def program(*arguments: object) -> AsyncIterator[Process]:
    """`python -m …` in a process of its own, which does not outlive the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "dev", "-W", "error", "-m", *map(str, arguments), stdout=PIPE, stderr=STDOUT
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
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode().splitlines()
