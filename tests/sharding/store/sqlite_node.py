"""A process of its own that works on a cluster's file until it is killed, or for some rounds. Run by the tests.

    python -m tests.sharding.store.sqlite_node PATH NODE ROUNDS

It joins, and in each round takes the term (evidence or not) and allocates all shards under the next epoch; every answer
is printed: `term N`, `epoch N`, `over` when another process had taken the term meanwhile.
"""

from __future__ import annotations

import asyncio
import sys

from sharding.store.errors import EpochNotNewer, TermOver
from sharding.store.records import Allocation, Deployment, Seat
from sharding.store.sqlite import SqliteClusterStore

SHARDS = 20
BOOKING = Deployment("Booking", "entity", SHARDS)


async def one_round(store: SqliteClusterStore, incarnation: int) -> None:
    """Take the term, allocate, say what came of it."""
    term = await store.take_term(incarnation, (await store.renew(incarnation, 60)).term, evidence=True)
    if term is None:
        return
    print("term", term, flush=True)
    epoch = 1 + max((one.epoch for one in await store.allocations("Booking")), default=0)
    try:
        await store.allocate(term, "Booking", [Allocation(shard, incarnation, epoch) for shard in range(SHARDS)])
    except (TermOver, EpochNotNewer):
        print("over", flush=True)
    else:
        print("epoch", epoch, flush=True)


async def main(path: str, node: str, rounds: int) -> None:
    """Join, work, leave."""
    store = await SqliteClusterStore.open(path, "tickets", busy_timeout=20)
    incarnation = (await store.join(Seat(node, "127.0.0.1", 7000), 60)).incarnation
    await store.deploy(BOOKING, host=incarnation)
    for _ in range(rounds):
        await one_round(store, incarnation)
    await store.leave(incarnation)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
