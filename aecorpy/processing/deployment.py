"""Running a named list of processes over the cluster, exactly one instance of each. Names and shape are Aecor's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aecorpy.behaviour import snake_case
from aecorpy.errors import InvalidDefinition, told_as_ours
from aecorpy.processing.host import NamedProcesses, ProcessHost, Recipes
from aecorpy.processing.keep_alive import Flush, KeepAlive
from aecorpy.processing.process import Process
from aecorpy.processing.states import Registration
from aecorpy.processing.worker import Patience
from journal.contract import Database
from journal.records import checked_key, checked_name
from sharding.actors import Address, Engine
from sharding.cluster import Cluster
from sharding.store import Deployment as ClusterDeployment

FLUSH_SECONDS = 1.0


class KillSwitch:
    """The switch for a whole deployment, as far as this node runs it.

    Args:
        name: the deployment's.
        off: ends it here.
    """

    def __init__(self, name: str, off: Callable[[], asyncio.Future[None]]) -> None:
        self.name = name
        self._off = off

    async def shutdown(self) -> None:
        """Run none of its processes on this node any more; return when they have ended here.

        Other nodes that started the deployment take them over. When all have been switched off, none runs. To keep a
        deployment from running anywhere, whichever nodes come and go, pause it.

        Raises:
            Unavailable: the cluster's store is away; it may be switched off later.
        """
        await asyncio.shield(self._off())


@dataclass(slots=True)
class _Running:
    deployment: ClusterDeployment
    keep_alive: Address
    names: tuple[str, ...]


class DistributedProcessing:
    """The processes of a node's cluster.

    Args:
        engine: runs the actors.
        cluster: places them.
        database: the journal's, where their epochs and states are.
        draw: random numbers in [0, 1), which spread pauses.
    """

    def __init__(self, engine: Engine, cluster: Cluster, database: Database, draw: Callable[[], float]) -> None:
        self._engine = engine
        self._cluster = cluster
        self._database = database
        self._draw = draw
        self._running: dict[str, _Running] = {}
        self._ending: dict[str, asyncio.Future[None]] = {}

    async def start(
        self,
        name: str,
        processes: Sequence[Process],
        *,
        patient: bool = True,
        patience: Patience | None = None,
        hosts: bool = True,
    ) -> KillSwitch:
        """Run each of `processes` once in the cluster, for as long as one node lives that started them.

        Call it on every node that may run them, with the same list.

        Args:
            name: the deployment's; unique in the cluster.
            processes: what to run; names differ.
            patient: when a node is lost, wait for the end of its lease before its processes run elsewhere, even if it
                is known to be dead. Say False when all they change is the journal's database, through
                `ProcessContext.transaction`: that is fenced, so they may move at once.
            patience: pauses and bounds; see `Patience`.
            hosts: whether they may run on this node.

        Raises:
            InvalidDefinition: there is none, two have the same name, or the deployment runs on this node already.
            DeploymentMismatch: other nodes started it with another number of processes, or as something else.
            Unavailable: the database cannot be reached.
        """
        if isinstance(processes, Process) or not all(isinstance(one, Process) for one in processes):
            raise InvalidDefinition(f"deployment {name!r} is to run {processes!r}: give a list of processes")
        names = [process.name for process in processes]
        if not names:
            raise InvalidDefinition(f"deployment {name!r} has no process")
        if len(set(names)) != len(names):
            twice = sorted({one for one in names if names.count(one) > 1})
            raise InvalidDefinition(f"deployment {name!r}: two processes are called {', '.join(twice)}")
        for one in names:
            checked_key(one)
        recipes = NamedProcesses(name, tuple(processes), self._database, self._cluster.node, lambda: self._cluster.me)
        registration = Registration(name, "process", tuple(names))
        return await self.run(recipes, registration, patient=patient, patience=patience, hosts=hosts)

    async def run(
        self,
        recipes: Recipes,
        registration: Registration,
        *,
        patient: bool,
        patience: Patience | None = None,
        hosts: bool = True,
    ) -> KillSwitch:
        """Run what `recipes` make; see `start`."""
        name = recipes.deployment
        kind_name = checked_name(snake_case(name))
        if kind_name in self._running:
            raise InvalidDefinition(f"deployment {name!r} runs on this node already")
        deployment = ClusterDeployment(kind_name, "process", len(recipes.names), patient)
        keep_alive = self._engine.create(lambda: KeepAlive(name, len(recipes.names), self._database.notes))
        self._running[kind_name] = _Running(deployment, keep_alive, recipes.names)
        try:
            host = ProcessHost(recipes, self._database, patience or Patience(), keep_alive, self._draw)
            with told_as_ours():
                await self._cluster.deploy(deployment, host, hosts=hosts)
            await self._register(registration, kind_name)
        except BaseException:
            del self._running[kind_name]
            self._engine.stop(keep_alive)
            raise
        self._engine.tell(keep_alive, "start")
        return KillSwitch(name, lambda: self._switch_off(kind_name))

    async def _register(self, registration: Registration, kind_name: str) -> None:
        """Note what runs; after the cluster has accepted it, for what it refuses must not hide what others run."""
        try:
            await self._database.notes.put([registration.note()])
        except BaseException:
            with told_as_ours():
                await self._cluster.withdraw(kind_name)
            raise

    def _switch_off(self, name: str) -> asyncio.Future[None]:
        ending = self._ending.get(name)
        if ending is None:
            ending = self._ending[name] = asyncio.ensure_future(self._end(name))
            ending.add_done_callback(lambda _: self._ending.pop(name, None))
        return ending

    async def _end(self, name: str) -> None:
        running = self._running.get(name)
        if running is None:
            return
        with told_as_ours():
            await self._cluster.withdraw(name)
        await self._flush(running.keep_alive)
        del self._running[name]
        self._engine.stop(running.keep_alive)

    async def flush(self) -> None:
        """Write the states that were reported last; for a node that has handed everything off."""
        await asyncio.gather(*[self._flush(one.keep_alive) for one in self._running.values()])

    async def _flush(self, keep_alive: Address) -> None:
        written = self._engine.loop.create_future()

        def done() -> None:
            if not written.done():
                written.set_result(None)

        self._engine.tell(keep_alive, Flush(done))
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await written
        except TimeoutError:  # the store is away: what is shown of this node's processes grows old instead
            pass
