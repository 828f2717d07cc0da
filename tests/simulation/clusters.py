"""Whole clusters on the simulated loop: real nodes that host entities, and callers that note what they were told."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from aecorpy import AecorError, ClusterNode, ClusterSettings, Entity, EntityRefs, Fold, Next, Tagging, command, event
from journal.errors import JournalError, OutcomeUnknown
from journal.records import StoredEvent
from sharding.ports import Ports as ClusterPorts
from tests.simulation.errors import NodeCrashed
from tests.simulation.ready import Order
from tests.simulation.world import Ports, World

SHARDS = 12
KEYS = tuple(f"k{number}" for number in range(16))
LEASE = 5.0
HEALTHY_WITHIN = 30.0


@event("Noted")
@dataclass(frozen=True, slots=True)
class Noted:
    """A caller's command, by its number."""

    caller: int
    number: int


class Notes(Entity[int, Noted]):
    """Keeps what callers send, and says how much it has."""

    fold = Fold[int, Noted](0, lambda count, _: Next(count + 1))
    tagging = Tagging.partitioned(SHARDS)
    pause: ClassVar[float] = 0.02

    @command
    async def note(self, caller: int, number: int) -> int:
        self.append(Noted(caller, number))
        return self.state

    @command
    async def note_slowly(self, caller: int, number: int) -> int:
        self.append(Noted(caller, number))
        await asyncio.sleep(self.pause)
        return self.state


@dataclass
class Owned:
    """A node's own record: since when, and until when, it owned a shard under an epoch."""

    owner: str
    shard: int
    epoch: int
    since: float
    until: float | None = None


@dataclass
class Sent:
    """One command.

    Attributes:
        number: given when it was really sent; 0 before.
        told: `ok`, `no` (nothing happened) or `unknown`; empty while nobody has said anything.
    """

    key: str
    caller: int
    number: int = 0
    told: str = ""
    why: str = ""


@dataclass
class History:
    """What came of a run."""

    sent: list[Sent] = field(default_factory=list)
    owned: list[Owned] = field(default_factory=list)
    events: list[StoredEvent] = field(default_factory=list)
    digest: str = ""
    seconds: float = 0.0
    pending: list[str] = field(default_factory=list)

    @property
    def told(self) -> Tally[str]:
        """How many commands ended how."""
        return Tally(one.told for one in self.sent)


@dataclass
class Running:
    """A node of a run."""

    node: ClusterNode
    notes: EntityRefs[Notes]


class ClusterRun:
    """One run of one seed.

    Args:
        seed: from which all is drawn.
        nodes: the names of the nodes that are there from the beginning; others may be started later.
        more: names of nodes that are not started at first.
    """

    def __init__(self, seed: int, nodes: Sequence[str] = ("a", "b", "c"), more: Sequence[str] = ()) -> None:
        self.seed = seed
        self.first = tuple(nodes)
        self.names = (*nodes, *more)
        self.history = History()
        self.lives: Tally[str] = Tally()
        self.enough = False
        self.numbers = 0

    def run(
        self, scenario: Callable[[ClusterRun, World], Coroutine[Any, Any, None]], *, order: Order = Order.ANY
    ) -> History:
        """Run `scenario(self, world)` and gather what is to be checked.

        Raises:
            SimulationError: it hung, or a node reported an error that nobody handled.
            AssertionError: the cluster was not healthy in time.
        """
        with World(self.seed, self.names, self._boot, order=order) as world:
            world.run(scenario(self, world))
            self.history.events = world.run(_journal_of(world))
            self.history.digest = world.trace.digest
            self.history.seconds = world.loop.now
            tasks = world.loop.pending()
            self.history.pending = [  # what the store's machine still works on is not the nodes' to end
                f"{node}: {task.get_name()}" for node, some in tasks.items() if node != "<world>" for task in some
            ]
        return self.history

    async def _boot(self, ports: Ports) -> Running:
        self.lives[ports.name] += 1
        owner = f"{ports.name}/{self.lives[ports.name]}"
        loop = asyncio.get_running_loop()
        records: dict[tuple[int, int], Owned] = {}

        def on_owned(_: str, shard: int, epoch: int, owned: bool) -> None:
            if owned:
                records[shard, epoch] = Owned(owner, shard, epoch, loop.time())
                self.history.owned.append(records[shard, epoch])
            else:
                records[shard, epoch].until = loop.time()

        node = ClusterNode(
            "sim",
            journal=ports.database,
            store=ports.cluster_store,
            node=ports.name,
            bind=(ports.host, 0),
            secret=b"a secret of the simulation",
            lease_seconds=LEASE,
            cluster=ClusterSettings(hand_off=3.0, unreachable=2.0, moves_at_once=4),
            ask_seconds=8.0,
            stop_seconds=8.0,
            clock=ports.clock,
            draw=ports.draw,
            ports=ClusterPorts(
                clock=loop.time, draw=ports.draw, nonce=lambda: _nonce(ports.draw), network=ports.network
            ),
            on_owned=on_owned,
        )
        await node.start()
        return Running(node, await node.deploy(Notes))

    # --- callers

    async def call(self, world: World, where: str, sent: Sent, *, slowly: bool = False) -> None:
        """Send one command from the node `where`, and note what it is told."""
        running = world.running.get(where)
        if running is None:
            sent.told, sent.why = "no", "not running"
            return

        async def send() -> None:
            note = running.notes(sent.key)
            self.numbers += 1
            sent.number = self.numbers
            await (note.note_slowly if slowly else note.note)(sent.caller, sent.number)

        try:
            await world.on(where, send())
        except (NodeCrashed, OutcomeUnknown) as error:
            sent.told, sent.why = "unknown", repr(error)
        except (AecorError, JournalError) as error:
            sent.told, sent.why = "no", repr(error)
        else:
            sent.told = "ok"
        world.trace.say(f"{sent.key} {sent.caller}.{sent.number}: {sent.told} {sent.why}", where)

    async def load(self, world: World, caller: int, pace: float = 8.0) -> None:
        """Send bursts of commands, the next one when all of a burst are answered, until it is enough."""
        draws = world.loop.random(f"load {caller}")
        while not self.enough:
            where, key = draws.choice(self.names), draws.choice(KEYS)
            calls = []
            for _ in range(draws.choice((1, 1, 1, 4))):
                sent = Sent(key, caller)
                self.history.sent.append(sent)
                calls.append(self.call(world, where, sent, slowly=draws.random() < 0.1))
            await asyncio.gather(*calls)
            await asyncio.sleep(draws.expovariate(pace))

    async def until_healthy(self, world: World) -> None:
        """Wait until every node is up and every key answers on every node.

        Raises:
            AssertionError: that took too long.
        """
        end = world.loop.now + HEALTHY_WITHIN
        missing: list[str] = ["nothing tried yet"]
        while missing:
            assert world.loop.now < end, f"not healthy {HEALTHY_WITHIN} s after all was repaired: {missing}"
            missing = [f"{name} is down" for name in self.names if name not in world.running]
            sents = [(name, Sent(key, 0)) for name in world.running for key in KEYS]
            self.history.sent.extend(sent for _, sent in sents)
            await asyncio.gather(*[self.call(world, name, sent) for name, sent in sents])
            missing += [f"{name} {sent.key}: {sent.why}" for name, sent in sents if sent.told != "ok"]
            await asyncio.sleep(0.5)

    async def stop_all(self, world: World) -> None:
        """Stop all nodes in order."""
        for name in list(world.running):
            await world.on(name, world.running[name].node.stop())
        await asyncio.sleep(6)  # longer than anybody waits for the store


def _nonce(draw: Any) -> bytes:
    return bytes(int(draw() * 256) for _ in range(32))


async def _journal_of(world: World) -> list[StoredEvent]:
    store = await world.memory.journal("notes", SHARDS)
    return await store.read_shards(dict.fromkeys(range(SHARDS), 0), 1_000_000)
