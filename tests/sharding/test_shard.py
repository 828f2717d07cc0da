"""Shards: how they open, deliver, let entities go and make room."""

from __future__ import annotations

import asyncio

import pytest

from sharding import shard as module
from sharding.actors import AskFailed, Engine, Undeliverable
from sharding.messages import Envelope, StillBusy
from tests.sharding.shards import IDLE, Caller, Host, Refusal, cells, turns
from tests.waiting import eventually


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


async def test_what_nobody_waits_for_is_a_dead_letter_when_a_shard_does_not_open(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 1)
    host = Host()
    caller = Caller(engine, host)
    await caller.ready()
    host.gate.clear()
    host.open_errors = [Refusal("not now")]
    caller.tell(Envelope(0, "a", "waits"))
    caller.tell(Envelope(0, "a", "too much"))
    await turns()
    assert engine.dead_letters.count == 1
    host.gate.set()
    await eventually(lambda: engine.dead_letters.count == 2)
    assert await caller.ask("a") == ("a", 1)


async def test_what_waits_for_a_shard_is_bounded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
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
    (leaving,) = [cell.address for cell in cells(engine) if getattr(cell.instance, "key", "") == "a"]
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
