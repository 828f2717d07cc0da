"""Random commands on a few entities under random faults of the store, on two nodes: what was said is what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, ClassVar, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aecorpy import (
    ClusterNode,
    CommandFailed,
    DeadlinePassed,
    Entity,
    EntityRefs,
    Fenced,
    Fold,
    Next,
    OutcomeUnknown,
    Rejection,
    Snapshotting,
    Tagging,
    Unavailable,
    command,
    event,
    query,
    snapshot,
)
from journal.memory import MemoryDatabase
from tests.aecorpy.conftest import NOW
from tests.aecorpy.looking import turns
from tests.faulty_store import FaultyDatabase, conflict, fenced, lost_after, lost_before, unavailable


@event("Moved")
@dataclass(frozen=True, slots=True)
class Moved:
    cents: int
    command: int


@snapshot("Balance")
@dataclass(frozen=True, slots=True)
class Balance:
    version: int
    cents: int


class Overdrawn(Rejection):
    """There is not so much."""


class Doors:
    """Where slow commands wait: for a few turns of the loop, or until somebody opens."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Event] = []

    async def passed(self, times: int) -> None:
        """Wait a little, or long."""
        if times < 3:
            await turns(times)
        else:
            self._waiting.append(asyncio.Event())
            await self._waiting[-1].wait()

    def let_pass(self) -> None:
        """Open for all who wait."""
        for door in self._waiting:
            door.set()
        self._waiting.clear()


class Account(Entity[Balance, Moved]):
    """Moves money, at once or after a while, and says at which version it answered."""

    doors: ClassVar[Doors]
    fold = Fold(Balance(0, 0), lambda balance, moved: Next(Balance(balance.version + 1, balance.cents + moved.cents)))
    tagging = Tagging.partitioned(2)
    snapshotting = Snapshotting(4)
    rejections = (Overdrawn,)

    @command
    async def move(self, cents: int, number: int, times: int) -> Balance:
        if self.state.cents + cents * times < 0:
            raise Overdrawn()
        self.append(*[Moved(cents, number)] * times)
        return self.state

    @command
    async def move_slowly(self, cents: int, number: int, times: int) -> Balance:
        self.append(*[Moved(cents, number)] * times)
        await self.doors.passed(times)
        if self.state.cents < 0:
            raise Overdrawn()
        return self.state

    @command
    async def fail(self, cents: int, number: int, times: int) -> Balance:
        self.append(*[Moved(cents, number)] * times)
        raise ZeroDivisionError

    @query
    async def look(self) -> Balance:
        return self.state


KEYS = ("a", "b", "c")
FAULTS: dict[str, Callable[[], Any]] = {
    "unavailable": unavailable,
    "lost before": lost_before,
    "lost after": lost_after,
    "conflict": conflict,
    "conflict of a": lambda: conflict("a"),
    "fenced": fenced,
}
COMMANDS = ["move"] * 6 + ["move_slowly"] * 2 + ["look"] * 3 + ["fail"]
KINDS = [
    *["call"] * 16,
    *["turns"] * 4,
    *["settle", "open gates", "open doors", "restart"] * 2,
    *["fault"] * 3,
    *["gate"] * 2,
    "read fault",
]
HOW = ["unavailable", "lost before", "lost after", "conflict", "conflict of a"] * 4 + ["fenced"]
READS = ["read_entity", "claim", "heads", "snapshot_get", "snapshot_put"]
Action: TypeAlias = tuple[Any, ...]


@st.composite
def programs(draw: st.DrawFn) -> list[Action]:
    """What is done, one after the other."""
    return [_action(draw, draw(st.sampled_from(KINDS))) for _ in range(draw(st.integers(20, 60)))]


def _action(draw: st.DrawFn, kind: str) -> Action:
    match kind:
        case "call":
            node = draw(st.sampled_from([0] * 15 + [1]))
            key, cents, times = draw(st.sampled_from(KEYS)), draw(st.integers(-3, 5)), draw(st.integers(1, 3))
            return "call", draw(st.sampled_from(COMMANDS)), key, node, cents, times
        case "turns":
            return "turns", draw(st.integers(1, 8))
        case "fault":
            return "fault", "append", draw(st.sampled_from(HOW))
        case "read fault":
            how = draw(st.sampled_from(["unavailable", "lost before", "lost after"]))
            return "fault", draw(st.sampled_from(READS)), how
        case "gate":
            return "gate", draw(st.sampled_from(["nothing", *HOW]))
        case "restart":
            return "restart", draw(st.sampled_from([0, 1]))
    return (kind,)


@dataclass
class Said:
    """What the caller of a command was told."""

    key: str
    name: str
    node: int
    times: int
    answered_before: frozenset[int]
    answer: Balance | None = None
    error: BaseException | None = None
    done: bool = False


@dataclass
class World:
    """Two nodes on one store, all that was said, and the calls that are under way."""

    faulty: FaultyDatabase
    nodes: list[ClusterNode] = field(default_factory=list)
    accounts: list[EntityRefs[Account]] = field(default_factory=list)
    said: dict[int, Said] = field(default_factory=dict)
    calls: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Start both nodes."""
        for _ in range(2):
            node = ClusterNode("model", journal=self.faulty, ask_seconds=20.0, stop_seconds=20.0)
            await node.start()
            self.nodes.append(node)
            self.accounts.append(await node.deploy(Account))

    async def restart(self, number: int) -> None:
        """Stop a node in order, whatever is under way on it, and start it again."""
        await self._let_pass_until_done({asyncio.ensure_future(self.nodes[number].stop())})
        await self.nodes[number].start()
        self.accounts[number] = await self.nodes[number].deploy(Account)

    def call(self, name: str, key: str, node: int, cents: int, times: int) -> None:
        """Send a command, without waiting for its answer."""
        number = len(self.said)
        before = frozenset(earlier for earlier, one in self.said.items() if one.done and one.key == key)
        said = self.said[number] = Said(key, name, node, times, before)
        ref = self.accounts[node](key)
        sent: Awaitable[Balance] = ref.look() if name == "look" else getattr(ref, name)(cents, number, times)
        self.calls.add(asyncio.ensure_future(self._hear(said, sent)))

    async def _hear(self, said: Said, sent: Awaitable[Balance]) -> None:
        try:
            said.answer = await sent
        except DeadlinePassed:
            raise  # nothing here takes that long: somebody was forgotten
        except (Rejection, CommandFailed, Unavailable, Fenced, OutcomeUnknown) as error:
            said.error = error
        said.done = True

    def open_gates(self) -> None:
        """Let through what waits at the store."""
        for gate in self.faulty._gates:
            gate.release()

    async def settle(self) -> None:
        """Wait for all answers."""
        await self._let_pass_until_done(self.calls)

    async def _let_pass_until_done(self, awaited: set[asyncio.Task[None]]) -> None:
        """Let through what waits at the store and what waits at the doors, until all of these have ended."""
        while awaited:
            self.open_gates()
            await turns(10)  # so that slow commands may still be running when the commits before them end
            Account.doors.let_pass()
            await turns(10)
            for task in [one for one in awaited if one.done()]:
                awaited.remove(task)
                task.result()

    async def act(self, action: Action) -> None:
        """Do one of the actions."""
        match action:
            case ("call", str(name), str(key), int(node), int(cents), int(times)):
                self.call(name, key, node, cents, times)
            case ("fault", str(operation), str(name)):
                self.faulty.on(operation, FAULTS[name]())
            case ("gate", str(name)):
                self.faulty.block("append", None if name == "nothing" else FAULTS[name]())
            case ("open gates",):
                self.open_gates()
            case ("open doors",):
                Account.doors.let_pass()
            case ("turns", int(count)):
                await turns(count)
            case ("settle",):
                await self.settle()
            case ("restart", int(number)):
                await self.restart(number)


async def check(world: World) -> None:
    """Assert that what was said is what is kept."""
    store = await world.faulty.inner.journal("account", 2)
    codec = world.accounts[0].behaviour.events
    await world.restart(1)
    for key in KEYS:
        rows = await store.read_entity(key, 1, 100_000)
        assert [row.seq_nr for row in rows] == list(range(1, len(rows) + 1))
        epochs = [row.epoch for row in rows]
        assert epochs == sorted(epochs)
        moves: list[Moved] = [codec.decode(row.type_name, row.version, row.payload) for row in rows]
        balances = [0, *accumulate(moved.cents for moved in moves)]
        places: dict[int, list[int]] = {}
        for seq_nr, moved in enumerate(moves, 1):
            places.setdefault(moved.command, []).append(seq_nr)
        for number, said in world.said.items():
            if said.key == key:
                _check_said(said, places.get(number, []), balances, world.said)
        assert await world.accounts[1](key).look() == Balance(len(rows), balances[-1])


def _check_said(said: Said, found: list[int], balances: list[int], everything: dict[int, Said]) -> None:
    assert said.done
    assert len(found) in (0, said.times), "all events of a command, or none"
    assert not found or found == list(range(found[0], found[0] + said.times)), "side by side"
    if said.answer is not None:
        assert balances[said.answer.version] == said.answer.cents
        if said.name != "look":
            assert found
            assert found[-1] == said.answer.version
        _check_order(said, said.answer, everything)
    elif isinstance(said.error, OutcomeUnknown):
        assert said.name in ("move", "move_slowly") or not found
    else:
        assert not found, f"{said.error!r}, and yet it was kept"


def _check_order(said: Said, answer: Balance, everything: dict[int, Said]) -> None:
    """What was sent after an answer follows it. Only a look at a node that has lost the shard unawares may be older."""
    for number in said.answered_before:
        earlier = everything[number]
        if earlier.answer is None:
            continue
        if said.name != "look":
            assert earlier.answer.version < answer.version
        elif earlier.node == said.node:
            assert earlier.answer.version <= answer.version


async def _run(actions: list[Action]) -> None:
    Account.doors = Doors()
    world = World(FaultyDatabase(MemoryDatabase(clock=lambda: NOW)))
    await world.start()
    try:
        for action in actions:
            await world.act(action)
        world.faulty.heal()
        await world.settle()
        await check(world)
    finally:
        world.faulty.heal()
        for node in world.nodes:
            await node.stop()
    here = asyncio.current_task()
    assert {task for task in asyncio.all_tasks() if task is not here} == set()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_what_was_said_is_what_is_kept(actions: list[Action]) -> None:
    asyncio.run(_run(actions))
