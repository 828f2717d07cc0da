"""What happens to clusters: faults of all kinds and then none, and moves in order."""

from __future__ import annotations

import asyncio

from tests.simulation.cluster_check import broken, refused
from tests.simulation.clusters import LEASE, ClusterRun, History
from tests.simulation.faults import Plan, Scene, draw_plan
from tests.simulation.ready import Order
from tests.simulation.world import World


async def under_faults(run: ClusterRun, world: World, *, seconds: float = 40.0, plan: Plan | None = None) -> None:
    """Faults of all kinds, then everything heals: every key answers everywhere, and the nodes stop in order."""
    if plan is None:
        plan = draw_plan(world.loop.random("faults"), Scene(run.first, lease=LEASE, seconds=seconds))
    await world.start(*run.first)
    load = [world.loop.create_task(run.load(world, caller)) for caller in range(1, 5)]
    await world.play(plan)
    await run.until_healthy(world)
    run.enough = True
    await asyncio.gather(*load)
    await run.stop_all(world)


async def planned_moves(run: ClusterRun, world: World) -> None:
    """Nodes join and leave in order while commands flow; nothing else happens."""
    draws = world.loop.random("moves")
    await world.start(*run.first)
    load = [world.loop.create_task(run.load(world, caller, pace=40.0)) for caller in range(1, 5)]
    for _ in range(4):
        await asyncio.sleep(draws.uniform(0.2, 2.0))
        down = [name for name in run.names if name not in world.running]
        if down and (len(world.running) < 2 or draws.random() < 0.5):
            await world.start(draws.choice(down))
        else:
            name = draws.choice(sorted(world.running))
            running = world.running.pop(name)
            await world.on(name, running.node.stop())
            await asyncio.sleep(1)
            world.crash(name)
    await asyncio.sleep(2)
    run.enough = True
    await asyncio.gather(*load)
    await run.stop_all(world)


def faulty(seed: int, *, order: Order = Order.ANY, plan: Plan | None = None) -> tuple[History, list[str]]:
    """Play `under_faults`; what happened, and which promises were broken."""

    async def scenario(run: ClusterRun, world: World) -> None:
        await under_faults(run, world, plan=plan)

    history = ClusterRun(seed).run(scenario, order=order)
    return history, broken(history) + [f"left over: {task}" for task in history.pending]


def moving(seed: int, *, order: Order = Order.ANY) -> tuple[History, list[str]]:
    """Play `planned_moves`; what happened, and which promises were broken."""
    history = ClusterRun(seed, ("a", "b"), ("c", "d")).run(planned_moves, order=order)
    return history, broken(history) + refused(history) + [f"left over: {task}" for task in history.pending]
