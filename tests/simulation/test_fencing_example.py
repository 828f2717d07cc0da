"""That faults bite: a lease alone does not stop two writers, a fence does.

The example of Kleppmann, "How to do distributed locking" (2016): a holder that was paused goes on after its lease is
over. Here holders check their lease before each write, as well as one can without a fence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from tests.simulation.faults import Action, Plan, Scene, draw_plan
from tests.simulation.ready import Order
from tests.simulation.server import Errors
from tests.simulation.world import Ports, World

R = TypeVar("R")

LEASE = 3.0
SEEDS = range(12)


class WriteRefused(Exception):
    """The fence has seen a newer holder."""


@dataclass
class Table:
    """What holders write, in a store that may look at the epoch.

    Attributes:
        fenced: whether it does.
        lease_until: and whose lease it is, by the store's clock, under which epoch.
        written: the epoch of each write.
    """

    fenced: bool
    lease_until: float = 0.0
    epoch: int = 0
    written: list[int] = field(default_factory=list)

    async def take(self, now: float) -> int | None:
        """Take the lease, if it is over."""
        if now < self.lease_until:
            return None
        self.epoch, self.lease_until = self.epoch + 1, now + LEASE
        return self.epoch

    async def renew(self, epoch: int, now: float) -> bool:
        """Let it run from now on, if nobody has taken it."""
        if epoch == self.epoch:
            self.lease_until = now + LEASE
        return epoch == self.epoch

    async def write(self, epoch: int, _: float) -> None:
        """Write under an epoch."""
        if self.fenced and epoch < max(self.written, default=0):
            raise WriteRefused
        self.written.append(epoch)

    @property
    def two_writers(self) -> bool:
        """Whether an older holder has written after a newer one."""
        return self.written != sorted(self.written)


class Away(Exception):
    """The store did not answer."""


ERRORS = Errors(Away, Away)


async def _hold(world: World, table: Table) -> None:
    """Get the lease, write while it runs, and get it again."""
    loop = asyncio.get_running_loop()
    while True:
        with suppress(Away, WriteRefused):
            asked = loop.time()
            epoch = await _ask(world, table.take)
            while epoch is not None and loop.time() < asked + LEASE * 2 / 3:
                await _ask(world, partial(table.write, epoch))
                renewing = loop.time()
                if await _ask(world, partial(table.renew, epoch)):
                    asked = renewing
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)


async def _ask(world: World, operation: Callable[[float], Awaitable[R]]) -> R:
    """Have something done at the store, which knows the time."""
    return await world.server.run(lambda: operation(world.loop.now), ERRORS, writes=True)


def written(seed: int, plan: Plan | None, *, fenced: bool) -> Table:
    """Let two nodes hold the lease, with pauses, cuts and whatever else the seed draws."""
    table = Table(fenced)

    async def boot(_: Ports) -> None:
        world.loop.create_task(_hold(world, table))

    async def scenario() -> None:
        await world.start()
        await world.play(plan or draw_plan(world.loop.random("faults"), Scene(world.nodes, LEASE, 60.0)))
        await asyncio.sleep(3 * LEASE)

    with World(seed, ["a", "b"], boot, order=Order.ANY) as world:
        world.run(scenario())
    return table


def test_with_the_fence_there_is_one_writer_in_every_run() -> None:
    assert [seed for seed in SEEDS if written(seed, None, fenced=True).two_writers] == []


def test_without_the_fence_one_of_the_same_seeds_has_two_writers_and_has_them_again() -> None:
    runs = ((seed, written(seed, None, fenced=False)) for seed in SEEDS)
    found, first = next((seed, table) for seed, table in runs if table.two_writers)
    assert written(found, None, fenced=False).written == first.written


def test_without_faults_and_without_the_fence_there_is_one_writer() -> None:
    nothing = Plan((), 60.0)
    for seed in range(4):
        table = written(seed, nothing, fenced=False)
        assert not table.two_writers
        assert len(table.written) > 100


def test_both_nodes_write_when_the_holder_crashes() -> None:
    crash = Plan((Action(10.0, "crash", ("a",)), Action(20.0, "restart", ("a",)), Action(30.0, "crash", ("b",))), 40.0)
    for seed in range(4):
        assert len(set(written(seed, crash, fenced=True).written)) >= 2
