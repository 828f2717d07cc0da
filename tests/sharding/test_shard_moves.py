"""Shards that are fenced, get newer epochs, and are handed off softly or at once."""

from __future__ import annotations

import pytest

from sharding.actors import Engine
from sharding.host import EpochRefused
from sharding.messages import Envelope, ShardLost, StillBusy
from sharding.shard import Drain, Drained, Fence, Own
from tests.sharding.shards import IDLE, Caller, Host, Refusal, cells, turns
from tests.waiting import eventually


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
    (cell,) = [cell for cell in cells(engine) if getattr(cell.instance, "key", "") == "a"]
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
    (cell,) = [cell for cell in cells(engine) if getattr(cell.instance, "key", "") == "a"]
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
