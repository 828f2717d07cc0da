"""Plans of faults: drawn from a seed, printed, made again, and played on a world."""

from __future__ import annotations

import asyncio
import inspect
import random

import pytest

from tests.simulation.errors import SimulationError
from tests.simulation.faults import Action, Plan, Scene, draw_plan
from tests.simulation.server import STORE
from tests.simulation.world import Ports, World

SCENE = Scene(("a", "b", "c"), lease=10.0, seconds=120.0)


def drawn(seed: int) -> Plan:
    return draw_plan(random.Random(seed), SCENE)


def test_a_plan_comes_from_its_seed_alone_and_can_be_made_again_from_its_text() -> None:
    for seed in range(50):
        plan = drawn(seed)
        assert plan == drawn(seed)
        assert eval(repr(plan), {"Plan": Plan, "Action": Action}) == plan
        assert len(str(plan).splitlines()) == len(plan.actions) + 1
    assert len({drawn(seed) for seed in range(50)}) == 50


def test_plans_differ_in_kind_and_all_kinds_come() -> None:
    kinds = [{action.what for action in drawn(seed).actions} for seed in range(200)]
    assert set.union(*kinds) == {
        *("crash", "restart", "freeze", "thaw", "cut", "part", "join", "slow", "reset", "set_clock"),
        *("store_away", "store_slow", "store_loses_before", "store_loses_after", "store_refuses"),
    }
    assert any(len(some) <= 2 for some in kinds)
    assert any({"crash", "freeze", "part"} <= some for some in kinds)
    touched = {name for seed in range(200) for action in drawn(seed).actions for name in action.whom}
    assert touched == {"a", "b", "c", STORE}


def test_actions_are_in_order_before_the_healing_and_are_known_to_the_world() -> None:
    for seed in range(100):
        plan = drawn(seed)
        times = [action.at for action in plan.actions]
        assert times == sorted(times)
        assert all(0 <= at < plan.heal_at for at in times)
        for action in plan.actions:
            arguments = (*action.whom, *(() if action.much is None else (action.much,)))
            inspect.signature(getattr(World, action.what)).bind(None, *arguments)


def test_a_plan_without_one_action() -> None:
    plan = Plan((Action(1.0, "crash", ("a",)), Action(2.0, "restart", ("a",))), 10.0)
    assert plan.without(0) == Plan((Action(2.0, "restart", ("a",)),), 10.0)
    assert str(plan) == "     1.000 crash a\n     2.000 restart a\n    10.000 heal"


async def _idle(ports: Ports) -> str:
    await ports.cluster_store.picture()
    return ports.host


def test_whatever_goes_wrong_is_healed_at_the_end() -> None:
    for seed in range(15):
        plan = drawn(seed)

        async def scenario(world: World, plan: Plan = plan) -> None:
            await world.start()
            await world.play(plan)
            assert world.loop.now >= plan.heal_at
            await asyncio.sleep(10)
            assert sorted(world.running) == list(SCENE.nodes)
            for name in SCENE.nodes:
                assert await world.on(name, world.ports(name).cluster_store.picture())

        with World(seed, SCENE.nodes, _idle) as world:
            world.run(scenario(world))
            faults = [line for line in world.trace.lines if "fault:" in line]
            assert len(faults) == len(plan.actions)


def test_a_node_that_cannot_start_is_started_again() -> None:
    async def scenario(world: World) -> None:
        world.store_away(1)
        for name in ("a", "b"):
            world.restart(name)
            world.restart(name)
        await asyncio.sleep(5)
        assert world.running == {}
        world.store_away(0)
        await asyncio.sleep(5)
        assert world.running == {"a": "10.0.0.1", "b": "10.0.0.2"}

    with World(1, ["a", "b"], _idle) as world:
        world.run(scenario(world))


def test_a_first_start_that_fails_is_told() -> None:
    async def fails(_: Ports) -> None:
        raise ValueError("a bug")

    with World(1, ["a"], fails) as world, pytest.raises(ValueError, match="a bug") as raised:
        world.run(world.start())
    assert "seed 1" in raised.value.__notes__[0]
    assert "a        starts" in raised.value.__notes__[0]


def test_what_nobody_handles_on_a_node_fails_the_run() -> None:
    async def boot(_: Ports) -> None:
        asyncio.get_running_loop().call_later(1, _bug)

    def _bug() -> None:
        raise ValueError("a bug")

    async def scenario(world: World) -> None:
        await world.start()
        await asyncio.sleep(5)

    with World(1, ["a"], boot) as world, pytest.raises(SimulationError, match="a bug"):
        world.run(scenario(world))


def test_wall_clocks_jump_and_others_do_not() -> None:
    async def boot(ports: Ports) -> Ports:
        return ports

    async def scenario(world: World) -> None:
        await world.start()
        before, loop_time = world.running["a"].clock(), world.loop.node_time("a")
        world.set_clock("a", 3_600.0)
        assert (world.running["a"].clock() - before).total_seconds() == pytest.approx(3_600, abs=2)
        assert world.loop.node_time("a") == loop_time
        assert abs((world.running["b"].clock() - world.now()).total_seconds()) <= 1

    with World(1, ["a", "b"], boot) as world:
        world.run(scenario(world))
