"""A node: the process's part of a cluster, with its journal, its entities and its projections."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from thespian.actors import Actor

from aecorpy.behaviour import Behaviour, snake_case
from aecorpy.deadlines import Deadlines
from aecorpy.deployment import Deployment
from aecorpy.entity import Entity
from aecorpy.errors import AecorError, InvalidDefinition, NodeStopping, told_as_ours
from aecorpy.hosts import EventsourcedHost, PlainHost, checked_actor
from aecorpy.management import Management
from aecorpy.options import check_address, check_kind, check_number
from aecorpy.processing.deployment import DistributedProcessing
from aecorpy.processing.states import Registration
from aecorpy.processing.worker import Patience
from aecorpy.projection import Projection
from aecorpy.projection.beside import View
from aecorpy.projection.distributed import ProjectionProcesses, check_no_journal_s, check_tables, ranges, register
from aecorpy.projection.handle import DistributedProjection
from aecorpy.projection.pace import Pace
from aecorpy.projection.progress import ViewProgress, ViewsOfJournal
from aecorpy.refs import ActorRefs, Door, EntityRefs, ref_class
from aecorpy.schedule.timers import Schedule
from aecorpy.schedule.view import firing_view, name_of
from journal.contract import Database
from journal.database import open_database
from journal.events import EventJournal
from journal.records import checked_name
from journal.tagging import Tagging
from sharding.actors import Engine
from sharding.allocation import AllocationStrategy
from sharding.cluster import Cluster, OnOwned
from sharding.host import ShardHost
from sharding.links import LinkListener, Links, LinkSettings
from sharding.ports import Ports
from sharding.protocol import MESSAGES
from sharding.settings import ClusterSettings
from sharding.store import ClusterStore, Seat, checked_seat, open_cluster_store
from sharding.store import Deployment as ClusterDeployment
from sharding.wire import Registry

T = TypeVar("T", bound=Entity[Any, Any])
Part = TypeVar("Part")
Timers = TypeVar("Timers", bound=Schedule[Any])

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The system's time, in UTC."""
    return datetime.now(UTC)


class ClusterNode:
    """A member of the cluster `name`. Use it as `async with ClusterNode("tickets", journal="sqlite:///tickets.db")`.

    Several processes that name the same cluster and store are one cluster: each entity lives on one of them, and
    callers on any of them reach it.

    Args:
        name: the cluster's name.
        journal: where events lie: `postgresql://…`, `sqlite:///FILE` or `memory:`; or an open `Database`, which the
            caller closes.
        store: where the cluster keeps its members and shards; by default beside the journal (a memory of its own
            beside `memory:` or an open `Database`, so such a node is alone). A URL, or an open `ClusterStore`.
        node: this node's name, different from every other member's. One that is kept over restarts gets its former
            shards back. By default a random one.
        entities: classes that are deployed when the node starts; see `deploy`, and `refs` for the way to them.
        on_start: called with the node when it has joined and deployed `entities`, to distribute projections and start
            processes, say; what it raises ends the start.
        bind: host and port on which other nodes reach this one; port 0 takes a free one.
        advertise: host and port that other nodes are told, where they differ from `bind` (port 0: the real one); needed
            with `bind` to all addresses of a machine.
        secret: what all nodes of the cluster know and nobody else, at least 16 bytes; needed beyond loopback.
        server_tls, client_tls: TLS contexts for accepting and for dialling.
        lease_seconds: how long a node that is not heard of keeps its shards, unless its process is known to be dead.
        weight: how many shards the node should own, relative to the others; 0 for a node that only calls.
        roles: free words, shown by `aecorpy status`.
        cluster: further times and bounds; its `lease` is overridden by `lease_seconds`.
        strategy: decides where shards belong while this node coordinates; by default `RingAllocation`.
        ask_seconds: how long a caller waits for an answer unless it says otherwise (`EntityRefs.within`).
        stop_seconds: how long stopping waits for commands that are under way, and for shards to be handed off.
        idle_seconds: an entity without a message for this long, or up to twice as long, leaves memory, unless its class
            says otherwise.
        max_live_entities: how many entities of one type may be in memory.
        max_waiting_appends: commands of one type that may wait for the journal before callers get `Overloaded`.
        clock: the time that commands see; for tests and simulations.
        draw: random numbers in [0, 1), which spread retries.
        ports: time, chance and network of the cluster's part; for tests and simulations.
        on_owned: called with (type, shard, epoch, owned now) as shards come and go; for records of who owned what.

    Raises:
        ValueError, TypeError: an argument is none of its kind; names it.
        UnsafeSetting: secret or TLS contexts would keep nobody out.
    """

    def __init__(
        self,
        name: str,
        *,
        journal: str | Database = "memory:",
        store: str | ClusterStore | None = None,
        node: str | None = None,
        entities: Sequence[type] = (),
        on_start: Callable[[ClusterNode], Awaitable[None]] | None = None,
        bind: tuple[str, int] = ("127.0.0.1", 0),
        advertise: tuple[str, int] | None = None,
        secret: bytes | None = None,
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
        lease_seconds: float = 5.0,
        weight: float = 1.0,
        roles: tuple[str, ...] = (),
        cluster: ClusterSettings | None = None,
        strategy: AllocationStrategy | None = None,
        ask_seconds: float = 10.0,
        stop_seconds: float = 10.0,
        idle_seconds: float = 120.0,
        max_live_entities: int = 1_000_000,
        max_waiting_appends: int = 20_000,
        clock: Callable[[], datetime] = utc_now,
        draw: Callable[[], float] = random.random,
        ports: Ports | None = None,
        on_owned: OnOwned | None = None,
    ) -> None:
        check_kind("journal", journal, str | Database, "a URL, such as sqlite:///FILE, or an open Database")
        check_kind("store", store, str | ClusterStore | None, "a URL, an open ClusterStore, or None")
        check_kind("node", node, str | None, "a name, or None")
        check_kind("entities", entities, list | tuple, "a list of classes")
        check_address("bind", bind)
        if advertise is not None:
            check_address("advertise", advertise)
        check_number("ask_seconds", ask_seconds)
        check_number("stop_seconds", stop_seconds, zero=True)
        check_number("idle_seconds", idle_seconds)
        check_number("max_live_entities", max_live_entities)
        check_number("max_waiting_appends", max_waiting_appends)
        self.name = name
        self.node = node or f"node-{secrets.token_hex(4)}"
        self.entities = tuple(entities)
        self._on_start = on_start
        self._journal = journal
        self._store = store
        self._bind, self._advertise = bind, advertise
        for _, port in (bind, advertise or bind):
            checked_seat(Seat(self.node, "127.0.0.1", port, weight, roles))
        self._links = LinkSettings(name, secret, server_tls, client_tls)
        self._weight, self._roles = weight, roles
        self._settings = replace(cluster or ClusterSettings(), lease=lease_seconds)
        self._strategy = strategy
        self._ask_seconds = ask_seconds
        self._stop_seconds = stop_seconds
        self._idle_seconds = idle_seconds
        self._max_live_entities = max_live_entities
        self._max_waiting_appends = max_waiting_appends
        self._clock = clock
        self._draw = draw
        self._ports = ports or Ports(draw=draw)
        self._on_owned = on_owned
        self._database: Database | None = None
        self._engine: Engine | None = None
        self._cluster: Cluster | None = None
        self._deadlines: Deadlines | None = None
        self._deployments: dict[str, Deployment] = {}
        self._processing: DistributedProcessing | None = None
        self._progress: ViewProgress | None = None
        self._stopping = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def database(self) -> Database:
        """Where events, offsets and views lie.

        Raises:
            AecorError: the node is not started.
        """
        return self._running(self._database)

    @property
    def cluster(self) -> Cluster:
        """The node's part of the cluster: members, coordinator, shards.

        Raises:
            AecorError: the node is not started.
        """
        return self._running(self._cluster)

    @property
    def processing(self) -> DistributedProcessing:
        """What runs processes over the cluster.

        Raises:
            AecorError: the node is not started.
        """
        return self._running(self._processing)

    @property
    def management(self) -> Management:
        """Pausing, skipping, retrying, replaying what runs over the cluster, as `aecorpy projections` does.

        Raises:
            AecorError: the node is not started.
        """
        return Management(self.database)

    async def start(self) -> None:
        """Open the journal's database, join the cluster, and deploy `entities`.

        Raises:
            Unavailable: the database cannot be reached.
            SchemaMismatch: it belongs to another version.
            NodeNameTaken: a living process is a member under this node's name.
            UnsafeSetting: the address could be reached by others, and nothing would keep them out; or by nobody.
            OSError: the address cannot be had.
        """
        if self._engine is not None:
            raise AecorError(f"node {self.name!r} is running already")
        checked = [_checked(entity) for entity in self.entities]  # before anybody hears of this node
        self._stopping = False
        loop = asyncio.get_running_loop()
        self._engine = Engine(loop)
        self._deadlines = Deadlines(loop)
        try:
            self._database = await open_database(self._journal) if isinstance(self._journal, str) else self._journal
            with told_as_ours():
                self._cluster = await self._new_cluster(self._engine)
                await self._cluster.start(*self._bind, self._advertise)
            self._processing = DistributedProcessing(self._engine, self._cluster, self._database, self._draw)
            self._progress = ViewProgress(self._database)
            for one in checked:
                await self._deploy(one)
            if self._on_start is not None:
                await self._on_start(self)
        except BaseException:
            await self._release(self._engine)
            raise

    async def _new_cluster(self, engine: Engine) -> Cluster:
        store = self._store
        if store is None:
            store = self._journal if isinstance(self._journal, str) else "memory:"
        alone = store == "memory:"
        return Cluster(
            engine,
            await open_cluster_store(store, self.name) if isinstance(store, str) else store,
            self.node,
            weight=self._weight,
            roles=self._roles,
            settings=self._settings,
            ports=self._ports,
            links=None if alone else self._new_links,
            on_owned=self._on_owned,
            strategy=self._strategy,
        )

    def _new_links(self, listener: LinkListener) -> Links:
        ports = self._ports
        return Links(
            self._links, Registry(MESSAGES), listener, network=ports.network, draw=ports.draw, nonce=ports.nonce
        )

    async def stop(self) -> None:
        """Take no more commands, finish those under way, hand the shards off, and release everything.

        It takes at most `stop_seconds`, and what stuck stores take to be given up.
        """
        if self._engine is None or self._stopping:
            return
        self._stopping = True
        end = self._engine.loop.time() + self._stop_seconds
        for deployment in self._deployments.values():
            deployment.door.is_open = False
        try:
            await self._drain()
            if self._cluster is not None:
                await self._cluster.hand_off(max(0.0, end - self._engine.loop.time()))
            if self._processing is not None:
                await self._processing.flush()
            await self._close_journals()  # before shards stop at once: what never went to the store is told as that
            if self._cluster is not None:
                await self._cluster.leave()
        finally:
            await self._release(self._engine)

    async def _drain(self) -> None:
        if self._deadlines is None:
            return
        try:
            async with asyncio.timeout(self._stop_seconds):
                await self._deadlines.drained()
        except TimeoutError:
            _log.warning("node %r stops with %d commands unanswered", self.name, self._deadlines.outstanding)

    async def _close_journals(self) -> None:
        for name, deployment in self._deployments.items():
            try:
                async with asyncio.timeout(self._stop_seconds):
                    await deployment.close()
            except TimeoutError:
                _log.warning("node %r stops although journal %r does not answer", self.name, name)

    async def _release(self, engine: Engine) -> None:
        try:
            if self._progress is not None:
                await self._progress.close()
            await engine.shutdown()
            if self._deadlines is not None:
                self._deadlines.close()
            if self._cluster is not None:
                await self._cluster.close(with_store=not isinstance(self._store, ClusterStore))
            if self._database is not None and isinstance(self._journal, str):
                await self._database.close()
        finally:
            self._engine = self._database = self._deadlines = self._cluster = None
            self._processing = self._progress = None
            self._deployments = {}

    @overload  # an Entity is an Actor too; the first signature that fits is the one meant
    async def deploy(self, entity: type[T], *, hosts: bool = ..., patient: bool = ...) -> EntityRefs[T]: ...  # type: ignore[overload-overlap]
    @overload
    async def deploy(
        self, entity: type[Actor], *, shards: int = ..., hosts: bool = ..., patient: bool = ...
    ) -> ActorRefs: ...
    async def deploy(self, entity: type, *, shards: int = 64, hosts: bool = True, patient: bool = False) -> Any:
        """Host an entity class, or a plain Thespian actor class, and return the way to its instances by key.

        Args:
            entity: the class.
            shards: into how many shards the instances of a plain actor class are spread.
            hosts: whether instances may live on this node, too; otherwise it only calls those of others.
            patient: when a node is lost, wait for the end of its lease before its instances live elsewhere, even if
                its process is known to be dead. For what has effects that no database fences; the same on all nodes.

        Raises:
            InvalidDefinition: the class cannot work as it is, or another of its name is deployed.
            WrongShardCount: its journal was created with another number of shards.
            DeploymentMismatch: other nodes deployed it otherwise.
            Unavailable: the database cannot be reached.
        """
        return await self._deploy(_checked(entity), shards, hosts, patient)

    async def _deploy(
        self, checked: Behaviour[Any] | type[Actor], shards: int = 64, hosts: bool = True, patient: bool = False
    ) -> Any:
        if isinstance(checked, Behaviour):
            return await self._deploy_entity(checked, hosts, patient)
        return await self._deploy_plain(checked, shards, hosts, patient)

    async def _deploy_entity(self, behaviour: Behaviour[Any], hosts: bool, patient: bool) -> EntityRefs[Any]:
        entity = behaviour.entity
        self._check_new(behaviour.name, entity)
        store = await self.database.journal(behaviour.name, behaviour.tagging.shard_count)
        journal: EventJournal[Any] = EventJournal(store, behaviour.events, max_waiting=self._max_waiting_appends)
        host = EventsourcedHost(
            behaviour,
            journal,
            self.database,
            self._running(self._engine),
            self._clock,
            idle_seconds=self._idle_seconds if entity.idle_seconds is None else entity.idle_seconds,
            max_live=self._max_live_entities,
        )
        deployment = ClusterDeployment(behaviour.name, "entity", behaviour.tagging.shard_count, patient)
        door = await self._open_door(deployment, entity.__name__, behaviour.tagging, host, hosts)
        views = ViewsOfJournal(self._running(self._progress), store, behaviour.tagging.shard_of)
        refs: EntityRefs[Any] = EntityRefs(behaviour, door, ref_class(behaviour), self._ask_seconds, views)
        self._register(behaviour.name, Deployment(entity, door, refs, journal, host.population))
        return refs

    async def _deploy_plain(self, actor: type[Actor], shards: int, hosts: bool, patient: bool) -> ActorRefs:
        name = checked_name(snake_case(actor.__name__))
        self._check_new(name, actor)
        host = PlainHost(actor, idle_seconds=self._idle_seconds, max_live=self._max_live_entities)
        deployment = ClusterDeployment(name, "actor", shards, patient)
        door = await self._open_door(deployment, actor.__name__, Tagging(shards), host, hosts)
        refs = ActorRefs(door, self._ask_seconds)
        self._register(name, Deployment(actor, door, refs, None, host.population))
        return refs

    @overload
    def refs(self, entity: type[T]) -> EntityRefs[T]: ...  # type: ignore[overload-overlap]
    @overload
    def refs(self, entity: type[Actor]) -> ActorRefs: ...
    def refs(self, entity: type) -> Any:
        """The way to the instances of a class that is deployed here, as `deploy` returned it.

        Raises:
            InvalidDefinition: the class is not deployed here.
        """
        return self._deployment_of(entity).refs

    async def distribute(
        self,
        name: str,
        projection: Projection[Any],
        *,
        former: Projection[Any] | None = None,
        processes: int | None = None,
        patience: Patience | None = None,
        hosts: bool = True,
    ) -> DistributedProjection:
        """Run `projection` over the cluster: each tag of its entity's journal on one node at a time.

        Call it on every node that may run it. Where it was is kept under `name`, so the next start goes on from there.

        Args:
            name: the consumer's; unique in the cluster.
            projection: what handles the events.
            former: the version of it that serves until `projection`, of a higher version, has been built beside it.
                Without it the view's tables stay as they are until then.
            processes: into how many processes the tags are divided; by default one per tag, up to 8. Another number
                may be chosen later, once no node runs with the former one.
            patience: pauses and bounds of the processes.
            hosts: whether they may run on this node.

        Raises:
            InvalidDefinition: it cannot work as it is, its entity is not deployed here, it runs here already, or its
                table is another projection's.
            DeploymentMismatch: other nodes run it with another number of processes.
            Unavailable: the database cannot be reached.
        """
        checked_name(snake_case(name))
        if not isinstance(projection, Projection):
            raise InvalidDefinition(f"projection {name!r} is {projection!r}: give an instance, such as `Balances()`")
        programs = [projection] if former is None else [projection, former]
        for one in programs:
            one.check()
            one.bind(self.refs)
            check_no_journal_s(name, one, self._deployments)
        if former is not None and not (former.version < projection.version and former.entity is projection.entity):
            raise InvalidDefinition(
                f"projection {name!r} has version {projection.version}, its former one {former.version}: "
                "let the new one have the higher version, and both the same entity"
            )
        journal = self.journal(projection.entity)
        tags = ranges(projection.entity.tagging.tags(journal.name), processes)
        processing, cluster, progress = self.processing, self.cluster, self._running(self._progress)
        every_tag = tuple(tag for some in tags for tag in some)
        view = View(name, tuple(programs), journal, self.database, every_tag, self._draw, Pace())
        recipes = ProjectionProcesses(view, tags, self.node, lambda: cluster.me)
        store = journal.store
        await check_tables(self.database, name, store.name, projection)
        await register(self.database, name, programs)
        told = (projection.tables(), projection.idempotent)
        registration = Registration(name, projection.kind, recipes.names, store.name, store.shard_count, *told)
        switch = await processing.run(recipes, registration, patient=projection.patient, patience=patience, hosts=hosts)
        return DistributedProjection(switch, self.database, store, progress)

    async def schedule(
        self, timers: type[Timers], *, patience: Patience | None = None, hosts: bool = True
    ) -> EntityRefs[Timers]:
        """Host a `Schedule`'s timers, and fire what is due, somewhere in the cluster.

        Call it on every node that may run it, instead of `deploy`. What fires them are processes of the projection
        that `aecorpy.schedule.name_of` names.

        Args:
            timers: the class.
            patience: pauses and bounds of the processes.
            hosts: whether timers and processes may live on this node; otherwise it only calls those of others.

        Returns:
            the way to the timers by id.

        Raises:
            InvalidDefinition, WrongShardCount, DeploymentMismatch, Unavailable: as `deploy` and `distribute`.
        """
        view, processes = firing_view(timers)
        refs: EntityRefs[Timers] = await self.deploy(timers, hosts=hosts)
        await self.distribute(name_of(timers), view, processes=processes, patience=patience, hosts=hosts)
        return refs

    def journal(self, entity: type[Entity[Any, Any]]) -> EventJournal[Any]:
        """The journal of a deployed entity class, to read its events.

        Raises:
            InvalidDefinition: the class is not deployed here.
        """
        deployment = self._deployment_of(entity)
        if deployment.journal is None:
            raise InvalidDefinition(f"{entity.__name__} is not eventsourced, so it has no journal")
        return deployment.journal

    def live_entities(self, entity: type) -> int:
        """How many instances of a deployed class are in memory.

        Raises:
            InvalidDefinition: the class is not deployed here.
        """
        return self._deployment_of(entity).population.live

    def _deployment_of(self, entity: type) -> Deployment:
        found = next((one for one in self._deployments.values() if one.entity is entity), None)
        if found is None:
            raise InvalidDefinition(
                f"{entity.__name__} is not deployed on node {self.node!r} of cluster {self.name!r}: deploy it first, "
                "with `entities=` or `deploy`; with `hosts=False` its instances live elsewhere"
            )
        return found

    def _running(self, part: Part | None) -> Part:
        """A part of the node that it has while it runs."""
        if part is None:
            raise AecorError(f"node {self.name!r} is not running: use it in `async with`, or await its start()")
        return part

    def _register(self, name: str, deployment: Deployment) -> None:
        self._check_new(name, deployment.entity)  # once more: another may have come while this one was being opened
        self._deployments[name] = deployment

    def _check_new(self, name: str, entity: type) -> None:
        self._running(self._engine)
        if self._stopping:
            raise NodeStopping(f"node {self.name!r} is stopping: it takes no {entity.__name__}")
        if name in self._deployments:
            other = self._deployments[name].entity
            raise InvalidDefinition(f"{entity.__name__}: the name {name!r} is taken by {other.__name__} on this node")

    async def _open_door(
        self, deployment: ClusterDeployment, title: str, tagging: Tagging, host: ShardHost, hosts: bool
    ) -> Door:
        engine, deadlines = self._running(self._engine), self._running(self._deadlines)
        with told_as_ours():
            routes = await self.cluster.deploy(deployment, host, hosts=hosts)
        return Door(title, tagging, engine, routes.addresses, deadlines)


def _checked(entity: type) -> Behaviour[Any] | type[Actor]:
    """What an entity class does, or a plain actor class itself.

    Raises:
        InvalidDefinition: it cannot work as it is.
    """
    if isinstance(entity, type) and issubclass(entity, Entity):
        return Behaviour.of(entity)
    return checked_actor(entity)
