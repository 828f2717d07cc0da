"""How much memory does a live, idle entity take? `python -m benchmarks.live_entities COUNT` prints bytes per booking.

The journal is a SQLite file, so that its rows are not counted as the entities' memory.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
from pathlib import Path

from aecorpy import ClusterNode, EntityRefs
from aecorpy.demo.booking import Booking, Seat

CALLERS = 256


async def in_own_process(count: int) -> float:
    """Bytes per entity, measured by a fresh interpreter."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.live_entities", str(count), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"benchmarks.live_entities ended with exit code {process.returncode}")
    return float(printed)


async def bytes_per_entity(count: int) -> float:
    """Growth of this process's memory per booking that was placed and is idle now."""
    with tempfile.TemporaryDirectory() as folder:
        async with ClusterNode("memory", journal=f"sqlite:///{folder}/journal.db", idle_seconds=86_400) as node:
            bookings = await node.deploy(Booking)
            await place(bookings, "warm", 2_000)
            before, live = resident_bytes(), node.live_entities(Booking)
            await place(bookings, "booking", count)
            grown = resident_bytes() - before
            if node.live_entities(Booking) - live != count:
                raise RuntimeError("not every booking is live")
            return grown / count


async def place(bookings: EntityRefs[Booking], prefix: str, count: int) -> None:
    """Place `count` bookings of two seats each."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            seats = (Seat("A", 2 * number), Seat("A", 2 * number + 1))
            await bookings(f"{prefix}-{number}").place(f"client-{number}", "concert-1", seats)

    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())


def resident_bytes() -> int:
    """This process's memory, as the system counts it."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    print(asyncio.run(bytes_per_entity(int(sys.argv[1]))))
