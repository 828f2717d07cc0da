"""The memory store: each call is one step, and the same calls get the same answers."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from sharding.store.errors import InvalidClusterName
from sharding.store.memory import MemoryClusterStore
from sharding.store.records import Allocation, Deployment, Seat

T = TypeVar("T")

SEAT = Seat("a", "127.0.0.1", 7000)


def at_once(call: Coroutine[Any, Any, T]) -> T:
    """The answer of a call that never waits; there is no event loop on which it could."""
    try:
        call.send(None)
    except StopIteration as end:
        answer: T = end.value
        return answer
    raise AssertionError("the call waited for something")


def story() -> list[object]:
    """The answers to every method, on a clock that goes one second per look."""
    time = iter(range(1_000))
    store = MemoryClusterStore("tickets", clock=lambda: next(time))
    return [
        at_once(store.join(SEAT, 50)),
        at_once(store.join(SEAT._replace(node="b"), 50)),
        at_once(store.take_term(1, 0)),
        at_once(store.deploy(Deployment("Booking", "entity", 4), host=1)),
        at_once(store.allocate(1, "Booking", [Allocation(0, 1, 1)])),
        at_once(store.renew(2, 50)),
        at_once(store.declare_down(1, 2)),
        at_once(store.mark_leaving(1)),
        at_once(store.leave(1)),
        at_once(store.forget(1)),
        at_once(store.resign(1)),
        at_once(store.deployments()),
        at_once(store.allocations("Booking")),
        at_once(store.picture()),
        at_once(store.close()),
    ]


def test_no_call_waits_and_all_answers_repeat() -> None:
    assert story() == story()


def test_time_comes_from_outside() -> None:
    now = 100.0
    store = MemoryClusterStore("tickets", clock=lambda: now)
    at_once(store.join(SEAT, 10))
    now = 107.0
    assert at_once(store.picture()).members[0].lease_left == 3.0
    now = 110.0
    assert at_once(store.picture()).members[0].lease_left == 0.0
    assert at_once(store.join(SEAT, 10)).incarnation == 2


@pytest.mark.parametrize("name", ["", "a" * 61, "a b", "ä", "a/b", "a\n"])
def test_not_every_text_names_a_cluster(name: str) -> None:
    with pytest.raises(InvalidClusterName, match="1 to 60"):
        MemoryClusterStore(name, clock=lambda: 0.0)
