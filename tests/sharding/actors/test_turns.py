"""Who runs when: order, fairness, and what the loop gets in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from thespian.actors import Actor, ActorAddress

from sharding.actors import AsyncActor, Budget, Engine
from tests.sharding.actors.cast import Echo, Recorder
from tests.sharding.actors.virtual_loop import virtual_loop
from tests.waiting import eventually


class Endless(AsyncActor):
    """Sends itself the next message in each turn."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        self.turns += 1
        if message == "go":
            self.send(self.myAddress, "go")


class Relay(AsyncActor):
    """Sends everything on."""

    def __init__(self, target: ActorAddress) -> None:
        super().__init__()
        self.target = target

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        self.send(self.target, message)


async def test_messages_of_one_sender_arrive_in_order(engine: Engine) -> None:
    seen: list[int] = []
    recorder = engine.create(lambda: Recorder(seen))
    relay = engine.create(lambda: Relay(recorder))
    for number in range(500):
        engine.tell(relay, number)
    await eventually(lambda: len(seen) == 500)
    assert seen == list(range(500))


async def test_a_message_is_passed_by_reference(engine: Engine) -> None:
    message = object()
    assert await engine.ask(engine.create(Echo), message) is message


async def test_an_actor_with_endless_work_leaves_the_loop_and_the_others_their_turns(engine: Engine) -> None:
    busy = Endless()
    engine.tell(engine.create(lambda: busy), "go")
    echo = engine.create(Echo)
    for _ in range(3):
        before = busy.turns
        await asyncio.sleep(0)
        assert await engine.ask(echo, "me too") == "me too"
        assert busy.turns > before
        # The loop was away for no more than a few activations of the queue.
        assert busy.turns - before <= 5 * 1_000 + 16


def test_a_busy_actor_takes_no_more_than_its_share_before_the_next_one_runs() -> None:
    loop = virtual_loop()
    engine = Engine(loop, budget=Budget(turns=64, turns_per_actor=4))
    turns: list[str] = []

    class Named(AsyncActor):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            turns.append(self.name)

    async def flood() -> None:
        busy, modest = engine.create(lambda: Named("busy")), engine.create(lambda: Named("modest"))
        for _ in range(40):
            engine.tell(busy, "x")
        for _ in range(3):
            engine.tell(modest, "x")
        await asyncio.sleep(1)

    loop.run(flood())
    assert turns[:7] == ["busy"] * 4 + ["modest"] * 3


def test_an_activation_ends_after_its_turns_and_the_loop_serves_others() -> None:
    loop = virtual_loop()
    engine = Engine(loop, budget=Budget(turns=10, turns_per_actor=5))
    seen: list[Any] = []

    async def flood() -> None:
        for _ in range(4):
            recorder = engine.create(lambda: Recorder(seen))
            for _ in range(5):
                engine.tell(recorder, "x")
        loop.call_soon(seen.append, "the loop")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    loop.run(flood())
    assert seen.index("the loop") == 10


async def test_an_activation_ends_after_its_time(engine: Engine) -> None:
    class Slow(Actor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            end = engine.loop.time() + 0.006
            while engine.loop.time() < end:
                pass
            seen.append("slow")

    seen: list[str] = []
    for _ in range(5):
        engine.tell(engine.create(Slow), "x")
    engine.loop.call_soon(seen.append, "the loop")
    await eventually(lambda: len(seen) == 6)
    assert seen[1] == "the loop"


@pytest.mark.parametrize("wrong", [{"turns": 0}, {"turns_per_actor": 0}, {"seconds": 0}])
def test_a_budget_that_lets_nothing_run_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least one turn"):
        Budget(**wrong)


async def test_a_handler_that_is_a_coroutine_function_is_said_to_be_one(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(Actor):
        async def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            pass

    engine.tell(engine.create(Wrong), "x")
    await eventually(lambda: engine.failures == 1)
    assert "Wrong:1: receiveMessage returned a coroutine" in caplog.text


async def test_an_exit_of_the_program_in_a_handler_leaves_the_other_actors_queued() -> None:
    class Quitter(Actor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if message == "quit":
                raise SystemExit(3)

    loop = virtual_loop()
    engine = Engine(loop)
    seen: list[str] = []

    async def quit_and_tell() -> None:
        engine.tell(engine.create(Quitter), "quit")
        engine.tell(engine.create(lambda: Recorder(seen)), "still here")
        await asyncio.sleep(1)

    with pytest.raises(SystemExit):
        loop.run(quit_and_tell())
    loop.run(asyncio.sleep(1))
    assert seen == ["still here"]
