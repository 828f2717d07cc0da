"""Plain Thespian actors, deployed by key."""
# mypy: allow-untyped-calls
# Thespian has no annotations.

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from thespian.actors import Actor, ActorExitRequest, ActorTypeDispatcher, WakeupMessage

from aecorpy import ActorRefs, ClusterNode, DeadlinePassed, InvalidDefinition, InvalidName, NodeStopping
from aecorpy.errors import AecorError, JournalError
from tests.aecorpy.conftest import StartNode
from tests.waiting import eventually


class Greeter(Actor):
    """Knows its key, and how many messages it has had."""

    key: str
    left: list[str] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, ActorExitRequest):
            self.left.append(self.key)
        elif message == "ignore":
            self.kept = sender
        elif message == "drop":
            pass
        elif message == "raise":
            raise ValueError("a bug")
        elif message == "exit":
            self.send(self.myAddress, ActorExitRequest())
        elif message == "later":
            self.asker = sender
            self.wakeupAfter(timedelta(milliseconds=5))
        elif isinstance(message, WakeupMessage):
            self.send(self.asker, "later it is")
        else:
            self.count += 1
            self.send(sender, f"{self.key}: {message} {self.count}")


class Dispatcher(ActorTypeDispatcher):
    """Handles by type."""

    def receiveMsg_str(self, message: str, sender: Any) -> None:
        self.send(sender, message.upper())

    def receiveMsg_int(self, message: int, sender: Any) -> None:
        self.send(sender, message + 1)


@pytest.fixture
async def greeters(start_node: StartNode) -> ActorRefs:
    """Greeters on a node."""
    Greeter.left.clear()
    return await (await start_node()).deploy(Greeter)


async def test_each_key_is_an_actor_of_its_own(greeters: ActorRefs) -> None:
    assert await greeters("a").ask("hello") == "a: hello 1"
    assert await greeters("b").ask("hello") == "b: hello 1"
    assert await greeters("a").ask("again") == "a: again 2"


async def test_telling_needs_no_answer(greeters: ActorRefs) -> None:
    greeters("a").tell("one")
    greeters("a").tell("two")
    assert await greeters("a").ask("three") == "a: three 3"


async def test_what_is_told_to_another_node_and_never_leaves_this_one_is_a_dead_letter(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/greeters.db"
    async with ClusterNode("g", journal=url) as there, ClusterNode("g", journal=url, weight=0) as here:
        await there.deploy(Greeter, shards=1)
        greeters = await here.deploy(Greeter, shards=1)
        assert await greeters("a").ask("hello") == "a: hello 1"
        assert here._engine is not None
        assert here.cluster._links is not None
        assert there.cluster._links is not None
        letters, sent = here._engine.dead_letters, 0
        for connection in there.cluster._links._incoming.values():
            connection._transport.pause_reading()  # type: ignore[union-attr]
        while here.cluster._links.status().links[0].waiting_bytes < 1_000_000:
            for _ in range(10):
                greeters("a").tell("x" * 10_000)
            sent += 10
            await asyncio.sleep(0)
        for connection in list(there.cluster._links._incoming.values()):
            connection.abort()
        await eventually(lambda: letters.count)
        assert 100 <= letters.count < sent  # some had left
        assert (await greeters("a").ask("hello")).startswith("a: hello")


async def test_thespian_s_dispatcher_works(start_node: StartNode) -> None:
    dispatchers = await (await start_node()).deploy(Dispatcher, shards=2)
    assert await dispatchers("a").ask("loud") == "LOUD"
    assert await dispatchers("b").ask(41) == 42


async def test_an_answer_may_come_later(greeters: ActorRefs) -> None:
    assert await greeters("a").ask("later") == "later it is"


async def test_an_actor_that_does_not_answer(greeters: ActorRefs) -> None:
    with pytest.raises(DeadlinePassed, match=r"Greeter 'a': no answer to 'str' within 0.02 s"):
        await greeters.within(0.02)("a").ask("ignore")
    for message in ("drop", "raise", "exit"):
        with pytest.raises((AecorError, JournalError), match="Greeter 'a'"):
            await greeters("a").ask(message)
    assert (await greeters("a").ask("hello")).startswith("a: hello")


async def test_idle_actors_leave_and_the_key_is_served_again(start_node: StartNode) -> None:
    Greeter.left.clear()
    node = await start_node(idle_seconds=0.01)
    greeters = await node.deploy(Greeter)
    await greeters("a").ask("hello")
    await eventually(lambda: node.live_entities(Greeter) == 0)
    assert Greeter.left == ["a"]
    assert await greeters("a").ask("hello") == "a: hello 1"


async def test_actors_above_the_cap_leave(start_node: StartNode) -> None:
    node = await start_node(max_live_entities=3)
    greeters = await node.deploy(Greeter, shards=1)
    for number in range(20):
        await greeters(str(number)).ask("hello")
    await eventually(lambda: node.live_entities(Greeter) <= 3)


async def test_bad_keys_are_refused(greeters: ActorRefs) -> None:
    with pytest.raises(InvalidName):
        greeters("")
    with pytest.raises(InvalidName):
        greeters(1)  # type: ignore[arg-type]


class NeedsArguments(Actor):
    """Cannot be made by key alone."""

    def __init__(self, needed: int) -> None:
        super().__init__()


@pytest.mark.parametrize("wrong", [int, "Greeter", Greeter(), NeedsArguments, None])
async def test_what_is_no_actor_class_is_refused(start_node: StartNode, wrong: Any) -> None:
    with pytest.raises(InvalidDefinition):
        await (await start_node()).deploy(wrong)


@pytest.mark.parametrize("shards", [0, -1, 1_000_000])
async def test_a_wrong_number_of_shards_is_refused(start_node: StartNode, shards: int) -> None:
    node = await start_node()
    with pytest.raises((InvalidDefinition, ValueError), match="shard"):
        await node.deploy(Greeter, shards=shards)


async def test_a_stopped_node_takes_no_messages(start_node: StartNode) -> None:
    node = await start_node()
    greeters = await node.deploy(Greeter)
    await greeters("a").ask("hello")
    await node.stop()
    with pytest.raises(NodeStopping):
        await greeters("a").ask("hello")
    with pytest.raises(NodeStopping):
        greeters("a").tell("hello")
