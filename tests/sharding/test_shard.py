"""Shards and regions, with a host that does what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from thespian.actors import Actor, ActorExitRequest

from sharding import shard as shards
from sharding.actors import Address, AskFailed, AsyncActor, Engine, Undeliverable
from sharding.region import Region, ShardsWanted
from sharding.shard import Envelope, Passivate, Population, ShardHost, ShardLost, StillBusy
from tests.waiting import eventually

IDLE = 0.01


class Refusal(Exception):
    """What the host's callers are told."""


class Echo(AsyncActor):
    """Answers with its key and how many messages it has had; is busy, fails or exits when told to."""

    def __init__(self, key: str, host: Host) -> None:
        super().__init__()
        self.key = key
        self.count = 0
        self.host = host
        host.made.append(key)

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, Passivate):
            self.host.asked_to_leave.append(self.key)
            if self.key in self.host.busy:
                self.send(sender, StillBusy(self.key))
            elif self.key not in self.host.thinking:
                self.send(self.myAddress, ActorExitRequest())
        elif isinstance(message, ActorExitRequest):
            self.host.left.append(self.key)
        elif message == "exit":
            self.send(self.myAddress, ActorExitRequest())
        elif message == "lost":
            assert self.host.address is not None
            self.send(self.host.address, ShardLost(0, Refusal("lost")))
            self.send(sender, "told")
        else:
            self.count += 1
            self.send(sender, (self.key, self.count))


class Host(ShardHost):
    """A host of echoes. `busy` ones do not leave, `thinking` ones do not even answer when asked to."""

    def __init__(self, idle_seconds: float = 1_000.0, limit: int = 1_000) -> None:
        self.idle_seconds = idle_seconds
        self.population = Population(limit)
        self.made: list[str] = []
        self.left: list[str] = []
        self.asked_to_leave: list[str] = []
        self.busy: set[str] = set()
        self.thinking: set[str] = set()
        self.open_errors: list[Exception] = []
        self.opened: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.address: Address | None = None

    async def open(self, shard: int, address: Address) -> Callable[[str], Actor]:
        await self.gate.wait()
        self.opened.append(shard)
        self.address = address
        if self.open_errors:
            raise self.open_errors.pop(0)
        return lambda key: Echo(key, self)

    def refusal(self, error: BaseException) -> Any:
        return error

    def overloaded(self, shard: int) -> Exception:
        return Refusal(f"shard {shard} is overloaded")


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """An engine, which ends with nothing left over."""
    engine = Engine(asyncio.get_running_loop())
    yield engine
    assert (await engine.shutdown()).clean


class Caller:
    """Asks entities of one region."""

    def __init__(self, engine: Engine, host: Host, count: int = 1) -> None:
        self.engine = engine
        self.region = engine.create(lambda: Region(count, host))
        self.shards: Sequence[Address] = ()

    async def ask(self, key: str, message: Any = "hello", shard: int = 0) -> Any:
        async with asyncio.timeout(5):
            if not self.shards:
                self.shards = await self.engine.ask(self.region, ShardsWanted())
            return await self.engine.ask(self.shards[shard], Envelope(shard, key, message))


async def test_a_key_is_one_entity(engine: Engine) -> None:
    caller = Caller(engine, Host(), 3)
    assert [await caller.ask("a"), await caller.ask("b"), await caller.ask("a")] == [("a", 1), ("b", 1), ("a", 2)]


async def test_a_shard_is_opened_at_its_first_message_and_messages_wait_for_it(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host, 3)
    host.gate.clear()
    asks = [asyncio.ensure_future(caller.ask(key, shard=1)) for key in ("a", "a", "b")]
    await asyncio.sleep(0)
    assert host.opened == []
    host.gate.set()
    assert [*await asyncio.gather(*asks)] == [("a", 1), ("a", 2), ("b", 1)]
    assert host.opened == [1]


async def test_a_shard_that_cannot_be_opened_tells_who_waits_and_is_tried_again(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host)
    host.open_errors = [Refusal("first"), Refusal("second")]
    assert str(await caller.ask("a")) == "first"
    assert str(await caller.ask("a")) == "second"
    assert await caller.ask("a") == ("a", 1)


async def test_what_waits_for_a_shard_is_bounded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "MAX_WAITING", 2)
    host = Host()
    caller = Caller(engine, host)
    host.gate.clear()
    waiting = [asyncio.ensure_future(caller.ask("a")) for _ in range(2)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert str(await caller.ask("a")) == "shard 0 is overloaded"
    host.gate.set()
    assert [*await asyncio.gather(*waiting)] == [("a", 1), ("a", 2)]


async def test_idle_entities_leave_and_come_back_fresh(engine: Engine) -> None:
    host = Host(IDLE)
    caller = Caller(engine, host)
    await caller.ask("a")
    await eventually(lambda: host.population.live == 0)
    assert host.left == ["a"]
    assert await caller.ask("a") == ("a", 1)
    assert host.made == ["a", "a"]


async def test_an_entity_with_messages_stays(engine: Engine) -> None:
    host = Host(IDLE)
    caller = Caller(engine, host)
    await caller.ask("idle")

    async def ask_until_the_other_left() -> bool:
        await caller.ask("active")
        return "idle" in host.left

    await eventually(ask_until_the_other_left, every=IDLE / 10)
    assert host.made.count("active") == 1 or "active" in host.left


async def test_a_busy_entity_stays_and_is_asked_again_later(engine: Engine) -> None:
    host = Host(IDLE)
    caller = Caller(engine, host)
    host.busy.add("a")
    await caller.ask("a")
    await eventually(lambda: len(host.asked_to_leave) >= 3, what="a busy entity is asked again and again")
    assert await caller.ask("a") == ("a", 2), "it is still the same"
    host.busy.clear()
    await eventually(lambda: host.population.live == 0)


async def test_messages_during_leaving_wait_for_a_fresh_entity(engine: Engine) -> None:
    host = Host(IDLE)
    caller = Caller(engine, host)
    await caller.ask("a")
    host.thinking.add("a")
    await eventually(lambda: host.asked_to_leave == ["a"])
    asks = [asyncio.ensure_future(caller.ask("a")) for _ in range(3)]
    await asyncio.sleep(0)
    assert await caller.ask("b") == ("b", 1)
    assert not any(ask.done() for ask in asks)
    assert host.address is not None
    (leaving,) = [cell.address for cell in _cells(engine) if getattr(cell.instance, "key", "") == "a"]
    engine.stop(leaving)
    assert [*await asyncio.gather(*asks)] == [("a", 1), ("a", 2), ("a", 3)]


async def test_messages_during_a_refused_leaving_reach_the_busy_entity(engine: Engine) -> None:
    host = Host(IDLE)
    caller = Caller(engine, host)
    await caller.ask("a")
    host.thinking.add("a")
    await eventually(lambda: host.asked_to_leave == ["a"])
    asks = [asyncio.ensure_future(caller.ask("a")) for _ in range(3)]
    await asyncio.sleep(0)
    assert host.address is not None
    engine.tell(host.address, StillBusy("a"))
    assert [*await asyncio.gather(*asks)] == [("a", 2), ("a", 3), ("a", 4)]
    host.thinking.clear()


async def test_the_cap_makes_room(engine: Engine) -> None:
    host = Host(limit=5)
    caller = Caller(engine, host)
    for number in range(50):
        assert await caller.ask(str(number)) == (str(number), 1)
    await eventually(lambda: host.population.live <= 5)
    assert host.left == [str(number) for number in range(45)], "the longest idle first"
    assert await caller.ask("49") == ("49", 2)
    assert await caller.ask("0") == ("0", 1)


async def test_the_cap_holds_over_several_shards_but_for_one_entity_in_each(engine: Engine) -> None:
    host = Host(limit=5)
    caller = Caller(engine, host, 4)
    for number in range(80):
        assert await caller.ask(str(number), shard=number % 4) == (str(number), 1)
    await eventually(lambda: host.population.live <= 5 + 4)


async def test_entities_that_take_turns_under_a_cap_of_one(engine: Engine) -> None:
    host = Host(limit=1)
    caller = Caller(engine, host)
    for _ in range(5):
        asks = [caller.ask(key) for key in ("a", "b", "c")]
        assert [key for key, _ in await asyncio.gather(*asks)] == ["a", "b", "c"]


async def test_an_entity_that_exits_by_itself_is_made_anew(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host)
    await caller.ask("a")
    with pytest.raises(AskFailed):
        await caller.ask("a", "exit")
    await eventually(lambda: host.population.live == 0)
    assert await caller.ask("a") == ("a", 1)


async def test_an_entity_that_cannot_be_made_is_told_and_tried_again(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host)
    made = host.made

    class Refusing(list[str]):
        def append(self, key: str) -> None:
            raise ValueError("no")

    host.made = Refusing()
    with pytest.raises(Undeliverable):
        await caller.ask("a")
    await eventually(lambda: host.population.live == 0)
    host.made = made
    assert await caller.ask("a") == ("a", 1)


async def test_a_lost_shard_refuses_and_lets_all_its_entities_go(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host, 2)
    for key in ("a", "b", "c"):
        await caller.ask(key)
    assert await caller.ask("elsewhere", shard=1) == ("elsewhere", 1)
    host.address = _shard_of(engine, "a")
    assert await caller.ask("a", "lost") == "told"
    await eventually(lambda: host.population.live == 1)
    assert sorted(host.left) == ["a", "b", "c"]
    assert str(await caller.ask("a")) == "lost"
    assert str(await caller.ask("new")) == "lost"
    assert await caller.ask("elsewhere", shard=1) == ("elsewhere", 2)


@pytest.mark.parametrize("answers", [True, False])
async def test_an_entity_that_was_leaving_when_its_shard_is_lost_leaves_and_who_waits_is_told(
    engine: Engine, answers: bool
) -> None:
    host = Host(IDLE)
    caller = Caller(engine, host)
    await caller.ask("a")
    host.thinking.add("a")
    await eventually(lambda: host.asked_to_leave == ["a"])
    waiting = asyncio.ensure_future(caller.ask("a"))
    await asyncio.sleep(0)
    assert host.address is not None
    engine.tell(host.address, ShardLost(0, Refusal("lost")))
    if answers:
        engine.tell(host.address, StillBusy("a"))
    assert str(await waiting) == "lost"
    await eventually(lambda: host.population.live == 0)


async def test_what_a_shard_does_not_know_does_not_harm_it(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host)
    await caller.ask("a")
    assert host.address is not None
    engine.tell(host.address, "something")
    engine.tell(caller.region, "something")
    assert await caller.ask("a") == ("a", 2)


async def test_a_region_that_exits_leaves_nobody(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host, 3)
    for number in range(6):
        await caller.ask(str(number), shard=number % 3)
    engine.stop(caller.region)
    await eventually(lambda: engine.actors == 0)
    assert sorted(host.left) == list("012345")
    assert host.population.live == 0


def _cells(engine: Engine) -> list[Any]:
    found, level = [], list(engine.root.children or ())
    while level:
        found += level
        level = [child for cell in level for child in cell.children or ()]
    return found


def _shard_of(engine: Engine, key: str) -> Address:
    (cell,) = [cell for cell in _cells(engine) if getattr(cell.instance, "key", "") == key]
    address: Address = cell.parent.address
    return address
