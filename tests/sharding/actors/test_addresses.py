"""Addresses as values, and what an idle actor costs."""

from __future__ import annotations

import copy
import gc
import pickle
import tracemalloc
from typing import Any

import pytest
from thespian.actors import Actor, ActorAddress

from sharding.actors import Address, Engine
from tests.sharding.actors.cast import Echo, Recorder, Silent


async def test_an_address_is_equal_to_itself_only_and_a_key_of_dicts(engine: Engine) -> None:
    one, two = engine.create(Echo), engine.create(Echo)
    assert one == one
    assert one != two
    assert one != ActorAddress(one.addressDetails)
    assert {one: 1, two: 2}[two] == 2
    assert {one, two, one} == {two, one}


async def test_sets_of_addresses_have_the_order_of_creation(engine: Engine) -> None:
    addresses = [engine.create(Silent) for _ in range(7)]
    backwards = addresses[::-1]
    assert list(set(backwards)) == list(set(addresses)) == addresses


async def test_an_address_says_which_actor_it_is(engine: Engine) -> None:
    assert str(engine.create(Echo)) == "Echo:1"
    assert repr(engine.create(lambda: Recorder([]))) == "<LocalAddress Recorder:2>"
    assert engine.create(Echo).actorAddressString == "Echo:3"


async def test_a_copy_of_an_address_is_the_address(engine: Engine) -> None:
    echo = engine.create(Echo)
    assert copy.deepcopy({"to": [echo]})["to"][0] is echo
    assert copy.copy(echo) is echo


async def test_an_address_does_not_become_bytes(engine: Engine) -> None:
    with pytest.raises(TypeError, match="Echo:1 is an address within this process"):
        pickle.dumps(engine.create(Echo))


async def test_a_message_to_an_address_of_no_engine_is_a_dead_letter(engine: Engine) -> None:
    stranger = ActorAddress("made up")
    engine.post(stranger, "x", engine.nobody)
    assert engine.dead_letters.count == 1


async def test_another_kind_of_address_brings_its_own_delivery(engine: Engine) -> None:
    class Wire(Address):
        __slots__ = ("sent",)

        def __init__(self) -> None:
            self.sent: list[Any] = []

        @property
        def name(self) -> str:
            return "wire"

        def deliver(self, message: Any, sender: ActorAddress) -> None:
            self.sent.append((message, sender))

    wire = Wire()
    echo = engine.create(Echo)
    engine.tell(wire, "out", echo)
    assert wire.sent == [("out", echo)]
    engine.tell(echo, "back", wire)
    await engine.ask(echo, "after it")
    assert wire.sent[1] == ("back", echo)


class Slotted(Actor):
    """An actor whose own state needs no dict."""

    __slots__ = ("_myRef", "state")

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        self.state = message


@pytest.mark.parametrize("kind", [Echo, Slotted])
async def test_an_idle_actor_is_small(engine: Engine, kind: type[Actor]) -> None:
    count = 5_000
    for _ in range(100):
        engine.stop(engine.create(kind))
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        addresses = [engine.create(kind) for _ in range(count)]
        for address in addresses:
            engine.tell(address, "a message leaves nothing behind")
        await engine.ask(engine.create(Echo), "all had their turn")
        gc.collect()
        each = (tracemalloc.get_traced_memory()[0] - before) / count
    finally:
        tracemalloc.stop()
    assert each < 1_100
