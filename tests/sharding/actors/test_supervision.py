"""Failing, exiting, and who hears of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from thespian.actors import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    ActorSystemMessage,
    ChildActorExited,
    DeadEnvelope,
    InvalidActorSpecification,
    NoCompatibleSystemForActor,
    PoisonMessage,
    requireCapability,
)

from sharding.actors import Address, AsyncActor, Engine
from tests.sharding.actors.cast import Clumsy, Echo, Parent, Recorder, Silent, child_of
from tests.waiting import eventually


async def test_a_message_a_handler_raised_at_is_tried_once_more_before_the_next(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    clumsy = engine.create(lambda: Clumsy(1))
    answers = await asyncio.gather(engine.ask(clumsy, "stumble"), engine.ask(clumsy, "next"))
    assert list(answers) == ["stumble", "next"]
    assert engine.failures == 0
    assert "Clumsy:1 raised at str, trying once more" in caplog.text


async def test_the_sender_gets_the_message_back_as_poison_and_the_actor_lives_on(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []
    sender = engine.create(lambda: Recorder(seen))
    clumsy = engine.create(lambda: Clumsy(2))
    engine.tell(clumsy, "stumble", sender)
    await eventually(lambda: seen)
    assert isinstance(seen[0], PoisonMessage)
    assert seen[0].poisonMessage == "stumble"
    assert "stumbled the 2. time" in seen[0].details
    assert await engine.ask(clumsy, "well?") == "well?"
    assert engine.failures == 1
    assert "Clumsy:2 raised twice at str" in caplog.text


async def test_poison_does_not_go_round_for_ever(engine: Engine) -> None:
    class Touchy(Actor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if not isinstance(message, ActorExitRequest):
                raise ValueError(message)

    touchy = engine.create(Touchy)
    engine.tell(touchy, "x", touchy)
    await eventually(lambda: engine.failures == 2)
    await asyncio.sleep(0.01)
    assert engine.failures == 2


async def test_a_cancelled_future_in_a_handler_is_a_failure_like_others(engine: Engine) -> None:
    class Careless(Actor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if not isinstance(message, ActorExitRequest):
                raise asyncio.CancelledError

    engine.tell(engine.create(Careless), "x")
    await eventually(lambda: engine.failures == 1)
    assert await engine.ask(engine.create(Echo), "still here") == "still here"


async def test_a_top_level_actor_that_cannot_be_made_raises(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        engine.create(lambda: Clumsy(1 // 0))
    with pytest.raises(InvalidActorSpecification):
        engine.create("NoModule")
    with pytest.raises(InvalidActorSpecification):
        engine.create(lambda: "no actor")  # type: ignore[arg-type, return-value]
    with pytest.raises(ModuleNotFoundError):
        engine.create("no.such.module.Actor")
    assert engine.actors == 0


async def test_a_child_that_cannot_be_made_is_an_exited_child(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    class Stillborn(Silent):
        def __init__(self) -> None:
            raise OSError("no")

    lost: list[ActorAddress] = []
    parent = engine.create(lambda: Parent(lost))
    child = await child_of(engine, parent, Stillborn)
    await eventually(lambda: lost == [child])
    assert "Stillborn:2 could not be created as a child of Parent:1" in caplog.text
    assert "OSError: no" in caplog.text


async def test_a_class_by_its_dotted_name_and_with_arguments_it_asks_for() -> None:
    class Curious(AsyncActor):
        def __init__(self, requirements: Any, capabilities: Any) -> None:
            super().__init__()
            self.known = (requirements, capabilities["colour"])

        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if not isinstance(message, ActorSystemMessage):
                self.send(sender, self.known)

    engine = Engine(capabilities={"colour": "red"})
    assert await engine.ask(engine.create("tests.sharding.actors.cast.Echo"), 1) == 1
    assert await engine.ask(engine.create(Curious, requirements={"a": 1}), "?") == ({"a": 1}, "red")
    assert (await engine.shutdown()).clean


async def test_a_parent_hears_of_the_exit_of_its_child(engine: Engine) -> None:
    lost: list[ActorAddress] = []
    parent = engine.create(lambda: Parent(lost))
    child = await child_of(engine, parent, Echo)
    assert await engine.ask(child, "alive") == "alive"
    engine.stop(child)
    await eventually(lambda: lost == [child])


async def test_an_exit_takes_the_whole_family_children_first(engine: Engine) -> None:
    exits: list[int] = []

    class Link(Parent):
        def __init__(self, depth: int) -> None:
            super().__init__([])
            self.depth = depth

        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if message == "grow" and self.depth:
                self.send(self.create_child(lambda: Link(self.depth - 1)), "grow")
            if isinstance(message, ChildActorExited):
                exits.append(self.depth)

    lost: list[ActorAddress] = []
    parent = engine.create(lambda: Parent(lost))
    first = await child_of(engine, parent, lambda: Link(1500))
    engine.tell(first, "grow")
    await eventually(lambda: engine.actors == 1502)
    engine.stop(first)
    await eventually(lambda: lost == [first])
    assert engine.actors == 1  # by the time the parent hears of it, everything below is gone
    assert exits == []  # actors that exit hear no more


async def test_children_outlive_an_exit_that_is_not_recursive(engine: Engine) -> None:
    parent = engine.create(lambda: Parent([]))
    child = await child_of(engine, parent, Echo)
    engine.tell(parent, ActorExitRequest(recursive=False))
    await eventually(lambda: engine.actors == 1)
    assert await engine.ask(child, "alone") == "alone"


async def test_an_actor_that_raises_at_its_exit_exits(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(Actor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            raise RuntimeError("no!")

    engine.stop(engine.create(Stubborn))
    await eventually(lambda: engine.actors == 0)
    assert "Stubborn:1 raised while it was told to exit" in caplog.text


async def test_dead_letters_go_to_the_last_actor_that_registered(engine: Engine) -> None:
    class Undertaker(Recorder):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if message == "start":
                self.handleDeadLetters()  # type: ignore[no-untyped-call]
            elif message == "stop":
                self.handleDeadLetters(False)  # type: ignore[no-untyped-call]
            elif isinstance(message, DeadEnvelope):
                self.seen.append((message.deadAddress, message.deadMessage))

    first: list[Any] = []
    second: list[Any] = []
    one, two = engine.create(lambda: Undertaker(first)), engine.create(lambda: Undertaker(second))
    dead = engine.create(Silent)
    engine.stop(dead)
    engine.tell(one, "start")
    await eventually(lambda: engine.actors == 2)
    engine.tell(dead, "a")
    await eventually(lambda: first == [(dead, "a")])
    engine.tell(two, "start")
    engine.tell(one, "stop")
    await eventually(lambda: engine.dead_letters.handler is two)
    engine.tell(dead, "b")
    await eventually(lambda: second == [(dead, "b")])
    engine.stop(two)
    await eventually(lambda: engine.dead_letters.handler is None)
    engine.tell(dead, "c")
    assert (first, second) == ([(dead, "a")], [(dead, "b")])
    assert engine.dead_letters.count == 3


async def test_a_global_name_is_one_actor_until_it_exits(engine: Engine) -> None:
    one = engine.create(Echo, global_name="the one")
    assert engine.create(Silent, global_name="the one") is one
    engine.stop(one)
    await eventually(lambda: engine.actors == 0)
    assert engine.create(Echo, global_name="the one") is not one


async def test_an_actor_goes_where_its_capability_check_lets_it(engine: Engine) -> None:
    class Fish(Echo):
        pass

    requireCapability("water")(Fish)

    with pytest.raises(NoCompatibleSystemForActor):
        engine.create(Fish)
    with pytest.raises(NoCompatibleSystemForActor):
        engine.create(lambda: Fish())  # type: ignore[no-untyped-call]
    engine.update_capability("water", True)
    fish = engine.create(Fish)
    assert await engine.ask(fish, "blub") == "blub"
    engine.update_capability("water", None)
    await eventually(lambda: engine.actors == 0, what="the fish leaves with the water")


async def test_an_actor_may_create_nothing_once_it_has_exited(engine: Engine) -> None:
    kept: list[Parent] = []

    def make() -> Parent:
        kept.append(Parent([]))
        return kept[0]

    engine.stop(engine.create(make))
    await eventually(lambda: engine.actors == 0)
    child = kept[0].create_child(Echo)
    assert isinstance(child, Address)
    assert engine.actors == 0
