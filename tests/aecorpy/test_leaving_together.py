"""All nodes of a cluster stop at the same time: nobody is left to take shards, so nobody waits for that."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aecorpy import ClusterNode
from aecorpy.demo.booking import Booking
from sharding.store import open_cluster_store

STOP_SECONDS = 20.0


async def test_nodes_that_leave_together_wait_for_nobody(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    nodes = [
        ClusterNode("tickets", journal=url, node=f"node-{number}", entities=[Booking], stop_seconds=STOP_SECONDS)
        for number in range(3)
    ]
    clock = asyncio.get_running_loop().time
    try:
        for node in nodes:
            await node.start()
    finally:
        began = clock()
        await asyncio.gather(*(node.stop() for node in nodes))
    assert clock() - began < STOP_SECONDS / 2
    store = await open_cluster_store(url, "tickets", create=False)
    assert [one.state for one in (await store.picture()).members if one.state != "down"] == []
    await store.close()
