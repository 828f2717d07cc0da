"""Wake-ups, and the same turns in every run on a loop with virtual time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from thespian.actors import ActorAddress, ActorExitRequest, ActorSystemMessage, WakeupMessage

from sharding.actors import AsyncActor, Budget, Engine
from tests.sharding.actors.cast import Waiter
from tests.sharding.actors.virtual_loop import virtual_loop
from tests.waiting import eventually


class Sleeper(AsyncActor):
    """Sleeps as long as it is told and notes when it wakes."""

    def __init__(self, woken: list[Any]) -> None:
        super().__init__()
        self.woken = woken

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if isinstance(message, WakeupMessage):
            assert sender is self.myAddress
            self.woken.append((asyncio.get_running_loop().time(), message.delayPeriod, message.payload))
        elif not isinstance(message, ActorSystemMessage):
            self.wakeupAfter(message, payload=str(message))


def test_wake_ups_come_by_the_loop_s_clock() -> None:
    loop = virtual_loop()
    engine = Engine(loop)
    woken: list[Any] = []

    async def sleep() -> None:
        sleeper = engine.create(lambda: Sleeper(woken))
        for period in (timedelta(hours=2), 30, 0.5):
            engine.tell(sleeper, period)
        await asyncio.sleep(10_000)

    loop.run(sleep())
    assert woken == [(0.5, 0.5, "0.5"), (30, 30, "30"), (7200, timedelta(hours=2), "2:00:00")]


async def test_an_actor_that_exits_is_woken_no_more_and_leaves_no_timer(engine: Engine) -> None:
    woken: list[Any] = []
    sleeper = engine.create(lambda: Sleeper(woken))
    engine.tell(sleeper, 0.0)
    engine.tell(sleeper, 1000.0)
    engine.stop(sleeper)
    await eventually(lambda: engine.actors == 0)
    await asyncio.sleep(0.01)
    assert woken == []
    assert engine.dead_letters.count == 0


class Gossip(AsyncActor):
    """Passes numbers on to a friend after waiting, in tasks and wake-ups, and notes everything."""

    def __init__(self, name: str, friends: list[Any], trace: list[Any]) -> None:
        super().__init__()
        self.name = name
        self.friends = friends
        self.trace = trace

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        self.trace.append((asyncio.get_running_loop().time(), self.name, str(message), str(sender)))
        if isinstance(message, int) and message > 0:
            self.pipe_to_self(asyncio.sleep(message % 3, message - 1), lambda outcome: ("later", outcome.value))
            self.wakeupAfter(message % 2, message - 1)
        elif isinstance(message, tuple):
            self.send(self.friends[message[1] % len(self.friends)], message[1])
        elif isinstance(message, ActorExitRequest):
            self.friends.clear()


def trace_of_a_run() -> tuple[list[Any], int]:
    loop = virtual_loop()
    engine = Engine(loop, budget=Budget(turns=7, turns_per_actor=2))
    trace: list[Any] = []

    async def gossip() -> None:
        friends: list[Any] = []
        for name in "abcde":
            friends.append(engine.create(lambda name=name: Gossip(name, friends, trace)))  # type: ignore[misc]
        for number, friend in enumerate(friends):
            engine.tell(friend, number + 5)
        await asyncio.sleep(100)
        report = await engine.shutdown()
        assert report.clean

    loop.run(gossip())
    assert loop.errors == []
    return trace, loop.callbacks


def test_the_same_program_takes_the_same_turns_in_every_run() -> None:
    first, second = trace_of_a_run(), trace_of_a_run()
    assert first == second
    assert len(first[0]) > 100


def test_a_shutdown_on_virtual_time_reports_what_hangs_when_its_time_is_over() -> None:
    loop = virtual_loop()
    engine = Engine(loop)

    async def stay() -> None:
        while True:
            try:
                await asyncio.sleep(10_000)
            except asyncio.CancelledError:
                continue

    async def run() -> tuple[Any, float]:
        waiter = engine.create(Waiter)
        engine.tell(waiter, stay)
        await asyncio.sleep(1)
        return await engine.shutdown(timeout=30), loop.time()

    report, ended_at = loop.run(run())
    assert report.hung_tasks == ("Waiter:1",)
    assert report.hung_actors == ()
    assert not report.clean
    assert ended_at == pytest.approx(31)
