"""What lies in a journal: events of all versions, snapshots, metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from journal.codec import PayloadCodec, ValueCodec, event, upcast
from journal.errors import BadPayload
from journal.metadata import MAX_METADATA_BYTES, Metadata
from tests.journal.codec_samples import (
    BookingConfirmed,
    BookingDenied,
    BookingPlaced,
    Branch,
    ClientId,
    Everything,
    Free,
    Leaf,
    Node,
    Nothing,
    Page,
    Seat,
    TooManySeats,
)
from tests.journal.test_codec_round_trip import EVERYTHING


@event("Seated", version=3)
@dataclass(frozen=True, slots=True)
class Seated:
    """An event that was stored otherwise in versions 1 and 2."""

    row: str
    number: int


@upcast("Seated", 1)
def _with_number(plain: Any) -> Any:
    return {**plain, "number": int(plain["seat"]) % 1000}


@upcast("Seated", 2)
def _without_seat(plain: Any) -> Any:
    return {"row": plain["row"], "number": plain["number"]}


_EVENTS: PayloadCodec[Any] = PayloadCodec(
    BookingPlaced | BookingConfirmed | BookingDenied | Nothing | Seated, [_with_number, _without_seat]
)
_SNAPSHOTS: PayloadCodec[Any] = PayloadCodec(Everything)
_NAMES = (*_EVENTS.names, "Unknown", "")
_VALUES: tuple[ValueCodec[Any], ...] = tuple(
    map(
        ValueCodec,
        (Node, Branch, Page[Seat], TooManySeats, dict[UUID, set[int]], int | str | list[int] | None, KeyError),
    )
)


def _stored(value: Any) -> bytes:
    name, version, data = _EVENTS.encode(value)
    return bytes([_NAMES.index(name), version]) + data


EVENTS = (
    _stored(BookingPlaced(ClientId("c"), "x", (Seat("A", 1), Seat("B", 2)))),
    _stored(BookingConfirmed({UUID(int=3): Seat("A", 1)}, Free())),
    _stored(BookingDenied("full")),
    _stored(Nothing()),
    _stored(Seated("A", 7)),
    bytes([_NAMES.index("Seated"), 1]) + b"\x82\xa3row\xa1A\xa4seat\xa17",
    bytes([_NAMES.index("Seated"), 2]) + b"\x83\xa3row\xa1A\xa4seat\xa17\xa6number\x07",
)
SNAPSHOTS = (_SNAPSHOTS.encode(EVERYTHING)[2],)
VALUES = tuple(
    bytes([at]) + _VALUES[at].encode(value)
    for at, value in (
        (0, Node("a", (Node("b"), Node("c", (Node("d"),))))),
        (1, Branch(Leaf(1), Branch(Leaf(2), Leaf(3)))),
        (2, Page((Seat("A", 1),), Seat("B", 2))),
        (3, TooManySeats(11)),
        (4, {UUID(int=1): {1, 2}}),
        (5, [1, 2]),
        (6, KeyError("a", 1)),
    )
)
METADATA = (
    b"",
    Metadata("c-1").encode(),
    Metadata("c-1", "r-1", "a-1", {"user": "ann", "trace": "00-4bf9"}).encode(),
)


def events(data: bytes) -> bool:
    """A name (first byte), a version (second) and the payload."""
    name = _NAMES[data[0] % len(_NAMES)] if data else ""
    return _reads(_EVENTS, name, data[1] if len(data) > 1 else 0, data[2:])


def snapshots(data: bytes) -> bool:
    """A state with one field of each kind."""
    return _reads(_SNAPSHOTS, "Everything", 1, data)


def _reads(codec: PayloadCodec[Any], name: str, version: int, data: bytes) -> bool:
    try:
        value = codec.decode(name, version, data)
    except BadPayload as error:
        _check_text(error)
        return False
    written = codec.encode(value)
    assert codec.encode(codec.decode(*written)) == written
    return True


def values(data: bytes) -> bool:
    """An annotation (first byte) and a value of it."""
    codec = _VALUES[data[0] % len(_VALUES)] if data else _VALUES[0]
    try:
        value = codec.decode(data[1:])
    except BadPayload as error:
        _check_text(error)
        return False
    written = codec.encode(value)
    assert codec.encode(codec.decode(written)) == written
    return True


def metadata(data: bytes) -> bool:
    """What stands beside an event."""
    try:
        found = Metadata.decode(data)
    except BadPayload as error:
        _check_text(error)
        return False
    assert len(data) <= MAX_METADATA_BYTES
    assert Metadata.decode(found.encode()) == found
    return True


def _check_text(error: BadPayload) -> None:
    assert len(str(error)) < 2_000, "an error repeats what it was given"
