"""A whole simulated cluster: nodes that can be started and struck, their network, their store, and what happened."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self, TypeVar

from journal.memory import MemoryDatabase
from sharding.store.memory import MemoryClusterStore
from tests.simulation.errors import NodeCrashed, SimulationError
from tests.simulation.faults import Plan
from tests.simulation.loop import SimLoop
from tests.simulation.network import SimEndpoint, SimNetwork
from tests.simulation.nodes import Clock
from tests.simulation.paths import Delays
from tests.simulation.ready import Order
from tests.simulation.server import StoreServer
from tests.simulation.stores import SimClusterStore, SimDatabase
from tests.simulation.trace import Trace

T = TypeVar("T")

START: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Ports:
    """What a node needs from outside, for one life.

    Attributes:
        name: the node's.
        host: where its peers reach it.
        network, cluster_store, database: as this node reaches them.
        clock: its wall clock.
        draw: random numbers in [0, 1), its own.
    """

    name: str
    host: str
    network: SimEndpoint
    cluster_store: SimClusterStore
    database: SimDatabase
    clock: Callable[[], datetime]
    draw: Callable[[], float]


Boot = Callable[[Ports], Awaitable[Any]]


class World:
    """A cluster on a loop of its own. Use it in `with`: at the end everything is given up.

    Args:
        seed: from which all that is random is drawn.
        nodes: their names.
        boot: starts a node and returns it; it runs on that node, at its start and after each crash.
        cluster: its name.
        order: in which order what is ready may run.
        drift: the most by which the rate of a node's clock differs from the true one.
        delays: of the paths.
        limits: for `SimLoop`: `max_time`, `max_steps`.

    Attributes:
        running: what `boot` returned, by node; those that are up.
        trace: what happened.
        start_again_seconds: the pause before a node that failed to start is started again.
    """

    def __init__(
        self,
        seed: int,
        nodes: Sequence[str],
        boot: Boot,
        *,
        cluster: str = "sim",
        order: Order = Order.ANY,
        drift: float = 0.001,
        delays: Delays | None = None,
        **limits: Any,
    ) -> None:
        self.loop = SimLoop(seed, order=order, **limits)
        self.nodes, self._boot, self._drift = tuple(nodes), boot, drift
        self.network = SimNetwork(self.loop, delays=delays)
        self.server = StoreServer(self.network)
        self.memory = MemoryDatabase(clock=self.now)
        self.cluster_rows = MemoryClusterStore(cluster, clock=lambda: self.loop.now)
        self.trace = Trace(self.loop)
        for name in self.nodes:
            self.network.host(name)  # addresses in the order of the names, whoever starts first
        self.running: dict[str, Any] = {}
        self.start_again_seconds = 1.0
        self._watched: dict[str, asyncio.Task[None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give everything up."""
        self.loop.close()
        gc.collect()

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        """Run a scenario, which belongs to no node, to its end.

        Raises:
            SimulationError: it hung, went on too long, or a node reported an error that nobody handled.
            BaseException: what the scenario raised, with the seed and the newest lines of the trace as notes.
        """
        try:
            result = self.loop.run_until_complete(scenario)
            if self.loop.reported:
                raise SimulationError(f"seed {self.loop.seed}: reported: " + "\n".join(self.loop.reported))
        except BaseException as error:
            error.add_note(f"seed {self.loop.seed}, {self.loop.steps} steps; the newest lines:\n{self.trace.tail()}")
            raise
        return result

    def now(self) -> datetime:
        """The true wall time."""
        return START + timedelta(seconds=self.loop.now)

    def ports(self, name: str) -> Ports:
        """What a node gets, for the life that it has now."""
        clock = self.loop.node(name).clock
        return Ports(
            name=name,
            host=self.network.host(name),
            network=self.network.endpoint(name),
            cluster_store=SimClusterStore(self.cluster_rows, self.server),
            database=SimDatabase(self.memory, self.server),
            clock=lambda: self.now() + timedelta(seconds=clock.wall_offset),
            draw=self.loop.random(f"node {name}").random,
        )

    # ---- nodes

    async def start(self, *names: str) -> None:
        """Start nodes (all, by default), and wait until they are up.

        Raises:
            NodeCrashed: one was crashed meanwhile.
            Exception: what `boot` raised.
        """
        starts = [self.loop.create_task(self._up(name)) for name in names or self.nodes if not self.alive(name)]
        await asyncio.gather(*starts)

    def restart(self, name: str) -> None:
        """Start a node that is down, again and again until it is up, as who watches over processes does."""
        if not self.alive(name) and name not in self._watched:
            self._watched[name] = self.loop.create_task(self._watch(name), context=self.loop.context(None))

    async def _watch(self, name: str) -> None:
        try:
            while not self.alive(name):
                try:
                    await self._up(name)
                except NodeCrashed:
                    return  # by a fault, which will have it started again
                except Exception as error:  # noqa: BLE001 - it is in the trace; the node's process ended with it
                    self.trace.say(f"does not start: {error!r}", name)
                    await asyncio.sleep(self.start_again_seconds)
        finally:
            del self._watched[name]

    async def _up(self, name: str) -> None:
        draws = self.loop.random("clocks")
        rate = 1 + draws.uniform(-self._drift, self._drift)
        self.loop.boot(name, Clock(rate=rate, start=draws.uniform(0, 1e5), wall_offset=draws.uniform(-1, 1)))
        self.trace.say("starts", name)
        try:
            self.running[name] = await self.loop.call(name, _awaited(self._boot, self.ports(name)))
        except NodeCrashed:
            raise
        except BaseException:
            self.crash(name)
            raise
        self.trace.say("is up", name)

    async def on(self, name: str, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on a node and wait for its end from outside.

        Raises:
            NodeCrashed: it crashed before that.
        """
        return await self.loop.call(name, coroutine)

    def alive(self, name: str) -> bool:
        """Whether a node's process exists, frozen or not."""
        return any(node.name == name and not node.dead for node in self.loop.nodes())

    def crash(self, name: str) -> None:
        """Kill a node."""
        if self.alive(name):
            self.trace.say("crashes", name)
            self.running.pop(name, None)
            self.loop.crash(name)

    def freeze(self, name: str) -> None:
        """Stop a node's process for a while."""
        if self.alive(name):
            self.trace.say("is frozen", name)
            self.loop.freeze(name)

    def thaw(self, name: str) -> None:
        """Let it go on."""
        if self.alive(name):
            self.trace.say("is thawed", name)
            self.loop.thaw(name)

    def set_clock(self, name: str, seconds: float) -> None:
        """Set a node's wall clock to be ahead by this much."""
        if self.alive(name):
            self.loop.node(name).clock.wall_offset = seconds

    # ---- the network and the store

    def cut(self, source: str, target: str) -> None:
        """Let nothing through in one direction."""
        self.network.paths.cut(source, target)

    def part(self, one: str, other: str) -> None:
        """Let nothing through in either direction."""
        self.network.paths.part(one, other)

    def join(self, one: str, other: str) -> None:
        """Repair the paths between two."""
        self.network.paths.join(one, other)

    def slow(self, one: str, other: str, slowness: float) -> None:
        """Make the paths between two slow."""
        self.network.paths.slow(one, other, slowness)

    def reset(self, one: str, other: str) -> None:
        """Reset the connections between two nodes."""
        self.network.reset(one, other)

    def store_away(self, away: float) -> None:
        """Let the store go away (1) or come back (0)."""
        self.server.away = bool(away)

    def store_slow(self, slowness: float) -> None:
        """Make the store slow."""
        self.server.slowness = slowness

    def store_refuses(self, share: float) -> None:
        """Let the store refuse a share of all operations."""
        self.server.refuses = share

    def store_loses_before(self, share: float) -> None:
        """Let the store lose a share of all changes, before they are made."""
        self.server.loses_before = share

    def store_loses_after(self, share: float) -> None:
        """Let the store lose a share of the answers to changes, after they were made."""
        self.server.loses_after = share

    def heal(self) -> None:
        """Repair everything: thaw, start, join."""
        self.trace.say("everything heals")
        self.network.paths.heal()
        self.server.heal()
        for name in self.nodes:
            self.thaw(name)
            self.restart(name)

    async def play(self, plan: Plan) -> None:
        """Let a plan's actions happen at their times, and then heal."""
        begin = self.loop.now
        for action in plan.actions:
            await self._until(begin + action.at)
            much = () if action.much is None else (action.much,)
            self.trace.say(f"fault: {action.what} {' '.join(map(str, (*action.whom, *much)))}")
            getattr(self, action.what)(*action.whom, *much)
        await self._until(begin + plan.heal_at)
        self.heal()

    async def _until(self, when: float) -> None:
        await asyncio.sleep(max(0.0, when - self.loop.now))


async def _awaited(boot: Boot, ports: Ports) -> Any:
    return await boot(ports)
