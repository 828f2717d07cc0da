"""Frames, messages and handshakes between nodes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

from sharding.links import LinkSettings, LoopNetwork
from sharding.links.connection import Office
from sharding.links.handshake import AcceptorHandshake, DiallerHandshake, Identity, Keys, Refusal, Refused
from sharding.links.incoming import IncomingConnection
from sharding.links.traffic import Complaints, Traffic
from sharding.protocol import (
    MESSAGES,
    Failed,
    HandOff,
    Homes,
    Leads,
    Leaving,
    Members,
    Moved,
    Register,
    Reply,
    Request,
)
from sharding.wire import BadFrame, Registry, Splitter, framed

REGISTRY = Registry(MESSAGES)
SAID: tuple[Any, ...] = (
    Leads(3, 1),
    Register(7, "booking"),
    Homes(3, "booking", ((0, 1, 1), (1, 2, 5)), True),
    HandOff(3, "booking", (1, 2, 3)),
    Members(3, (("a", 1, "127.0.0.1", 4000, 1.0, "up"), ("b", 2, "::1", 4001, 0.5, "leaving"))),
    Request(1, 17, "booking", 3, 5, "b-1", b"\x94\xa3add\xcb\x40\x08\x00\x00\x00\x00\x00\x00\xc4\x00\xc4\x01\x80"),
    Reply(17, b"\x92\x00\xc4\x01\x05"),
    Failed(17, 2, "no answer"),
    Moved(17, "booking", 3, 2, 6),
    Leaving(2),
)
BODIES = tuple(REGISTRY.encode(message)[4:] for message in SAID)
STREAMS = (*(framed(body) for body in BODIES), b"".join(map(framed, BODIES)), framed(b"\x01") + framed(BODIES[5]))
_LIMIT = 2_048

KEYS = Keys("tickets", b"a secret that nobody outside should ever see")
A, B = Identity("a", 1), Identity("b", 2)
_D_NONCE, _A_NONCE = b"d" * 32, b"a" * 32


def _shaken() -> tuple[bytes, bytes, bytes]:
    dialling = DiallerHandshake(KEYS, A, B, _D_NONCE)
    _, challenge = AcceptorHandshake(KEYS, B, _A_NONCE).challenge(dialling.hello)
    return dialling.hello, challenge, dialling.prove(challenge)


HELLO, CHALLENGE, PROOF = _shaken()
HELLOS = (
    b"\x00" + HELLO,
    b"\x01" + PROOF,
    b"\x01" + KEYS.refusal(Refusal.WRONG_SECRET, HELLO),
    b"\x00" + DiallerHandshake(Keys("trains", None), A, B, _D_NONCE).hello,
    b"\x00" + DiallerHandshake(KEYS, Identity("n" * 255, 2**64 - 1), B, _D_NONCE).hello,
)
ANSWERS = (CHALLENGE, *(KEYS.refusal(reason, HELLO) for reason in Refusal))
_BEGUN = framed(HELLO) + framed(PROOF)
CONVERSATIONS = (
    b"\x00" + _BEGUN + STREAMS[0],
    b"\x00" + _BEGUN + framed(b"\x01") + STREAMS[5],
    b"\x00" + framed(HELLO),
    *(b"\x01" + stream for stream in STREAMS),
)


def frames(data: bytes) -> bool:
    """A stream, in two pieces, cut into bodies and those read; True if at least one message came of it."""
    splitter, heard = Splitter(_LIMIT), 0
    half = len(data) // 3
    try:
        for piece in (data[:half], data[half:]):
            splitter.feed(piece)
            while (body := splitter.next()) is not None:
                assert 0 < len(body) <= _LIMIT
                if len(body) > 1:
                    REGISTRY.decode(body)
                    heard += 1
    except BadFrame as error:
        _check_text(error)
        return False
    return heard > 0


def messages(data: bytes) -> bool:
    """One body; what is accepted is a registered message that goes over the wire again as the same bytes."""
    try:
        message = REGISTRY.decode(data)
    except BadFrame as error:
        _check_text(error)
        return False
    assert type(message) in MESSAGES.values()
    sent = REGISTRY.encode(message)
    assert REGISTRY.encode(REGISTRY.decode(sent[4:])) == sent
    return True


def acceptor(data: bytes) -> bool:
    """A hello (first byte 0), or what comes after the challenge."""
    handshake = AcceptorHandshake(KEYS, B, _A_NONCE)
    try:
        if data[:1] == b"\x00":
            dialler_said, answer = handshake.challenge(data[1:])
            assert dialler_said.incarnation < 1 << 64
            assert len(answer) == len(CHALLENGE)
        else:
            handshake.challenge(HELLO)
            handshake.check(data[1:])
            assert data[1:] == PROOF
    except Refused as refused:
        _check_answer(refused)
        return False
    return True


def _check_answer(refused: Refused) -> None:
    assert len(refused.answer) < 64, "a stranger's few bytes are answered with many"


def dialler(data: bytes) -> bool:
    """What an acceptor answered; only the right challenge is answered with a proof."""
    try:
        DiallerHandshake(KEYS, A, B, _D_NONCE).prove(data)
    except Refused:
        return False
    assert data == CHALLENGE
    return True


class _Loop:
    """Time that stands, and timers that never ring."""

    def time(self) -> float:
        return 1.0

    def call_later(self, delay: float, call: Callable[[], object]) -> asyncio.TimerHandle:
        return cast(asyncio.TimerHandle, _Timer())


class _Timer:
    def cancel(self) -> None:
        """It never rang."""


class _Transport:
    """Takes what is written, and notes when it is closed."""

    def __init__(self) -> None:
        self.sent, self.closed = 0, False

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 4000) if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        """Nothing is buffered."""

    def write(self, data: bytes) -> None:
        self.sent += len(data)

    def close(self) -> None:
        self.closed = True

    abort = close


class _Heard:
    def __init__(self) -> None:
        self.messages = 0

    def received(self, incarnation: int, message: Any) -> None:
        assert incarnation == A.incarnation
        self.messages += 1


class _Reception:
    def __init__(self) -> None:
        self.proofs = self.left_count = 0

    def arrived(self, connection: IncomingConnection) -> None:
        """Nothing is limited here."""

    def admits(self, dialler: Identity) -> bool:
        return True

    def proved(self, connection: IncomingConnection, dialler: Identity) -> None:
        assert dialler == A
        self.proofs += 1

    def left(self, connection: IncomingConnection) -> None:
        self.left_count += 1


_SETTINGS = LinkSettings("tickets", b"a secret that nobody outside should ever see")
_LOOP = cast(asyncio.AbstractEventLoop, _Loop())
_COMPLAINTS = Complaints(_LOOP)


def connection(data: bytes) -> bool:
    """A connection's bytes from the first on, or (first byte odd) from after a good handshake on; in two pieces.

    Nothing escapes; nothing is heard without the one good handshake; it ends once or waits for more.
    """
    heard, reception, transport = _Heard(), _Reception(), _Transport()
    office = Office(
        *(_SETTINGS, KEYS, REGISTRY, cast(Any, heard), LoopNetwork(), random.random, lambda: _A_NONCE, _LOOP),
        *(Traffic(), _COMPLAINTS, B),
    )
    line = IncomingConnection(office, reception)
    line.connection_made(cast(asyncio.Transport, transport))
    stream = (_BEGUN if data[:1] and data[0] & 1 else b"") + data[1:]
    half = len(stream) // 2
    for piece in (stream[:half], stream[half:]):
        if not transport.closed:
            line.data_received(piece)
    good = stream.startswith(_BEGUN)
    assert reception.proofs == good
    assert not heard.messages or good
    assert reception.left_count == transport.closed
    assert office.traffic.bad_frames <= good
    return heard.messages > 0


def _check_text(error: BadFrame) -> None:
    assert len(str(error)) < 500
