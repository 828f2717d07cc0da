"""Equal seeds give equal runs: twice in one process, and in processes that hash differently."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from tests.simulation.runs import counting
from tests.simulation.world import World

SEEDS = (1, 2, 3)
IN_ANOTHER_PROCESS = """
from tests.simulation.runs import counting
for seed in (1, 2, 3):
    print(counting(seed).digest)
"""


def test_a_seed_gives_the_same_run_again() -> None:
    digests = [counting(seed).digest for seed in SEEDS]
    assert digests == [counting(seed).digest for seed in SEEDS]
    assert len(set(digests)) == len(SEEDS)


def test_a_seed_gives_the_same_run_whatever_hashes_are() -> None:
    found = set()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", IN_ANOTHER_PROCESS],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert found == {"".join(f"{counting(seed).digest}\n" for seed in SEEDS)}


async def _nothing(ports: object) -> None:
    return None


def test_the_trace_is_readable_and_every_step_counts() -> None:
    async def scenario(world: World, steps: int) -> None:
        await world.start()
        await asyncio.sleep(1)
        world.crash("a")
        for _ in range(steps):
            await asyncio.sleep(0)
        world.trace.say("done")

    def run(steps: int) -> tuple[list[str], str]:
        with World(1, ["a"], _nothing) as world:
            world.run(scenario(world, steps))
            return [line[13:] for line in world.trace.lines], world.trace.digest

    lines, digest = run(0)
    assert lines == ["a        starts", "a        is up", "a        crashes", "world    done"]
    assert run(1)[0] == lines
    assert run(1)[1] != digest
