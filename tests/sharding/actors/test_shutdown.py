"""The end of an engine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from thespian.actors import ActorAddress, ActorExitRequest

from sharding.actors import AsyncActor, DiedUnanswered, Engine, EngineStopped, Undeliverable
from tests.sharding.actors.cast import Echo, Keeper, Parent, Waiter, child_of


async def test_a_shutdown_ends_every_actor_and_task_and_nothing_is_left_on_the_loop() -> None:
    before = asyncio.all_tasks()
    engine = Engine()
    parent = engine.create(lambda: Parent([]))
    for _ in range(5):
        child = await child_of(engine, parent, Waiter)
        engine.tell(child, lambda: asyncio.sleep(1000))
        await engine.ask(child, "tasks")
    assert (engine.actors, engine.tasks) == (6, 5)
    report = await engine.shutdown()
    assert report.clean
    assert (engine.actors, engine.tasks) == (0, 0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_second_shutdown_is_the_first_one() -> None:
    engine = Engine()
    engine.create(Echo)
    reports = await asyncio.gather(engine.shutdown(), engine.shutdown())
    assert reports[0] is reports[1]
    assert await engine.shutdown() is reports[0]


async def test_after_a_shutdown_nothing_is_created_and_messages_are_dead_letters() -> None:
    engine = Engine()
    echo = engine.create(Echo)
    await engine.shutdown()
    with pytest.raises(EngineStopped):
        engine.create(Echo)
    with pytest.raises(Undeliverable):
        await engine.ask(echo, "x")
    engine.tell(echo, "y")
    assert engine.dead_letters.count == 2


async def test_waiting_asks_fail_when_the_engine_ends() -> None:
    engine = Engine()
    future = engine.ask(engine.create(Keeper), "wait")
    await asyncio.sleep(0)
    await engine.shutdown()
    with pytest.raises(DiedUnanswered):
        await future


async def test_an_actor_may_shut_the_system_down() -> None:
    class Button(AsyncActor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if message == "press":
                self.actorSystemShutdown()  # type: ignore[no-untyped-call]

    engine = Engine()
    engine.create(Echo)
    engine.tell(engine.create(Button), "press")
    await asyncio.wait_for(engine.wait_closed(), 5)
    assert engine.actors == 0


async def test_children_made_while_exiting_do_not_outlive_the_engine() -> None:
    class Fertile(Parent):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if isinstance(message, ActorExitRequest):
                self.create_child(Fertile)

    engine = Engine()
    engine.create(lambda: Fertile([]))
    report = await engine.shutdown(timeout=5)
    assert report.clean
    assert engine.actors == 0


async def test_children_an_exiting_actor_does_not_take_along_end_with_the_engine() -> None:
    engine = Engine()
    parent = engine.create(lambda: Parent([]))
    await child_of(engine, parent, Echo)
    engine.tell(parent, ActorExitRequest(recursive=False))
    report = await engine.shutdown(timeout=5)
    assert report.clean
    assert engine.actors == 0


async def test_a_shutdown_whose_caller_gives_up_goes_on() -> None:
    engine = Engine()

    async def linger() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.05)

    waiter = engine.create(Waiter)
    engine.tell(waiter, linger)
    await engine.ask(waiter, "tasks")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(engine.shutdown(), 0.01)
    await asyncio.wait_for(engine.wait_closed(), 5)
    assert engine.tasks == 0
