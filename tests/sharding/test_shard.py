"""Shards, with a host that does what the test says, under a keeper that stands in for the region."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import pytest
from thespian.actors import Actor, ActorExitRequest

from sharding import shard as shards
from sharding.actors import Address, AskFailed, AsyncActor, Engine, Undeliverable
from sharding.host import EpochRefused, Population, ShardHost
from sharding.messages import Envelope, Passivate, Retire, ShardLost, StillBusy
from sharding.shard import Drain, Drained, Fence, Own, Shard
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
        elif isinstance(message, Retire):
            self.host.retired.append(self.key)
            if self.key not in self.host.thinking:
                self.send(self.myAddress, ActorExitRequest())
        elif isinstance(message, ActorExitRequest):
            self.host.left.append(self.key)
        elif message == "exit":
            self.send(self.myAddress, ActorExitRequest())
        elif message == "lost":
            assert self.host.address is not None
            self.send(self.host.address, ShardLost(1, 5, Refusal("lost")))
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
        self.retired: list[str] = []
        self.busy: set[str] = set()
        self.thinking: set[str] = set()
        self.open_errors: list[Exception] = []
        self.opened: list[tuple[int, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.address: Address | None = None

    async def open(self, shard: int, epoch: int, address: Address) -> Callable[[str], Actor]:
        await self.gate.wait()
        self.opened.append((shard, epoch))
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


class Keeper(AsyncActor):
    """Stands in for a region: makes the shards, all under epoch 1, and keeps what they say."""

    def __init__(self, host: Host, count: int) -> None:
        super().__init__()
        self.host, self.count = host, count
        self.said: list[Any] = []
        self.shards: list[Address] = []

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if message == "shards":
            for number in range(len(self.shards), self.count):
                self.shards.append(self.create_child(partial(Shard, number, 1, self.host, self.myAddress)))
            self.send(sender, self.shards)
        elif isinstance(message, Drained | Fence):
            self.said.append(message)


class Caller:
    """Asks entities of some shards, and orders these about."""

    def __init__(self, engine: Engine, host: Host, count: int = 1) -> None:
        self.engine = engine
        self.keeper = Keeper(host, count)
        self.region = engine.create(lambda: self.keeper)
        self.shards: Sequence[Address] = ()

    @property
    def said(self) -> list[Any]:
        """By shards to their region."""
        return self.keeper.said

    async def ready(self) -> None:
        """Make the shards."""
        if not self.shards:
            self.shards = await self.engine.ask(self.region, "shards")

    async def ask(self, key: str, message: Any = "hello", shard: int = 0) -> Any:
        async with asyncio.timeout(5):
            await self.ready()
            return await self.engine.ask(self.shards[shard], Envelope(shard, key, message))

    def tell(self, message: Any) -> None:
        self.engine.tell(self.shards[0], message)

    async def begin(self, *keys: str) -> list[asyncio.Future[Any]]:
        """Send to these keys, and return when the shard has it all."""
        await self.ready()
        asks = [self.engine.ask(self.shards[0], Envelope(0, key, "hello")) for key in keys]
        await turns()
        return asks

    async def drained(self) -> Drained:
        """What the shard said when it had ended."""
        (drained,) = await eventually(lambda: [one for one in self.said if isinstance(one, Drained)])
        return drained


async def turns() -> None:
    """Let actors take the turns that they can."""
    for _ in range(20):
        await asyncio.sleep(0)


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
    assert host.opened == [(1, 1)]


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
    await turns()
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


async def test_a_lost_shard_lets_all_its_entities_go_and_takes_commands_again_under_a_newer_epoch(
    engine: Engine,
) -> None:
    host = Host()
    caller = Caller(engine, host, 2)
    for key in ("a", "b", "c"):
        await caller.ask(key)
    assert await caller.ask("elsewhere", shard=1) == ("elsewhere", 1)
    host.address = caller.shards[0]
    assert await caller.ask("a", "lost") == "told"
    await eventually(lambda: host.population.live == 1)
    assert sorted(host.left) == ["a", "b", "c"]
    assert caller.said == [Fence(0, 1, 5)]
    (waiting, new) = await caller.begin("a", "new")
    assert not waiting.done()
    caller.tell(Own(6))
    assert [await waiting, await new] == [("a", 1), ("new", 1)]
    assert host.opened[-1] == (0, 6)
    assert await caller.ask("elsewhere", shard=1) == ("elsewhere", 2)


async def test_an_epoch_that_is_not_new_is_reported_and_who_waits_goes_on_waiting(engine: Engine) -> None:
    host = Host()
    host.open_errors = [EpochRefused("shard 0", 1, 8), EpochRefused("shard 0", 9, 12)]
    caller = Caller(engine, host)
    asks = await caller.begin("a", "a", "b")
    assert caller.said == [Fence(0, 1, 8)]
    caller.tell(Own(9))
    await turns()
    assert caller.said == [Fence(0, 1, 8), Fence(0, 9, 12)]
    asks += await caller.begin("b")
    caller.tell(Own(13))
    assert [await ask for ask in asks] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert [epoch for _, epoch in host.opened] == [1, 9, 13]


async def test_a_fenced_shard_that_nobody_waits_for_opens_at_its_next_message(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host)
    await caller.ask("a")
    assert await caller.ask("a", "lost") == "told"
    await eventually(lambda: caller.said)
    caller.tell(Own(6))
    await turns()
    assert len(host.opened) == 1
    assert await caller.ask("a") == ("a", 1)
    assert host.opened == [(0, 1), (0, 6)]


async def test_a_newer_epoch_while_it_opens_is_the_one_that_counts(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host)
    host.gate.clear()
    (ask,) = await caller.begin("a")
    caller.tell(Own(4))
    await turns()
    host.gate.set()
    assert await ask == ("a", 1)
    await turns()
    host.address = caller.shards[0]
    engine.tell(host.address, ShardLost(1, 5, Refusal("of the epoch before")))
    assert await caller.ask("a") == ("a", 2), "what an older epoch lost is old news"
    assert caller.said == []


@pytest.mark.parametrize("epoch", [0, 1])
async def test_an_epoch_that_is_not_newer_changes_nothing(engine: Engine, epoch: int) -> None:
    caller = Caller(engine, Host())
    await caller.ask("a")
    caller.tell(Own(epoch))
    assert await caller.ask("a") == ("a", 2)


async def test_a_newer_epoch_for_an_open_shard_starts_it_afresh(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host)
    await caller.ask("a")
    caller.tell(Own(2))
    assert await caller.ask("a") == ("a", 1)
    assert (host.opened, host.left) == ([(0, 1), (0, 2)], ["a"])


@pytest.mark.parametrize("answers", [True, False])
async def test_an_entity_that_was_leaving_when_its_shard_is_lost_leaves_and_who_waits_goes_to_a_fresh_one(
    engine: Engine, answers: bool
) -> None:
    host = Host(IDLE)
    caller = Caller(engine, host)
    await caller.ask("a")
    host.thinking.add("a")
    await eventually(lambda: host.asked_to_leave == ["a"])
    (waiting,) = await caller.begin("a")
    assert host.address is not None
    engine.tell(host.address, ShardLost(1, 2, Refusal("lost")))
    if answers:
        engine.tell(host.address, StillBusy("a"))
    await eventually(lambda: host.population.live == 0)
    assert not waiting.done()
    host.thinking.clear()
    caller.tell(Own(3))
    assert await waiting == ("a", 1)


async def test_a_word_of_an_expelled_entity_that_comes_after_the_new_opening_does_not_keep_it(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host)
    await caller.ask("a")
    host.address = caller.shards[0]
    engine.tell(host.address, ShardLost(1, 2, Refusal("lost")))
    engine.tell(host.address, Own(3))
    engine.tell(host.address, Envelope(0, "b", "opens it"))
    engine.tell(host.address, StillBusy("a"))
    assert await caller.ask("a") == ("a", 1)


# --- handing off


async def test_a_soft_drain_finishes_what_came_before_it_and_lets_everybody_go(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host)
    await caller.ask("a")
    asks = [engine.ask(caller.shards[0], Envelope(0, key, "hello")) for key in ("a", "b", "a")]
    caller.tell(Drain(at_once=False))
    assert [await ask for ask in asks] == [("a", 2), ("b", 1), ("a", 3)]
    assert await caller.drained() == Drained(0, 1, [])
    assert (sorted(host.retired), sorted(host.left), host.population.live) == (["a", "b"], ["a", "b"], 0)


async def test_a_soft_drain_waits_for_entities_that_have_not_finished(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host)
    await caller.ask("a")
    await caller.ask("b")
    host.thinking.add("a")
    caller.tell(Drain(at_once=False))
    await eventually(lambda: host.left == ["b"])
    await turns()
    assert (caller.said, host.retired) == ([], ["a", "b"])
    (cell,) = [cell for cell in _cells(engine) if getattr(cell.instance, "key", "") == "a"]
    engine.stop(cell.address)
    assert await caller.drained() == Drained(0, 1, [])
    await eventually(lambda: engine.actors == 1)
    assert host.population.live == 0


async def test_what_waits_for_a_leaving_entity_is_finished_by_a_fresh_one_before_a_soft_drain_ends(
    engine: Engine,
) -> None:
    host = Host(IDLE)
    caller = Caller(engine, host)
    await caller.ask("a")
    host.thinking.add("a")
    await eventually(lambda: host.asked_to_leave == ["a"])
    asks = await caller.begin("a", "a")
    caller.tell(Drain(at_once=False))
    host.thinking.clear()
    (cell,) = [cell for cell in _cells(engine) if getattr(cell.instance, "key", "") == "a"]
    engine.stop(cell.address)
    assert [await ask for ask in asks] == [("a", 1), ("a", 2)]
    assert await caller.drained() == Drained(0, 1, [])
    assert host.retired == ["a"]


async def test_a_busy_entity_that_stays_is_retired_by_a_soft_drain(engine: Engine) -> None:
    host = Host(IDLE)
    caller = Caller(engine, host)
    await caller.ask("a")
    host.thinking.add("a")
    await eventually(lambda: host.asked_to_leave == ["a"])
    caller.tell(Drain(at_once=False))
    host.thinking.clear()
    assert host.address is not None
    engine.tell(host.address, StillBusy("a"))
    assert await caller.drained() == Drained(0, 1, [])
    assert host.retired == ["a"]


async def test_a_drain_at_once_gives_back_what_nobody_has_begun(engine: Engine) -> None:
    host = Host(IDLE)
    caller = Caller(engine, host)
    await caller.ask("a")
    host.thinking.add("a")
    await eventually(lambda: host.asked_to_leave == ["a"])
    asks = await caller.begin("a", "a")
    caller.tell(Drain(at_once=True))
    drained = await caller.drained()
    assert [(envelope.key, sender.future) for envelope, sender in drained.unstarted] == [
        ("a", asks[0]),
        ("a", asks[1]),
    ]
    assert host.retired == []


async def test_a_soft_drain_that_does_not_end_is_ended_at_once(engine: Engine) -> None:
    host = Host()
    caller = Caller(engine, host)
    await caller.ask("a")
    host.thinking.add("a")
    caller.tell(Drain(at_once=False))
    await eventually(lambda: host.retired == ["a"])
    assert caller.said == []
    caller.tell(Drain(at_once=True))
    caller.tell(Drain(at_once=True))
    assert await caller.drained() == Drained(0, 1, [])
    assert host.left == ["a"]


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_drain_while_it_opens_gives_all_back(engine: Engine, at_once: bool) -> None:
    host = Host()
    caller = Caller(engine, host)
    host.gate.clear()
    asks = await caller.begin("a", "b", "a")
    caller.tell(Drain(at_once))
    drained = await caller.drained()
    assert [sender.future for _, sender in drained.unstarted] == asks
    await eventually(lambda: engine.actors == 1)
    assert (host.opened, engine.tasks) == ([], 0), "the opening was given up"


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_drain_while_it_is_fenced_gives_all_back(engine: Engine, at_once: bool) -> None:
    host = Host()
    host.open_errors = [EpochRefused("shard 0", 1, 8)]
    caller = Caller(engine, host)
    asks = await caller.begin("a", "b")
    caller.tell(Drain(at_once))
    drained = await caller.drained()
    assert ([sender.future for _, sender in drained.unstarted], drained.epoch) == (asks, 1)
    caller.tell(Own(9))  # too late
    await eventually(lambda: engine.actors == 1)


async def test_a_shard_that_never_opened_drains(engine: Engine) -> None:
    caller = Caller(engine, Host())
    await caller.ready()
    caller.tell(Drain(at_once=False))
    assert await caller.drained() == Drained(0, 1, [])


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
