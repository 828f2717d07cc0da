"""Who gets in, who does not, and what is said about it."""

from __future__ import annotations

import asyncio
import logging
import traceback
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.links.handshake import (
    MAGIC,
    AcceptorHandshake,
    DiallerHandshake,
    Identity,
    Keys,
    Refusal,
    Refused,
)
from sharding.wire import framed
from tests.sharding.links.nodes import REGISTRY, SECRET, SETTINGS, Node, Said, nodes, two_nodes
from tests.sharding.links.wires import Wire, between, dialler, listener, shake_hands, wire_to
from tests.waiting import eventually

KEYS = Keys("tickets", SECRET)
A, B = Identity("a", 1), Identity("b", 2)
MESSAGE = REGISTRY.encode(Said(666, "hostile"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that a registry was asked to decode."""
    seen: list[bytes] = []
    decode = REGISTRY.decode

    def spy(body: bytes) -> object:
        seen.append(body)
        return decode(body)

    monkeypatch.setattr(REGISTRY, "decode", spy)
    return seen


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"cluster": "trains"}, Refusal.OTHER_CLUSTER),
        ({"wanted": ("a", 0)}, Refusal.OTHER_INCARNATION),
        ({"wanted": ("a", 9)}, Refusal.NOT_INTRODUCED),  # which it may be about to become: no evidence that it is dead
        ({"wanted": ("z", 1)}, Refusal.OTHER_INCARNATION),
    ],
)
async def test_a_hello_that_does_not_fit_is_refused_before_any_frame_is_decoded(
    wrong: dict[str, str], reason: Refusal, decoded: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    async with nodes(SETTINGS) as (a,):
        for _ in range(3):
            async with wire_to(a) as wire:
                handshake = dialler(a, **wrong)  # type: ignore[arg-type]
                wire.say(framed(handshake.hello) + MESSAGE)
                with pytest.raises(Refused) as refused:
                    handshake.prove(await wire.body())
                assert refused.value.reason is reason
                await wire.closed()
        assert a.links.traffic.refused_in[reason] == 3
        assert a.heard.messages == []
        assert decoded == []
        lines = [record.message for record in caplog.records if reason.text in record.message]
        assert len(lines) == 1  # the others are counted, not logged
        assert "127.0.0.1" in lines[0]


async def test_another_version_is_told_so(decoded: list[bytes]) -> None:
    async with nodes(SETTINGS) as (a,), wire_to(a) as wire:
        wire.say(framed(MAGIC + b"\x00\x02" + b"whatever a later version says") + MESSAGE)
        assert (await wire.body())[1] == Refusal.OTHER_VERSION
        await wire.closed()
        assert a.links.traffic.refused_in[Refusal.OTHER_VERSION] == 1
        assert decoded == []


async def test_a_wrong_secret_is_refused_by_both_sides() -> None:
    async with nodes(SETTINGS, replace(SETTINGS, secret=b"another secret of enough bytes")) as (a, b):
        a.links.to(b.peer)
        await a.heard.until(lost=2)
        assert a.links.traffic.refused_out[Refusal.WRONG_SECRET] >= 2
        await eventually(lambda: b.links.traffic.refused_in[Refusal.WRONG_SECRET])
        assert a.heard.of("dead") == []
        assert b.links.status().incoming == []


@pytest.mark.parametrize("secrets", [(SECRET, None), (None, SECRET)])
async def test_a_missing_secret_is_a_wrong_one(secrets: tuple[bytes | None, bytes | None]) -> None:
    async with nodes(*(replace(SETTINGS, secret=secret) for secret in secrets)) as (a, b):
        a.links.to(b.peer).send(Said(1))
        await a.heard.until(lost=1)
        assert a.links.traffic.refused_out[Refusal.WRONG_SECRET] == 1
        assert b.heard.messages == []


async def test_an_intruder_who_ignores_the_challenge_is_closed_before_a_frame_is_decoded(decoded: list[bytes]) -> None:
    async with nodes(SETTINGS) as (a,):
        for answer in (MESSAGE, framed(b"\x02" + bytes(32)), framed(b"\x02"), framed(b"\x03"), framed(b"\x01")):
            async with wire_to(a) as wire:
                wire.say(framed(dialler(a).hello))
                await wire.body()
                wire.say(answer + MESSAGE)
                await wire.closed()
        assert a.heard.messages == []
        assert decoded == []
        assert a.links.traffic.refused_in[Refusal.WRONG_SECRET] == 1
        assert a.links.traffic.refused_in[Refusal.GARBAGE] == 4


async def test_a_replayed_handshake_fails(decoded: list[bytes]) -> None:
    async with two_nodes() as (a, b):
        async with between(b) as (middle, port):
            a.links.to(b.peer._replace(port=port)).send(Said(1))
            await b.heard.until(messages=1)
            recorded = b"".join(middle.seen["there"])
            a.links.drop(2)
        await eventually(lambda: not b.links.status().incoming)
        decoded.clear()
        async with wire_to(b) as wire:
            wire.say(recorded)
            await wire.closed()
        assert b.heard.messages == [(1, Said(1))]
        assert decoded == []
        assert b.links.traffic.refused_in[Refusal.WRONG_SECRET] == 1


async def test_an_acceptors_recorded_answer_is_no_proof_later() -> None:
    async with two_nodes() as (a, b):
        async with between(b) as (middle, port):
            a.links.to(b.peer._replace(port=port))
            await a.heard.until(opened=1)
            recorded = middle.seen["back"][0]
            a.links.drop(2)

        async def replay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(recorded)
            await reader.read()
            writer.close()

        async with listener(replay) as port:
            a.links.to(b.peer._replace(port=port)).send(Said(1))
            await a.heard.until(lost=2)
        assert a.links.traffic.refused_out[Refusal.WRONG_SECRET] >= 1


async def test_a_reflected_handshake_fails() -> None:
    """Someone sends a node its own words back: on the same connection, or on one that it makes to the node."""
    async with nodes(SETTINGS) as (a,):

        async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65536):
                writer.write(data)
            writer.close()

        async with listener(mirror) as port:
            a.links.to(a.peer._replace(node="b", incarnation=2, port=port))
            await a.heard.until(lost=1)
        async with between(a) as (_, port):
            a.links.to(a.peer._replace(node="c", incarnation=3, port=port))
            await eventually(lambda: a.links.traffic.refused_in[Refusal.OTHER_INCARNATION])
        assert a.links.traffic.opened == 0
        assert a.links.status().incoming == []


def test_a_proof_of_one_side_is_none_of_the_other() -> None:
    dialling = DiallerHandshake(KEYS, A, B, bytes(32))
    accepting = AcceptorHandshake(KEYS, B, bytes(32))  # the same nonce: only the labels differ
    _, challenge = accepting.challenge(dialling.hello)
    with pytest.raises(Refused) as refused:
        accepting.check(b"\x02" + challenge[33:])
    assert refused.value.reason is Refusal.WRONG_SECRET
    accepting.check(dialling.prove(challenge))


@given(st.data())
def test_a_change_of_any_bit_of_the_handshake_is_noticed(data: st.DataObject) -> None:
    def flipped(body: bytes) -> bytes:
        place = data.draw(st.integers(0, 8 * len(body) - 1))
        return bytes(byte ^ ((1 << place % 8) if at == place // 8 else 0) for at, byte in enumerate(body))

    dialling = DiallerHandshake(KEYS, A, B, b"d" * 32)
    accepting = AcceptorHandshake(KEYS, B, b"a" * 32)
    step = data.draw(st.integers(0, 2))

    def shake_hands() -> None:
        _, challenge = accepting.challenge(flipped(dialling.hello) if step == 0 else dialling.hello)
        proof = dialling.prove(flipped(challenge) if step == 1 else challenge)
        accepting.check(flipped(proof) if step == 2 else proof)

    with pytest.raises(Refused):
        shake_hands()


@given(st.binary(max_size=200))
def test_whatever_the_bytes_a_handshake_only_refuses(body: bytes) -> None:
    dialling = DiallerHandshake(KEYS, A, B, b"d" * 32)
    for attempt in (
        lambda: dialling.prove(body),
        lambda: dialling.prove(b"\x01" + body),
        lambda: dialling.prove(b"\x03" + body),
        lambda: AcceptorHandshake(KEYS, B, bytes(32)).challenge(body),
        lambda: AcceptorHandshake(KEYS, B, bytes(32)).challenge(dialling.hello[:61] + body),
        lambda: AcceptorHandshake(KEYS, B, bytes(32)).check(body),
    ):
        with pytest.raises(Refused):
            attempt()


async def test_only_who_knows_the_secret_can_say_that_another_incarnation_is_there() -> None:
    liar = Keys("tickets", b"the secret of someone else, longish")

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await Wire(reader, writer).body()
        writer.write(framed(liar.refusal(Refusal.OTHER_INCARNATION, hello)))
        await reader.read()
        writer.close()

    async with nodes(SETTINGS) as (a,):
        async with listener(lie) as port:
            a.links.to(a.peer._replace(node="b", incarnation=2, port=port))
            await a.heard.until(lost=2)
        assert a.links.traffic.refused_out[Refusal.OTHER_INCARNATION] >= 2
        dead = a.heard.of("dead")
        assert all(reason == "nobody listens there" for _, reason in dead)


async def test_the_newer_connection_of_a_member_replaces_its_older_one() -> None:
    async with nodes(SETTINGS) as (a,), wire_to(a) as first, wire_to(a) as second:
        await shake_hands(first, dialler(a))
        await eventually(lambda: a.links.status().incoming == [77])
        await shake_hands(second, dialler(a))
        await first.closed()
        second.say(MESSAGE)
        await a.heard.until(messages=1)
        assert a.links.status().incoming == [77]


async def test_the_secret_is_neither_sent_nor_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    other = replace(SETTINGS, secret=SECRET[::-1])
    async with nodes(SETTINGS, SETTINGS, other) as (a, b, c):
        async with between(b) as (right, port):
            link = a.links.to(b.peer._replace(port=port))
            link.send(Said(1))
            await b.heard.until(messages=1)
            a.links.drop(2)
        async with between(c) as (wrong, port):
            a.links.to(c.peer._replace(port=port))
            await eventually(lambda: c.links.traffic.refused_in[Refusal.WRONG_SECRET])
            a.links.drop(3)
        for middle in (right, wrong):
            assert SECRET not in b"".join(middle.seen["there"] + middle.seen["back"])
            assert len(b"".join(middle.seen["there"])) > 100
        shown = [repr(SETTINGS), str(SETTINGS), repr(a.links), repr(a.links.status()), repr(link), caplog.text]
    try:
        replace(SETTINGS, secret=SECRET[:15])
    except ValueError:
        shown.append(traceback.format_exc())
    for text in shown:
        assert SECRET.decode()[:15] not in text
        assert "nobody outside" not in text


async def test_a_dropped_incarnation_is_refused_with_its_reason() -> None:
    async with nodes(SETTINGS) as (a,):
        a.links.drop(77)
        async with wire_to(a) as wire:
            handshake = dialler(a)
            wire.say(framed(handshake.hello))
            with pytest.raises(Refused) as refused:
                handshake.prove(await wire.body())
            assert refused.value.reason is Refusal.GONE


async def test_a_nonce_must_be_long_enough() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        DiallerHandshake(KEYS, A, B, b"short")
    node = Node("a", 1)
    await node.links.close()
