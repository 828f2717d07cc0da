"""What happens to clusters: faults of all kinds and then none, and moves in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.checker import Violation, check
from tests.checker.records import Calm, Healed
from tests.simulation.clusters import HEALTHY_WITHIN, LEASE, ClusterRun, Ran
from tests.simulation.faults import Draw, Plan, Scene, draw_plan
from tests.simulation.ready import Order
from tests.simulation.recording import RecordedWorld


async def under_faults(
    run: ClusterRun,
    world: RecordedWorld,
    *,
    seconds: float = 40.0,
    plan: Plan | None = None,
    kinds: Sequence[Draw] = (),
) -> None:
    """Faults of all kinds, then everything heals: every key answers everywhere, and the nodes stop in order."""
    if plan is None:
        plan = draw_plan(world.loop.random("faults"), Scene(run.first, lease=LEASE, seconds=seconds), kinds)
    await world.start(*run.first)
    load = [world.loop.create_task(run.load(world, caller)) for caller in range(1, 5)]
    await world.play(plan)
    run.log(Healed(world.loop.now, HEALTHY_WITHIN))
    await run.settled(world)
    await _end(run, world, load)


async def planned_moves(run: ClusterRun, world: RecordedWorld) -> None:
    """Nodes join and leave in order while commands flow; nothing else happens."""
    draws = world.loop.random("moves")
    await world.start(*run.first)
    run.log(Calm(world.loop.now))
    load = [world.loop.create_task(run.load(world, caller, pace=25.0)) for caller in range(1, 5)]
    for _ in range(4):
        if draws.random() < 0.4:
            await run.level(world)
        await asyncio.sleep(draws.uniform(0.2, 2.0))
        down = [name for name in run.names if name not in world.running]
        if down and (len(world.running) < 2 or draws.random() < 0.5):
            await world.start(draws.choice(down))
        else:
            name = draws.choice(sorted(world.running))
            await run.stop(world, name)
            await asyncio.sleep(1)
            world.crash(name)
    await run.level(world)
    await asyncio.sleep(1)
    await _end(run, world, load)


async def _end(run: ClusterRun, world: RecordedWorld, load: list[asyncio.Task[None]]) -> None:
    run.enough = True
    await asyncio.gather(*load)
    await run.projecting.catch_up(world)
    await run.stop_all(world)


def faulty(
    seed: int, *, order: Order = Order.ANY, plan: Plan | None = None, kinds: Sequence[Draw] = ()
) -> tuple[Ran, list[Violation]]:
    """Play `under_faults`; what happened, and which promises were broken."""

    async def scenario(run: ClusterRun, world: RecordedWorld) -> None:
        await under_faults(run, world, plan=plan, kinds=kinds)

    ran = ClusterRun(seed).run(scenario, order=order)
    return ran, check(ran.records)


def moving(seed: int, *, order: Order = Order.ANY) -> tuple[Ran, list[Violation]]:
    """Play `planned_moves`; what happened, and which promises were broken."""
    ran = ClusterRun(seed, ("a", "b"), ("c", "d"), fresh=True).run(planned_moves, order=order)
    return ran, check(ran.records)
