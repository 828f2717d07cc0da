"""Coroutines an actor pipes to itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from thespian.actors import ActorAddress, ActorExitRequest, ActorSystemMessage

from sharding.actors import ActorsError, AsyncActor, Engine, Outcome
from tests.sharding.actors.cast import Echo, Waiter
from tests.waiting import eventually


async def five() -> int:
    await asyncio.sleep(0)
    return 5


async def fail() -> None:
    await asyncio.sleep(0)
    raise LookupError("nothing there")


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_result_comes_back_as_a_message(engine: Engine) -> None:
    ended: list[Outcome[int]] = []
    waiter = engine.create(lambda: Waiter(ended))
    engine.tell(waiter, five)
    await eventually(lambda: ended)
    assert ended[0].value == 5
    assert ended[0].error is None
    assert await engine.ask(waiter, "tasks") == 0


async def test_an_error_comes_back_as_a_message(engine: Engine) -> None:
    ended: list[Outcome[int]] = []
    engine.tell(engine.create(lambda: Waiter(ended)), fail)
    await eventually(lambda: ended)
    assert isinstance(ended[0].error, LookupError)
    with pytest.raises(LookupError, match="nothing there"):
        _ = ended[0].value


async def test_the_actor_takes_messages_while_its_tasks_run_and_knows_how_many(engine: Engine) -> None:
    waiter = engine.create(Waiter)
    for _ in range(3):
        engine.tell(waiter, forever)
    assert await engine.ask(waiter, "tasks") == 3
    assert engine.tasks == 3


async def test_an_outcome_is_wrapped_into_the_actor_s_own_message(engine: Engine) -> None:
    class Clerk(AsyncActor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if isinstance(message, tuple):
                answer, asker = message
                self.send(asker, answer)
            elif not isinstance(message, ActorSystemMessage):
                self.pipe_to_self(five(), lambda outcome: (outcome.value + message, sender))

    clerk = engine.create(Clerk)
    assert [*await asyncio.gather(engine.ask(clerk, 1), engine.ask(clerk, 2))] == [6, 7]


async def test_a_wrap_that_raises_is_heard_of(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    ended: list[Outcome[int]] = []

    class Sloppy(Waiter):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if message == "go":
                self.pipe_to_self(five(), lambda outcome: 1 // 0)
            else:
                super().receiveMessage(message, sender)

    engine.tell(engine.create(lambda: Sloppy(ended)), "go")
    await eventually(lambda: ended)
    assert isinstance(ended[0].error, ZeroDivisionError)
    assert "Sloppy:1: wrapping the outcome of a task raised" in caplog.text


async def test_tasks_are_cancelled_when_their_actor_exits_and_nothing_comes_back(engine: Engine) -> None:
    ended: list[Outcome[int]] = []
    cancelled = asyncio.Event()

    async def tidy() -> None:
        try:
            await forever()
        finally:
            cancelled.set()

    waiter = engine.create(lambda: Waiter(ended))
    engine.tell(waiter, tidy)
    assert await engine.ask(waiter, "tasks") == 1
    engine.stop(waiter)
    await asyncio.wait_for(cancelled.wait(), 5)
    await eventually(lambda: engine.tasks == 0)
    assert ended == []


async def test_an_ask_of_another_actor_can_be_piped(engine: Engine) -> None:
    class Front(AsyncActor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if isinstance(message, Outcome):
                self.send(sender, "not the asker")
            elif isinstance(message, tuple):
                self.send(message[1], message[0].value)
            elif not isinstance(message, ActorSystemMessage):
                self.pipe_to_self(self.engine.ask(behind, message), lambda outcome: (outcome, sender))

    behind = engine.create(Echo)
    assert await engine.ask(engine.create(Front), "through") == "through"


async def test_a_task_that_is_cancelled_by_others_says_so(engine: Engine) -> None:
    ended: list[Outcome[int]] = []
    tasks: list[asyncio.Future[None]] = []

    class Owner(Waiter):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if message == "go":
                tasks.append(self.pipe_to_self(forever()))
            else:
                super().receiveMessage(message, sender)

    engine.tell(engine.create(lambda: Owner(ended)), "go")
    await eventually(lambda: tasks)
    tasks[0].cancel()
    await eventually(lambda: ended)
    assert isinstance(ended[0].error, asyncio.CancelledError)


async def test_an_error_after_the_exit_is_logged(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    async def break_while_leaving() -> None:
        try:
            await forever()
        finally:
            raise LookupError("broke while leaving")

    waiter = engine.create(Waiter)
    engine.tell(waiter, break_while_leaving)
    assert await engine.ask(waiter, "tasks") == 1
    engine.stop(waiter)
    await eventually(lambda: engine.tasks == 0)
    assert "Waiter:1: a task raised after its actor had exited" in caplog.text
    assert "broke while leaving" in caplog.text


async def test_a_task_started_while_exiting_is_cancelled(engine: Engine) -> None:
    class Late(Waiter):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if isinstance(message, ActorExitRequest):
                self.pipe_to_self(forever())

    engine.stop(engine.create(Late))
    await eventually(lambda: engine.actors == 0)
    await eventually(lambda: engine.tasks == 0)


async def test_an_actor_that_has_exited_starts_no_task(engine: Engine) -> None:
    kept: list[Waiter] = []

    def make() -> Waiter:
        kept.append(Waiter())
        return kept[0]

    engine.stop(engine.create(make))
    await eventually(lambda: engine.actors == 0)
    with pytest.raises(ActorsError, match="Waiter:1 has exited"):
        kept[0].pipe_to_self(forever())
    assert kept[0].running_tasks == 0


async def test_outcomes_pass_a_full_mailbox(engine: Engine) -> None:
    class Small(Waiter):
        mailbox_limit = 1

        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if message == "go":
                self.pipe_to_self(five(), self.fill_mailbox)
            else:
                super().receiveMessage(message, sender)

        def fill_mailbox(self, outcome: Outcome[int]) -> Outcome[int]:
            for _ in range(2):
                engine.tell(self.myAddress, "fills it")
            return outcome

    ended: list[Outcome[int]] = []
    engine.tell(engine.create(lambda: Small(ended)), "go")
    await eventually(lambda: ended)
    assert ended[0].value == 5
    assert engine.dead_letters.count == 1
