"""The last exchange of a node that leaves."""

from __future__ import annotations

import asyncio
from typing import Any

from sharding.farewells import Farewells
from sharding.post import Unreachable
from sharding.protocol import Parting
from sharding.store.records import Member


class Letters:
    """A post that notes what is sent, and reaches nobody in `away`."""

    me = 1

    def __init__(self, away: tuple[int, ...] = ()) -> None:
        self.away = away
        self.sent: list[tuple[int, Any]] = []

    def send(self, incarnation: int, message: Any) -> int:
        if incarnation in self.away:
            raise Unreachable(f"{incarnation} is away")
        self.sent.append((incarnation, message))
        return len(self.sent)

    def to_coordinator(self, message: Any) -> None:
        raise AssertionError("not the coordinator's matter")

    def learn(self, members: dict[int, Member]) -> None:
        raise AssertionError("nobody's news")

    def knows(self, incarnation: int) -> bool:
        return True

    def is_open(self, incarnation: int) -> bool:
        return True


async def test_it_ends_when_everybody_has_said_farewell() -> None:
    letters = Letters()
    farewells = Farewells(asyncio.get_running_loop(), letters)
    exchange = asyncio.ensure_future(farewells.exchange([2, 3], lambda: 0, 30))
    await asyncio.sleep(0)
    assert letters.sent == [(2, Parting(1)), (3, Parting(1))]
    farewells.said(3)
    await asyncio.sleep(0)
    assert not exchange.done()
    farewells.said(2)
    assert await exchange


async def test_nobody_waits_for_who_cannot_be_reached_and_nobody_has_to_be_there() -> None:
    loop = asyncio.get_running_loop()
    assert await Farewells(loop, Letters(away=(2, 3))).exchange([2, 3], lambda: 0, 30)
    assert await Farewells(loop, Letters()).exchange([], lambda: 0, 30)


async def test_it_waits_until_what_came_is_sent_on() -> None:
    left = [2, 1, 0]
    assert await Farewells(asyncio.get_running_loop(), Letters()).exchange([], lambda: left.pop(0), 30)
    assert left == []


async def test_it_does_not_wait_for_ever() -> None:
    loop = asyncio.get_running_loop()
    assert not await Farewells(loop, Letters()).exchange([2], lambda: 0, 0.02)
    assert not await Farewells(loop, Letters()).exchange([], lambda: 1, 0.02)
