"""A node with the shops and their view in a process of its own: `python -m … URL NODE`; it ends with its input."""

from __future__ import annotations

import asyncio
import sys

from aecorpy import ClusterNode
from tests.aecorpy.rebuilding.shops import Shops, started


async def run(url: str, name: str) -> None:
    """Run until standard input ends."""
    async with ClusterNode("test", journal=url, node=name, lease_seconds=2.0) as node:
        await started(node, Shops())
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:3]))
