"""Clusters on the simulated loop whose nodes host one type with a resident, and nothing of the layers above."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from thespian.actors import Actor, ActorExitRequest

from sharding.actors import Address, AsyncActor, Engine
from sharding.cluster import Cluster
from sharding.host import EpochRefused, Population, ShardHost
from sharding.links import Links, LinkSettings
from sharding.messages import Appear, Envelope, Retire
from sharding.ports import Ports as ClusterPorts
from sharding.protocol import MESSAGES
from sharding.routes import Routes
from sharding.settings import ClusterSettings
from sharding.store.records import Deployment
from sharding.wire import Registry
from tests.sharding.posts import TextWire
from tests.sharding.virtually import until
from tests.simulation.world import Ports, World

T = TypeVar("T")

LEASE = 5.0
TYPE = "views"


class Worker(AsyncActor):
    """Lives from `Appear` to its exit, and answers with the node on which it does."""

    def __init__(self, town: ResidentTown, node: str, shard: int, epoch: int) -> None:
        super().__init__()
        self.town, self.place = town, (shard, epoch, node)

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, Appear):
            self.town.lives.add(self.place)
        elif isinstance(message, Retire):
            self.wakeupAfter(self.town.retiring)
        elif isinstance(message, ActorExitRequest):
            self.town.lives.discard(self.place)
        elif isinstance(message, str):
            self.send(sender, self.place[2])
        else:
            self.send(self.myAddress, ActorExitRequest())


class WorkerHost(ShardHost):
    """One worker per shard; an epoch is claimed once."""

    resident = "worker"

    def __init__(self, town: ResidentTown, node: str) -> None:
        self.wire = TextWire()
        self.idle_seconds = 1_000.0
        self.population = Population(1_000)
        self.town, self.node = town, node

    async def open(self, shard: int, epoch: int, address: Address) -> Callable[[str], Actor]:
        known = self.town.claimed.get(shard, 0)
        if epoch <= known:
            self.town.refused.append((shard, epoch, known))
            raise EpochRefused(f"shard {shard}", epoch, known)
        self.town.claimed[shard] = epoch
        return lambda key: Worker(self.town, self.node, shard, epoch)

    def refusal(self, error: BaseException) -> Any:
        return f"refused: {error}"

    def overloaded(self, shard: int) -> Exception:
        return ValueError(f"shard {shard} is overloaded")


@dataclass
class Running:
    """A node."""

    engine: Engine
    cluster: Cluster
    routes: Routes


class ResidentTown:
    """Nodes that all host the type, each with as many as `shards` says when it starts.

    Attributes:
        lives: shard, epoch and node of each worker that lives.
        claimed: the newest epoch of each shard.
        refused: shard, epoch and the newest one of each claim that was refused.
        retiring: how long a worker takes to retire.
    """

    def __init__(self, world: World, shards: int) -> None:
        self.world, self.shards = world, shards
        self.lives: set[tuple[int, int, str]] = set()
        self.claimed: dict[int, int] = {}
        self.refused: list[tuple[int, int, int]] = []
        self.retiring = 0.05

    async def boot(self, ports: Ports) -> Running:
        loop = asyncio.get_running_loop()
        engine = Engine(loop)
        around = ClusterPorts(loop.time, ports.draw, lambda: _nonce(ports.draw), ports.network)

        def links(cluster: Cluster) -> Links:
            return Links(
                LinkSettings("sim", b"a secret of the simulation"),
                Registry(MESSAGES),
                cluster,
                network=around.network,
                draw=around.draw,
                nonce=around.nonce,
            )

        settings = ClusterSettings(lease=LEASE, hand_off=3.0, unreachable=2.0, moves_at_once=4)
        cluster = Cluster(engine, ports.cluster_store, ports.name, settings=settings, ports=around, links=links)
        await cluster.start(ports.host)
        routes = await cluster.deploy(self.deployment(), WorkerHost(self, ports.name))
        return Running(engine, cluster, routes)

    def deployment(self) -> Deployment:
        return Deployment(TYPE, "process", self.shards)

    def at(self, node: str) -> list[int]:
        """The shards whose workers live on the node."""
        return sorted(shard for shard, _, where in self.lives if where == node)

    def settled(self, *nodes: str) -> bool:
        """Whether each shard has one worker, on one of the nodes, and each of these has some."""
        shards = sorted(shard for shard, _, _ in self.lives)
        return shards == list(range(self.shards)) and {where for _, _, where in self.lives} == set(nodes)

    async def until_settled(self, *nodes: str) -> None:
        """Wait until it is so, and for a while longer."""
        await until(lambda: self.settled(*nodes))
        await asyncio.sleep(2.0)
        assert self.settled(*nodes)

    def cluster(self, node: str) -> Cluster:
        cluster: Cluster = self.world.running[node].cluster
        return cluster

    async def withdraw(self, node: str) -> None:
        await self.world.on(node, self.cluster(node).withdraw(TYPE))

    async def deploy(self, node: str) -> None:
        """Host the type again, with as many shards as `shards` says."""
        host = WorkerHost(self, node)
        await self.world.on(node, _done(self.cluster(node).deploy(self.deployment(), host)))

    async def ask(self, node: str, shard: int) -> Any:
        """Who answers for a shard."""
        running = self.world.running[node]

        async def asking() -> Any:
            async with asyncio.timeout(20):
                return await running.engine.ask(running.routes.addresses[shard], Envelope(shard, "worker", "who?"))

        return await self.world.on(node, asking())

    async def stop_all(self) -> None:
        for name in list(self.world.running):
            await self.world.on(name, _stop(self.world.running.pop(name)))


async def _done(deploying: Coroutine[Any, Any, Any]) -> None:
    await deploying


async def _stop(running: Running) -> None:
    await running.cluster.hand_off(5.0)
    await running.cluster.leave()
    assert (await running.engine.shutdown()).clean
    await running.cluster.close(with_store=True)


def _nonce(draw: Callable[[], float]) -> bytes:
    return bytes(int(draw() * 256) for _ in range(32))


def in_town(
    scenario: Callable[[ResidentTown], Coroutine[Any, Any, None]], *nodes: str, shards: int = 6, seed: int = 0
) -> None:
    """Run a scenario with nodes that have started, and stop those that are left."""
    towns: list[ResidentTown] = []
    with World(seed, nodes, lambda ports: towns[0].boot(ports)) as world:
        town = ResidentTown(world, shards)
        towns.append(town)

        async def run() -> None:
            await world.start(nodes[0])
            await world.start(*nodes[1:])
            await scenario(town)
            await town.stop_all()
            await asyncio.sleep(6)  # longer than anybody waits for the store

        world.run(run())
        assert town.lives == set()
