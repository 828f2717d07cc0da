"""Runs of real nodes under faults: a single node that counts, on a store that goes wrong."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from dataclasses import dataclass, field
from typing import Any

from aecorpy import AecorError, ClusterNode
from journal.errors import JournalError, OutcomeUnknown
from sharding.ports import Ports as ClusterPorts
from sharding.store.memory import MemoryClusterStore
from tests.aecorpy.samples import Counter
from tests.simulation.errors import NodeCrashed
from tests.simulation.faults import Scene, draw_plan
from tests.simulation.ready import Order
from tests.simulation.world import Ports, World

KEYS = ("k1", "k2", "k3")


@dataclass
class Counted:
    """What came of a run.

    Attributes:
        answers: how many commands ended how.
        total: what the counters say at the end.
        digest: of the run.
        pending: tasks left over after the node was stopped.
        plan, lines: what went wrong, and the trace.
    """

    answers: Tally[str] = field(default_factory=Tally)
    total: int = 0
    digest: str = ""
    pending: list[str] = field(default_factory=list)
    plan: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def possible(self) -> range:
        """What the counters may say: each answered command once, each unknown one once or not at all."""
        least = self.answers["ok"]
        return range(least, least + self.answers["unknown"] + 1)


async def boot(ports: Ports) -> tuple[ClusterNode, Any]:
    """Start a node on the world's ports."""
    time = asyncio.get_running_loop().time
    node = ClusterNode(
        "sim",
        journal=ports.database,
        store=MemoryClusterStore("sim", clock=time),
        node=ports.name,
        clock=ports.clock,
        draw=ports.draw,
        bind=(ports.host, 0),
        secret=b"a secret of the simulation",
        ports=ClusterPorts(clock=time, draw=ports.draw, nonce=lambda: bytes(32), network=ports.network),
        ask_seconds=5.0,
    )
    await node.start()
    return node, await node.deploy(Counter)


async def _add(world: World, key: str) -> str:
    if "a" not in world.running:
        return "down"
    _, counters = world.running["a"]

    async def add() -> None:
        await counters(key).add(1)

    try:
        async with asyncio.timeout(10):
            await world.on("a", add())
    except (NodeCrashed, OutcomeUnknown, TimeoutError):
        return "unknown"
    except (AecorError, JournalError):
        return "no"
    return "ok"


async def _load(world: World, counted: Counted, key: str, until: asyncio.Event) -> None:
    draws = world.loop.random(f"load {key}")
    while not until.is_set():
        ended = await _add(world, key)
        world.trace.say(f"{key}: {ended}")
        counted.answers[ended] += 1
        await asyncio.sleep(draws.expovariate(10))


async def _scenario(world: World, counted: Counted, seconds: float) -> None:
    plan = draw_plan(world.loop.random("faults"), Scene(("a",), lease=5.0, seconds=seconds))
    counted.plan = str(plan)
    await world.start()
    enough = asyncio.Event()
    load = [world.loop.create_task(_load(world, counted, key, enough)) for key in KEYS]
    await world.play(plan)
    await asyncio.sleep(15)
    enough.set()
    await asyncio.gather(*load)
    node, counters = world.running["a"]

    async def totals() -> int:
        return sum([await counters(key).get() for key in KEYS])

    counted.total = await world.on("a", totals())
    await world.on("a", node.stop())
    await asyncio.sleep(5)


def counting(seed: int, *, order: Order = Order.ANY, seconds: float = 30.0) -> Counted:
    """Let callers count on one node while its store, its process and its network go wrong."""
    counted = Counted()
    with World(seed, ["a"], boot, order=order) as world:
        world.run(_scenario(world, counted, seconds))
        counted.digest, counted.lines = world.trace.digest, list(world.trace.lines)
        counted.pending = [task.get_name() for tasks in world.loop.pending().values() for task in tasks]
    return counted
