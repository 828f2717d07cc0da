"""The door for other threads: Thespian's ActorSystem."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from thespian.actors import ActorAddress, ActorExitRequest, ActorSystem, InvalidActorSourceHash, PoisonMessage
from thespian.system.messages.status import Thespian_ActorStatus, Thespian_StatusReq, Thespian_SystemStatus

from sharding.actors import (
    AsyncActor,
    AsyncioSystemBase,
    BlockingCallOnLoop,
    Engine,
    EngineStopped,
    SourceLoadingUnsupported,
)
from tests.sharding.actors.cast import Clumsy, Echo, Silent, Waiter

LIMIT = timedelta(seconds=10)


def actor_system(base: AsyncioSystemBase) -> Any:
    return ActorSystem(base, transientUnique=True)


@pytest.fixture
def system() -> Iterator[Any]:
    """An actor system on a thread of its own, of which nothing is left afterwards."""
    before = set(threading.enumerate())
    running = actor_system(AsyncioSystemBase.in_thread())
    yield running
    running.shutdown()
    assert set(threading.enumerate()) <= before


def test_a_script_creates_asks_tells_and_listens(system: Any) -> None:
    echo = system.createActor(Echo)
    assert system.ask(echo, "hello", LIMIT) == "hello"
    system.tell(echo, "later")
    assert system.listen(10) == "later"
    assert system.ask(system.createActor("tests.sharding.actors.cast.Echo"), 1, LIMIT) == 1
    assert system.ask(system.createActor(lambda: Clumsy(1)), "stumble", LIMIT) == "stumble"


def test_no_answer_in_time_is_none(system: Any) -> None:
    silent = system.createActor(Silent)
    assert system.ask(silent, "?", 0.01) is None
    assert system.ask(silent, "?", timedelta(0)) is None
    assert system.listen(-1) is None


def test_a_handler_that_raises_twice_answers_with_poison(system: Any) -> None:
    poison = system.ask(system.createActor(lambda: Clumsy(2)), "stumble", LIMIT)
    assert isinstance(poison, PoisonMessage)
    assert poison.poisonMessage == "stumble"


def test_what_creating_an_actor_raises_comes_to_the_caller(system: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        system.createActor(lambda: Clumsy(1 // 0))


def test_each_private_context_gets_its_own_answers(system: Any) -> None:
    echo = system.createActor(Echo)

    def talk(number: int) -> bool:
        with system.private() as context:
            return all(context.ask(echo, (number, turn), LIMIT) == (number, turn) for turn in range(50))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(talk, range(16))) == [True] * 16
    assert system.listen(0) is None


def test_waiting_on_the_loop_s_own_thread_is_refused_instead_of_a_deadlock(system: Any) -> None:
    class Impatient(AsyncActor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if message in ("ask", "listen"):
                try:
                    system.ask(self.myAddress, "x") if message == "ask" else system.listen()
                except BlockingCallOnLoop as refused:
                    self.send(sender, str(refused))

    impatient = system.createActor(Impatient)
    for call in ("ask", "listen"):
        assert "await engine.ask" in system.ask(impatient, call, LIMIT)


async def test_a_running_engine_has_a_door_for_threads_too(engine: Engine) -> None:
    system = actor_system(AsyncioSystemBase(engine))
    echo = system.createActor(Echo)  # on the loop: at once
    system.tell(echo, "x")
    with pytest.raises(BlockingCallOnLoop):
        system.ask(echo, "x")
    answered = await asyncio.to_thread(lambda: (system.listen(LIMIT), system.ask(echo, "y", LIMIT)))
    assert answered == ("x", "y")
    assert await asyncio.to_thread(lambda: system.createActor(Echo)) != echo


def test_engines_on_two_threads_talk_to_each_other(system: Any) -> None:
    class Relay(AsyncActor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if isinstance(message, tuple):
                target, asked = message
                self.forward(target, asked, sender)

    other = actor_system(AsyncioSystemBase.in_thread())
    try:
        assert system.ask(system.createActor(Relay), (other.createActor(Echo), "over there"), LIMIT) == "over there"
    finally:
        other.shutdown()


def test_a_shutdown_wakes_whoever_listens_and_refuses_later_calls() -> None:
    base = AsyncioSystemBase.in_thread()
    system = actor_system(base)
    silent = system.createActor(Silent)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(system.ask, silent, "?", None)
        report = base.shutdown()
        assert waiting.result(10) is None
    assert report is not None
    assert report.clean
    with pytest.raises(EngineStopped):
        base.newPrimaryActor(Echo)
    base.tell(silent, "into the void")
    assert base.ask(silent, "?") is None
    assert base.shutdown() is not None
    system.shutdown()


def test_a_system_that_an_actor_shuts_down_ends_its_thread() -> None:
    class Button(AsyncActor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if message == "press":
                self.actorSystemShutdown()  # type: ignore[no-untyped-call]

    before = threading.active_count()
    base = AsyncioSystemBase.in_thread()
    base.tell(base.newPrimaryActor(Button), "press")
    assert base.listen() is None  # wakes when the engine ends
    base.shutdown()
    assert threading.active_count() == before


def test_a_turn_that_blocks_the_loop_is_reported_by_a_bounded_shutdown() -> None:
    release = threading.Event()

    class Blocked(AsyncActor):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if message == "block":
                release.wait(30)

    base = AsyncioSystemBase.in_thread()
    base.tell(base.newPrimaryActor(Blocked), "block")
    try:
        report = base.shutdown(timeout=0.1)
        assert report is not None
        assert report.hung_actors == ("Blocked:1",)
    finally:
        release.set()
    report = base.shutdown()
    assert report is not None
    assert report.clean


def test_a_task_that_does_not_end_does_not_hold_the_thread() -> None:
    async def stay() -> None:
        while stubborn:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    stubborn = [True]
    before = threading.active_count()
    base = AsyncioSystemBase.in_thread()
    waiter = base.newPrimaryActor(Waiter)
    base.tell(waiter, stay)
    assert base.ask(waiter, "tasks", LIMIT) == 1
    report = base.shutdown(timeout=0.2)
    stubborn.clear()
    assert report is not None
    assert report.hung_tasks == ("Waiter:1",)
    assert threading.active_count() == before


def test_statuses_of_an_actor_and_of_the_system(system: Any) -> None:
    echo = system.createActor(Echo, globalName="the echo")
    status = system.ask(echo, Thespian_StatusReq(), LIMIT)
    assert isinstance(status, Thespian_ActorStatus)
    assert status.actorAddress is echo
    status = system.ask(system.systemAddress, Thespian_StatusReq(), LIMIT)
    assert isinstance(status, Thespian_SystemStatus)
    assert status.childActors == [echo]
    assert status.globalActors == {"the echo": echo}
    assert status.miscKeyVals["actors"] == 1


def test_capabilities_change_from_outside(system: Any) -> None:
    class Fish(Echo):
        @staticmethod
        def actorSystemCapabilityCheck(capabilities: dict[str, Any], requirements: dict[str, Any]) -> bool:
            return bool(capabilities.get("water"))

    system.updateCapability("water", True)
    fish = system.createActor(Fish)
    assert system.ask(fish, "blub", LIMIT) == "blub"
    system.updateCapability("water", None)
    assert system.ask(fish, "blub", 0.05) is None


def test_no_code_is_loaded_at_run_time(system: Any) -> None:
    with pytest.raises(SourceLoadingUnsupported):
        system.loadActorSource("actors.zip")
    with pytest.raises(InvalidActorSourceHash):
        system.createActor("actors.Actor", sourceHash="0123")
    system.unloadActorSource("0123")


def test_exit_requests_from_outside(system: Any) -> None:
    echo = system.createActor(Echo)
    system.tell(echo, ActorExitRequest())
    assert system.ask(echo, "gone?", 0.05) is None
