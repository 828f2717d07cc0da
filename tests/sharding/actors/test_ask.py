"""Asking: the first answer, or at once an error that says whether anything can have happened."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from thespian.actors import Actor, ActorAddress, ActorSystemMessage

from sharding.actors import (
    AskFailed,
    AsyncActor,
    DiedUnanswered,
    Engine,
    HandlerFailed,
    MailboxFull,
    NeverAnswered,
    Undeliverable,
)
from tests.sharding.actors.cast import Clumsy, Echo, Keeper, Recorder, Silent
from tests.waiting import eventually

AT_ONCE = 5.0  # seconds: no timer is involved, so any limit does


async def answer(future: asyncio.Future[Any]) -> Any:
    return await asyncio.wait_for(future, AT_ONCE)


async def test_the_first_answer_counts_and_the_second_is_dropped(engine: Engine) -> None:
    class Twice(AsyncActor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if not isinstance(message, ActorSystemMessage):
                self.send(sender, "first")
                self.send(sender, "second")

    assert await answer(engine.ask(engine.create(Twice), "x")) == "first"


async def test_many_asks_at_once_get_their_own_answers(engine: Engine) -> None:
    echo = engine.create(Echo)
    assert await asyncio.gather(*(engine.ask(echo, number) for number in range(300))) == list(range(300))


async def test_a_dead_actor_is_known_at_once_and_nothing_happened(engine: Engine) -> None:
    echo = engine.create(Echo)
    engine.stop(echo)
    await eventually(lambda: engine.actors == 0)
    future = engine.ask(echo, "x")
    assert future.done()
    with pytest.raises(Undeliverable, match="Echo:1 has exited") as failed:
        await future
    assert failed.value.address is echo


async def test_what_waited_in_the_mailbox_of_an_exiting_actor_is_undelivered(engine: Engine) -> None:
    keeper = engine.create(Keeper)
    engine.stop(keeper)
    with pytest.raises(Undeliverable):
        await answer(engine.ask(keeper, "too late"))


async def test_an_actor_that_dies_with_the_message_in_its_hands_is_told_apart(engine: Engine) -> None:
    keeper = engine.create(Keeper)  # in a reference cycle: only its exit can end the ask
    future = engine.ask(keeper, "keep me")
    engine.stop(keeper)
    with pytest.raises(DiedUnanswered, match="Keeper:1 exited without answering"):
        await answer(future)


async def test_an_answer_may_come_late(engine: Engine) -> None:
    keeper = engine.create(Keeper)
    futures = [engine.ask(keeper, "wait") for _ in range(3)]
    await asyncio.sleep(0.01)
    assert not any(future.done() for future in futures)
    engine.tell(keeper, "answer")
    assert await answer(asyncio.gather(*futures)) == ["answered"] * 3


async def test_a_message_nobody_can_answer_any_more_fails(engine: Engine) -> None:
    with pytest.raises(NeverAnswered, match="Silent:1 let the message go unanswered"):
        await answer(engine.ask(engine.create(Silent), "x"))


async def test_asking_nobody_fails(engine: Engine) -> None:
    with pytest.raises(NeverAnswered):
        await answer(engine.ask(engine.nobody, "x"))
    with pytest.raises(Undeliverable):
        await answer(engine.ask(engine.address, "x"))


async def test_a_handler_that_raises_twice_fails_the_ask_with_the_traceback(engine: Engine) -> None:
    with pytest.raises(HandlerFailed, match=r"ValueError: stumbled the 2\. time") as failed:
        await answer(engine.ask(engine.create(lambda: Clumsy(2)), "stumble"))
    assert failed.value.poison == "stumble"
    assert "receiveMessage" in (failed.value.details or "")


async def test_an_ask_follows_the_message_that_is_forwarded(engine: Engine) -> None:
    class Door(AsyncActor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if not isinstance(message, ActorSystemMessage):
                self.forward(behind, message, sender)

    behind = engine.create(Keeper)
    door = engine.create(Door)
    first, second = engine.ask(door, "one"), engine.ask(door, "two")
    await asyncio.sleep(0)
    engine.stop(door)
    await eventually(lambda: engine.actors == 1)
    assert not first.done()
    engine.tell(behind, "answer")
    assert await answer(asyncio.gather(first, second)) == ["answered", "answered"]
    third = engine.ask(behind, "three")
    engine.stop(behind)
    with pytest.raises(DiedUnanswered):
        await answer(third)


async def test_a_cancelled_ask_leaves_nothing_behind(engine: Engine) -> None:
    keeper = engine.create(Keeper)
    future = engine.ask(keeper, "wait")
    await asyncio.sleep(0)
    gone = weakref.ref(future)
    future.cancel()
    engine.tell(keeper, "answer")
    del future
    await eventually(lambda: gone() is None)
    cell = keeper._cell  # type: ignore[attr-defined]
    assert cell.asks is None


async def test_a_cancelled_ask_is_handled_nevertheless(engine: Engine) -> None:
    seen: list[str] = []
    engine.ask(engine.create(lambda: Recorder(seen)), "x").cancel()
    await eventually(lambda: seen == ["x"])


async def test_a_full_mailbox_refuses_at_once(engine: Engine) -> None:
    class Small(Echo):
        mailbox_limit = 3

    small = engine.create(Small)
    futures = [engine.ask(small, number) for number in range(5)]
    assert [future.done() for future in futures] == [False, False, False, True, True]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert outcomes[:3] == [0, 1, 2]
    assert all(isinstance(outcome, MailboxFull) for outcome in outcomes[3:])
    assert engine.dead_letters.count == 2


async def test_a_full_mailbox_takes_what_the_system_says(engine: Engine) -> None:
    class Small(Echo):
        mailbox_limit = 1

    small = engine.create(Small)
    engine.tell(small, "fills it")
    engine.stop(small)
    await eventually(lambda: engine.actors == 0)


async def test_an_address_lost_in_a_cycle_fails_when_the_collector_finds_it(engine: Engine) -> None:
    class Forgetful(Actor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            cycle: list[Any] = [sender]
            cycle.append(cycle)

    future = engine.ask(engine.create(Forgetful), "x")
    await asyncio.sleep(0.01)
    gc.collect()
    with pytest.raises(NeverAnswered):
        await answer(future)


def test_every_failure_of_an_ask_is_an_ask_failed() -> None:
    for kind in (Undeliverable, MailboxFull, DiedUnanswered, NeverAnswered, HandlerFailed):
        assert issubclass(kind, AskFailed)
