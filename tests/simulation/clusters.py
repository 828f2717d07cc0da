"""Whole clusters on the simulated loop: real nodes that host entities, and callers that note what they were told."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from aecorpy import AecorError, ClusterNode, ClusterSettings, EntityRefs, Rejection
from journal.errors import JournalError, OutcomeUnknown
from sharding.ports import Ports as ClusterPorts
from tests.checker.records import (
    ANSWERED,
    READ,
    REFUSED,
    REJECTED,
    UNKNOWN,
    Crashed,
    Leftover,
    Record,
    Sent,
    Settled,
    Started,
    Stopped,
    Told,
    Value,
)
from tests.simulation.ending import final_records
from tests.simulation.errors import NodeCrashed
from tests.simulation.nodes import current_node
from tests.simulation.notes import SHARDS, Notes
from tests.simulation.projecting import PROCESSES, Projecting
from tests.simulation.ready import Order
from tests.simulation.recording import Log, RecordedWorld
from tests.simulation.world import Ports

KEYS = tuple(f"k{number}" for number in range(16))
LEASE = 5.0
HEALTHY_WITHIN = 30.0
LEVEL_WITHIN = 20.0
POLL_SECONDS = 0.2  # looking for other nodes' events ten times as often takes half of a run, and finds no more

# what callers do: the command, what it is to the checker, how many events, how often
COMMANDS = (
    ("note", "append", 1, 60),
    ("note_slowly", "append", 1, 10),
    ("note_twice", "append", 2, 8),
    ("think_better", "append", 1, 6),
    ("look", READ, 0, 30),
)
_BY_NAME = {name: (op, events) for name, op, events, _ in COMMANDS}
_NAMES, _WEIGHTS = [row[0] for row in COMMANDS], [row[3] for row in COMMANDS]


@dataclass
class Ran:
    """What came of a run.

    Attributes:
        records: for the checker.
        digest, seconds: of the run, in virtual time.
    """

    records: list[Record] = field(default_factory=list)
    digest: str = ""
    seconds: float = 0.0

    @property
    def told(self) -> Tally[str]:
        """How many commands ended how."""
        return Tally(record.outcome for record in self.records if isinstance(record, Told))


@dataclass
class Running:
    """A node of a run."""

    node: ClusterNode
    notes: EntityRefs[Notes]
    life: str


Scenario = Callable[["ClusterRun", RecordedWorld], Coroutine[Any, Any, None]]


class ClusterRun:
    """One run of one seed.

    Args:
        seed: from which all is drawn.
        nodes: the names of the nodes that are there from the beginning; others may be started later.
        more: names of nodes that are not started at first.
        fresh: whether reads must never be stale, as when nothing goes wrong.
        loopback: whether each node, although on a machine of its own, listens at its loopback address.
    """

    def __init__(
        self,
        seed: int,
        nodes: Sequence[str] = ("a", "b", "c"),
        more: Sequence[str] = (),
        *,
        fresh: bool = False,
        loopback: bool = False,
    ) -> None:
        self.seed = seed
        self.first = tuple(nodes)
        self.names = (*nodes, *more)
        self.log = Log()
        self.projecting = Projecting(self.log)
        self.enough = False
        self._fresh = fresh
        self._loopback = loopback
        self._numbers = 0
        self._owned: dict[tuple[str, int, int], str] = {}

    def run(self, scenario: Scenario, *, order: Order = Order.ANY, **limits: Any) -> Ran:
        """Run `scenario(self, world)` and gather what is to be checked.

        Raises:
            SimulationError: it hung, or a node reported an error that nobody handled.
        """
        ran = Ran()
        with RecordedWorld(self.seed, self.names, self._boot, order=order, **limits) as world:
            world.record_in(self.log)
            world.run(scenario(self, world))
            for node, tasks in world.loop.pending().items():
                if node != "<world>":  # what the store's machine still works on is not the nodes' to end
                    self.log.records += [Leftover(world.loop.now, node, task.get_name()) for task in tasks]
            self.log.records += world.run(final_records(world, self.log, self.projecting))
            ran.digest, ran.seconds = world.trace.digest, world.loop.now
        ran.records = self.log.records
        return ran

    async def _boot(self, ports: Ports) -> Running:
        life, loop, log = str(current_node()), asyncio.get_running_loop(), self.log
        log.watch(ports, life)

        def on_owned(name: str, shard: int, epoch: int, owned: bool) -> None:
            kind = "shard" if name == "notes" else "seat"  # a process's place, which is spread by another rule
            log((Started if owned else Stopped)(log.now(), kind, name, shard, life, epoch))
            if owned:
                self._owned[name, shard, epoch] = life
            else:
                self._owned.pop((name, shard, epoch), None)

        node = ClusterNode(
            "sim",
            journal=ports.database,
            store=ports.cluster_store,
            node=ports.name,
            bind=("127.0.0.1" if self._loopback else ports.host, 0),
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
        notes = await node.deploy(Notes)
        node.journal(Notes)._arrivals._poll_seconds = POLL_SECONDS
        await self.projecting.begin(node)
        return Running(node, notes, life)

    # --- callers

    async def call(self, world: RecordedWorld, where: str, caller: str, key: str, name: str = "note") -> str:
        """Send one command from the node `where`, and note what it is told; empty when nothing was sent."""
        running = world.running.get(where)
        if running is None:
            return ""
        sent: list[Sent] = []

        async def send() -> str:
            self._numbers += 1
            op, events = _BY_NAME[name]
            command = f"{caller}.{self._numbers}"
            sent.append(Sent(world.loop.now, command, caller, self._numbers, key, op, events, self._fresh))
            self.log(sent[0])
            answer: str = await getattr(running.notes(key), name)(int(caller), sent[0].number)
            return answer

        value, epoch, why = None, None, ""
        try:
            answer = await world.on(where, send())
        except (NodeCrashed, OutcomeUnknown) as error:
            outcome, why = UNKNOWN, repr(error)
        except Rejection as error:
            outcome, why = REJECTED, repr(error)
        except (AecorError, JournalError) as error:
            outcome, why = REFUSED, repr(error)
        else:
            outcome = ANSWERED
            value, epoch = _answer(answer, name)
        if sent:
            self.log(Told(world.loop.now, sent[0].command, outcome, value, epoch, why))
            world.trace.say(f"{key} {sent[0].command} {name}: {outcome} {why}", where)
        return outcome

    async def load(self, world: RecordedWorld, caller: int, pace: float = 5.0) -> None:
        """Send bursts of commands, one shortly after another, and the next burst when all are answered."""
        draws = world.loop.random(f"load {caller}")
        while not self.enough:
            where, key = draws.choice(self.names), draws.choice(KEYS)
            names = draws.choices(_NAMES, _WEIGHTS, k=draws.choice((1, 1, 1, 1, 4, 8)))
            one = draws.random() < 0.7  # in a row, on one entity, or all over the place
            keys = [key if one else draws.choice(KEYS) for _ in names]
            calls = []
            for name, key in zip(names, keys, strict=True):
                calls.append(world.loop.create_task(self.call(world, where, str(caller), key, name)))
                await asyncio.sleep(draws.choice((0.0, 0.0, 0.001, 0.005)))
            await asyncio.gather(*calls)
            await asyncio.sleep(draws.expovariate(pace))

    # --- how the cluster is

    async def settled(self, world: RecordedWorld, within: float = HEALTHY_WITHIN) -> bool:
        """Wait until every node is up, every key answers on every node, and shards are level; whether that came."""
        end = world.loop.now + within
        while world.loop.now < end:
            if all(name in world.running for name in self.names) and await self._all_answer(world):
                await self.level(world)
                return True
            await asyncio.sleep(0.5)
        return False

    async def _all_answer(self, world: RecordedWorld) -> bool:
        calls = [self.call(world, name, "0", key, "look") for name in world.running for key in KEYS]
        return set(await asyncio.gather(*calls)) == {ANSWERED}

    async def level(self, world: RecordedWorld, within: float = LEVEL_WITHIN) -> None:
        """Wait, not for ever, until every shard has one owner, and nobody too many: the checker is asked then."""
        end = world.loop.now + within
        while world.loop.now < end:
            if self._is_level(world) and self.projecting.all_run(_lives(world)):
                break
            await asyncio.sleep(0.1)
        self.log(Settled(world.loop.now, tuple(_lives(world))))

    def _is_level(self, world: RecordedWorld) -> bool:
        lives = _lives(world)
        places = {(name, shard): life for (name, shard, _), life in sorted(self._owned.items()) if life in lives}
        owners = {shard: life for (name, shard), life in places.items() if name == "notes"}
        counts = Tally(owners.values())
        mean = SHARDS / len(lives)
        return len(places) == SHARDS + sum(PROCESSES.values()) and all(
            abs(counts[life] - mean) <= mean * 0.1 + 1 for life in lives
        )

    async def stop(self, world: RecordedWorld, name: str) -> None:
        """Stop a node in order."""
        running = world.running.pop(name)
        await world.on(name, running.node.stop())
        self.log(Crashed(world.loop.now, running.life))

    async def stop_all(self, world: RecordedWorld) -> None:
        """Stop all nodes in order."""
        for name in list(world.running):
            await self.stop(world, name)
        await asyncio.sleep(6)  # longer than anybody waits for the store


def _lives(world: RecordedWorld) -> list[str]:
    return [running.life for running in world.running.values()]


def _answer(answer: str, name: str) -> tuple[Value, int | None]:
    """What an answer says of value and epoch."""
    if name != "look":
        return answer, None
    value, _, epoch = answer.split(" ")
    return value or None, int(epoch)


def _nonce(draw: Callable[[], float]) -> bytes:
    return bytes(int(draw() * 256) for _ in range(32))
