"""Routes: what goes out, what comes in, and what is said when something cannot be sent or read."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pytest
from thespian.actors import Actor, DeadEnvelope

from sharding import routes
from sharding.actors import DiedUnanswered, HandlerFailed, Undeliverable
from sharding.messages import Envelope
from sharding.protocol import RAISED, UNANSWERED, UNDELIVERED, Failed, Flush, Flushed, Moved, Reply, Request
from tests.sharding.posts import ME, Rig, answers, turns

X, ORIGIN = 2, 5


def request(message: bytes = b"hi", *, ask: int = 8, epoch: int = 1, hops: int = 0, shard: int = 0) -> Request:
    return Request(ORIGIN, ask, "t", shard, epoch, "k", message, hops)


# --- from callers here


async def test_who_waits_is_told_when_the_owner_is_out_of_reach(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    rig.post.unreachable.add(X)
    (error,) = await answers(rig.ask("1"))
    assert isinstance(error, Undeliverable)
    assert "member 2 is out of reach" in str(error)
    assert len(rig.asks) == 0


async def test_a_message_that_cannot_be_packed_concerns_its_sender_only(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    assert await answers(rig.ask("unpackable")) == ["refused: it cannot be packed"]
    assert (rig.post.sent, len(rig.asks)) == ([], 0)


async def test_a_message_without_answer_is_no_ask(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    rig.engine.tell(rig.routes.addresses[0], Envelope(0, "k", "tell"))
    assert [one.ask for _, one in rig.post.take(Request)] == [0]
    assert len(rig.asks) == 0


class Letters(Actor):
    """Keeps dead letters."""

    kept: ClassVar[list[Any]] = []

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, DeadEnvelope):
            self.kept.append(message.deadMessage)


@pytest.fixture
async def letters(rig: Rig) -> list[Any]:
    """What comes to the dead letters from now on."""
    Letters.kept = []
    rig.engine.dead_letters.set_handler(rig.engine.create(Letters), True)
    return Letters.kept


async def test_what_nobody_waits_for_and_cannot_be_delivered_is_a_dead_letter(
    rig: Rig, letters: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "MAX_WAITING", 1)

    def tell(text: str) -> None:
        rig.engine.tell(rig.routes.addresses[0], Envelope(0, "k", text))

    tell("waits")
    tell("too much")
    foreign = [request(ask=0, epoch=0), request(ask=0, shard=7), request(b"\xff", ask=0, shard=1)]
    await rig.homes((1, ME, 1))
    for one in foreign:
        rig.routes.take(one)
    await rig.homes((0, X, 1))
    tell("unpackable")
    rig.post.unreachable.add(X)
    tell("out of reach")
    rig.routes.take(request(ask=0, epoch=1))
    await turns()
    assert letters == ["too much", *foreign, "unpackable", "out of reach", request(ask=0, epoch=1)]
    assert rig.post.take(Failed) == []


async def test_too_much_that_waits_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "MAX_WAITING", 2)
    asks = [rig.ask(str(number)) for number in range(3)]
    assert await answers(asks[2]) == ["refused: shard 0 is overloaded"]
    for number in range(4):
        rig.routes.take(request(ask=number, epoch=0))
        rig.routes.take(request(ask=10 + number, epoch=9, shard=1))
    text = "too much waits for its new home"
    failed = rig.post.take(Failed)
    assert [(to, one.ask, one.kind) for to, one in failed] == [
        (ORIGIN, ask, UNDELIVERED) for ask in (1, 2, 12, 3, 13)
    ], "two callers wait already, so not one foreign request fits"
    assert all(text in one.text for _, one in failed)
    for ask in asks[:2]:
        ask.cancel()


async def test_what_never_left_waits_in_front_of_what_came_later(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    for text in ("1", "2"):
        rig.ask(text).cancel()
    rig.post.take(Request)
    first, second = (Envelope(0, "k", text) for text in ("1", "2"))
    rig.routes.put_back(0, [(first, rig.engine.nobody), (second, rig.engine.nobody)])
    third, given_up = rig.ask("3"), rig.ask("4")
    given_up.cancel()
    assert rig.post.sent == []
    await rig.homes((0, ME, 2))
    assert await answers(third) == ["3"]
    assert rig.log == ["open 0 2", "k:1", "k:2", "k:3"], "nobody waits for what was given up before it was sent"


async def test_the_routes_to_a_dead_member_wait_for_its_successor(rig: Rig) -> None:
    await rig.homes((0, X, 1), (1, 3, 1))
    rig.routes.suspend(X)
    ask, other = rig.ask("1"), rig.ask("2", shard=1)
    assert [to for to, _ in rig.post.take(Request)] == [3]
    await rig.homes((0, ME, 2))
    assert await answers(ask) == ["1"]
    other.cancel()


# --- from other nodes


async def test_a_request_is_answered_to_whom_it_came_from(rig: Rig) -> None:
    await rig.homes((0, ME, 1))
    rig.routes.take(request(b"hi", ask=8))
    rig.routes.take(request(b"told", ask=0))
    await turns()
    assert rig.post.take(Reply) == [(ORIGIN, Reply(8, b"hi"))]
    assert rig.log == ["open 0 1", "k:hi", "k:told"]


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        (b"raise", RAISED, "ValueError: it fails"),
        (b"raise much", RAISED, "ValueError: it fails"),
        (b"raise no text", RAISED, "ValueError: it fails \\ud800"),
        (b"exit", UNANSWERED, "unanswered"),
        (b"silent", UNANSWERED, "let the message go"),
        (b"unpackable", UNANSWERED, "its answer cannot be packed"),
        (b"huge", UNANSWERED, "its answer of 20,000 bytes cannot be sent"),
        (b"\xff\xff", UNDELIVERED, "cannot be read by the owner"),
    ],
)
async def test_what_goes_wrong_at_the_owner_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, message: bytes, kind: int, text: str
) -> None:
    # What is logged is no Unicode either, and pytest-xdist cannot report it.
    monkeypatch.setattr(logging.getLogger("sharding.actors"), "disabled", True)
    await rig.homes((0, ME, 1))
    rig.routes.take(request(message))
    await turns()
    ((to, failed),) = rig.post.take(Failed)
    assert (to, failed.ask, failed.kind) == (ORIGIN, 8, kind)
    assert text in failed.text
    assert "failed twice" not in failed.text, "which the one who asked says by itself"
    rig.routes.take(request(b"and then"))
    await turns()
    assert rig.post.take(Reply) == [(ORIGIN, Reply(8, b"and then"))]


@pytest.mark.parametrize("shard", [-1, 3, 1_000_000])
async def test_a_shard_that_does_not_exist_is_refused(rig: Rig, shard: int) -> None:
    rig.routes.take(request(shard=shard))
    rig.routes.take(Flush(ORIGIN, 1, "t", shard, 1))
    ((_, failed),) = rig.post.sent
    assert (failed.kind, failed.ask) == (UNDELIVERED, 8)


async def test_a_former_owner_sends_on_and_says_so(rig: Rig) -> None:
    await rig.homes((0, X, 4))
    rig.routes.take(request(b"hi", epoch=3, hops=1))
    rig.routes.take(Flush(ORIGIN, 7, "t", 0, 3))
    assert rig.post.sent == [
        (X, Request(ORIGIN, 8, "t", 0, 4, "k", b"hi", 2)),
        (ORIGIN, Moved(8, "t", 0, X, 4)),
        (X, Flush(ORIGIN, 7, "t", 0, 4, 1)),
    ]


async def test_what_was_sent_on_too_often_or_cannot_be_is_refused(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    rig.routes.take(request(hops=routes.MAX_HOPS))
    rig.post.unreachable.add(X)
    rig.routes.take(request(ask=9))
    rig.routes.take(request(ask=0))
    assert [(one.ask, one.kind) for _, one in rig.post.take(Failed)] == [(8, UNDELIVERED), (9, UNDELIVERED)]


async def test_an_origin_that_is_out_of_reach_disturbs_nobody(rig: Rig) -> None:
    await rig.homes((0, ME, 1))
    rig.post.unreachable.add(ORIGIN)
    rig.routes.take(request(b"hi"))
    rig.routes.take(request(b"\xff"))
    rig.routes.take(Flush(ORIGIN, 7, "t", 0, 1))
    await turns()
    assert (rig.post.sent, await answers(rig.ask("after"))) == ([], ["after"])


async def test_an_owner_answers_a_flush_behind_what_came_before_it(rig: Rig) -> None:
    rig.routes.take(request(b"1", epoch=0))
    rig.routes.take(Flush(ORIGIN, 7, "t", 0, 0))
    assert rig.post.sent == []
    await rig.homes((0, ME, 1))
    await turns()
    assert rig.post.take(Flushed) == [(ORIGIN, Flushed("t", 7))]
    assert rig.log == ["open 0 1", "k:1"]


# --- asks


@pytest.mark.parametrize(
    ("kind", "error"), [(UNDELIVERED, Undeliverable), (UNANSWERED, DiedUnanswered), (RAISED, HandlerFailed)]
)
async def test_a_failed_ask_fails_by_its_kind(rig: Rig, kind: int, error: type[Exception]) -> None:
    await rig.homes((0, X, 1))
    ask = rig.ask("1")
    rig.asks.failed(1, kind, "because")
    rig.asks.failed(1, kind, "twice")
    (caught,) = await answers(ask)
    assert type(caught) is error
    assert "because" in str(caught)
    assert "None" not in str(caught)


async def test_addresses_say_where_they_lead(rig: Rig) -> None:
    await rig.homes((0, X, 1))
    assert [str(address) for address in rig.routes.addresses] == ["t-0@2", "t-1@waiting", "t-2@waiting"]
