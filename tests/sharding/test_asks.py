"""Asks that went to another node: each ends once, by an answer or by the truth about why there is none."""

from __future__ import annotations

import asyncio
from typing import Any

from sharding import asks as module
from sharding.actors import DiedUnanswered
from sharding.actors.ask import ReplyAddress
from sharding.asks import RemoteAsk, RemoteAsks
from sharding.messages import Envelope
from tests.sharding.posts import Rig

X, Y = 2, 3


def ask(rig: Rig, asks: RemoteAsks, owner: int, serial: int | None, text: str = "") -> tuple[int, asyncio.Future[Any]]:
    """An ask that was sent to `owner` under `serial`; its number, and what its caller waits for."""
    future: asyncio.Future[Any] = rig.engine.loop.create_future()
    one = RemoteAsk(ReplyAddress(rig.engine, future), Envelope(0, "k", text), rig.routes, owner)
    one.serial = serial
    return asks.begin(one), future


def error_of(future: asyncio.Future[Any]) -> BaseException | None:
    return future.exception() if future.done() else None


async def test_an_answer_ends_its_ask_and_no_other(rig: Rig) -> None:
    asks = rig.asks
    (one, first), (_, second) = ask(rig, asks, X, 1), ask(rig, asks, X, 2)
    asks.answered(one, b"yes")
    asks.answered(one, b"again")
    asks.answered(99, b"of somebody else")
    assert (first.result(), second.done(), len(asks)) == ("yes", False, 1)
    second.cancel()


async def test_an_answer_that_cannot_be_read_happened_nevertheless(rig: Rig) -> None:
    number, future = ask(rig, rig.asks, X, 1)
    rig.asks.answered(number, b"\xff")
    assert isinstance(error_of(future), DiedUnanswered)
    assert len(rig.asks) == 0


async def test_a_lost_connection_puts_in_doubt_what_may_have_arrived_and_returns_in_order_what_never_left(
    rig: Rig,
) -> None:
    asks = rig.asks
    futures = [ask(rig, asks, X, serial, str(serial))[1] for serial in (1, 2, 3, 4)]
    (_, elsewhere) = ask(rig, asks, Y, 3)
    unsent = asks.lost(X, 3)
    assert not any(future.done() for future in futures), "an answer may be on its way on the owner's own connection"
    asks.give_up(X, "the connection was lost")
    assert [one.envelope.message for one in unsent] == ["3", "4"]
    assert [type(error_of(future)) for future in futures] == [DiedUnanswered, DiedUnanswered, type(None), type(None)]
    assert (elsewhere.done(), len(asks)) == (False, 1)
    for future in (*futures, elsewhere):
        future.cancel()


async def test_an_ask_that_was_sent_on_shares_the_fate_of_its_new_owner(rig: Rig) -> None:
    asks = rig.asks
    (number, future) = ask(rig, asks, X, 5)
    asks.moved(number, Y)
    asks.moved(99, Y)
    assert asks.lost(X, 1) == []
    asks.give_up(X, "lost")
    assert not future.done()
    assert asks.lost(Y, 1) == [], "it never went over our link to Y, so it cannot be unsent"
    asks.give_up(Y, "lost")
    assert isinstance(error_of(future), DiedUnanswered)


async def test_asks_end_with_the_process_that_has_them(rig: Rig) -> None:
    asks = rig.asks
    (number, moved), (_, sent), (_, other) = ask(rig, asks, X, 1), ask(rig, asks, Y, 1), ask(rig, asks, X, 2)
    asks.moved(number, Y)
    asks.doubt(Y)
    asks.give_up(Y, "member 3 is dead")
    assert [str(error_of(future)) for future in (moved, sent)] == ["member 3 is dead"] * 2
    assert (other.done(), len(asks)) == (False, 1)
    other.cancel()


async def test_what_is_in_doubt_may_still_be_answered_or_sent_on(rig: Rig) -> None:
    asks = rig.asks
    (number, answered), (other, moved) = ask(rig, asks, X, 1), ask(rig, asks, X, 2)
    asks.lost(X, 9)
    asks.answered(number, b"yes")
    asks.moved(other, Y)
    asks.give_up(X, "lost")
    asks.give_up(Y, "lost")
    assert answered.result() == "yes"
    assert not moved.done(), "it is with another owner, whose connection stands"
    moved.cancel()


async def test_asks_sent_after_a_loss_are_not_in_doubt(rig: Rig) -> None:
    asks = rig.asks
    (_, before) = ask(rig, asks, X, 1)
    asks.lost(X, 2)
    (_, after) = ask(rig, asks, X, 2)
    asks.give_up(X, "lost")
    assert isinstance(error_of(before), DiedUnanswered)
    assert not after.done()
    after.cancel()


async def test_asks_of_callers_that_gave_up_are_forgotten(rig: Rig) -> None:
    asks = RemoteAsks(rig.engine.nobody)
    waiting = [ask(rig, asks, X, number)[1] for number in range(10)]
    for number in range(5 * module._SWEEP_ABOVE):
        ask(rig, asks, X, number)[1].cancel()
        assert len(asks) <= module._SWEEP_ABOVE + 2 * len(waiting)
    assert not any(future.done() for future in waiting)
    for future in waiting:
        future.cancel()
