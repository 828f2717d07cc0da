"""Arguments and replies of functions by their annotations."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import msgpack
import pytest

from journal.codec import (
    ArgumentsCodec,
    BadArguments,
    MisfitPayload,
    PayloadTooLarge,
    UnencodableValue,
    UnsupportedType,
    reply_codec,
)
from tests.journal.codec_samples import Node, Seat


class Booking:
    async def place(
        self, client: str, seats: tuple[Seat, ...], *, hold: timedelta | None = None, note: str = ""
    ) -> int:
        return len(seats)

    def status(self) -> str | None:
        return None

    def grow(self, tree: Node) -> Node:
        return tree

    def unannotated(self, seat) -> None:  # type: ignore[no-untyped-def]
        pass

    def many(self, *seats: Seat) -> None:
        pass

    def named(self, **seats: Seat) -> None:
        pass

    def nameless(self, seat: Seat, /) -> None:
        pass

    def connect(self, seat: Seat, via: socket.socket) -> socket.socket:
        return via

    def lost(self, seat: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
        pass

    def silent(self):  # type: ignore[no-untyped-def]
        pass


PLACE = ArgumentsCodec(Booking.place)
SEATS = (Seat("A", 1),)


def pack(plain: Any) -> bytes:
    packed: bytes = msgpack.packb(plain)
    return packed


def test_arguments_come_back_by_parameter() -> None:
    data = PLACE.encode("c", SEATS, hold=timedelta(1))
    assert PLACE.decode(data) == {"client": "c", "seats": SEATS, "hold": timedelta(1)}
    assert ArgumentsCodec(Booking.status).decode(ArgumentsCodec(Booking.status).encode()) == {}


def test_the_way_of_calling_does_not_change_the_bytes() -> None:
    assert PLACE.encode("c", SEATS) == PLACE.encode(seats=SEATS, client="c") == PLACE.encode("c", seats=SEATS)


def test_defaults_are_the_receivers() -> None:
    assert PLACE.decode(PLACE.encode("c", SEATS)) == {"client": "c", "seats": SEATS}


def test_bound_methods_and_plain_functions() -> None:
    assert ArgumentsCodec(Booking().place).encode("c", SEATS) == PLACE.encode("c", SEATS)

    def free(seat: Seat) -> None: ...

    assert ArgumentsCodec(free).decode(ArgumentsCodec(free).encode(SEATS[0])) == {"seat": SEATS[0]}


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, r"place\(\) is called without 'client', 'seats'"),
        (("c",), {}, r"place\(\) is called without 'seats'"),
        (("c", SEATS, None), {}, r"place\(\) takes 2 positional arguments, got 3"),
        (("c", SEATS), {"client": "d"}, r"place\(\) is given 'client' twice"),
        (("c", SEATS), {"colour": "red"}, r"place\(\) has no parameter 'colour'"),
    ],
)
def test_calls_that_do_not_fit(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(BadArguments, match=message):
        PLACE.encode(*args, **kwargs)


def test_the_message_names_function_and_parameter() -> None:
    with pytest.raises(UnencodableValue, match=r"cannot store Booking.place.seats\[0\].number: a str where an int"):
        PLACE.encode("c", (Seat("A", "1"),))  # type: ignore[arg-type]
    with pytest.raises(PayloadTooLarge, match=r"Booking.place takes"):
        PLACE.encode("c" * 1_000_001, ())


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"client": "c"}, "cannot read Booking.place: missing field 'seats', without a default"),
        ({"client": "c", "seats": [], "x": 1}, "cannot read Booking.place: unknown field 'x'"),
        ({"client": "c", "seats": [{}]}, r"cannot read Booking.place.seats\[0\]: missing fields 'row', 'number'"),
        ({"client": 1, "seats": []}, "cannot read Booking.place.client: an int where a str is expected"),
        (["c", []], "cannot read Booking.place: a list where a map of arguments is expected"),
    ],
)
def test_bytes_that_do_not_fit(plain: Any, message: str) -> None:
    with pytest.raises(MisfitPayload, match=message):
        PLACE.decode(pack(plain))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (Booking.unannotated, r"Booking.unannotated.seat: .* annotate it"),
        (Booking.many, r"Booking.many.seats: .* variadic positional"),
        (Booking.named, r"Booking.named.seats: .* variadic keyword"),
        (Booking.nameless, r"Booking.nameless.seat: .* positional-only"),
        (Booking.connect, r"Booking.connect.via: cannot store socket"),
        (Booking.lost, r"Booking.lost.seat: cannot store Nowhere"),
    ],
)
def test_unsupported_parameters_are_named(function: Any, message: str) -> None:
    with pytest.raises(UnsupportedType, match=message):
        ArgumentsCodec(function)


def test_recursive_arguments() -> None:
    codec = ArgumentsCodec(Booking.grow)
    assert codec.decode(codec.encode(Node("a", (Node("b"),)))) == {"tree": Node("a", (Node("b"),))}


def test_replies() -> None:
    assert reply_codec(Booking.place).decode(reply_codec(Booking.place).encode(3)) == 3
    assert reply_codec(Booking.status).decode(reply_codec(Booking.status).encode(None)) is None
    with pytest.raises(UnencodableValue, match=r"cannot store reply of Booking.place: a str where an int"):
        reply_codec(Booking.place).encode("3")
    with pytest.raises(UnsupportedType, match=r"reply of Booking.connect: cannot store socket"):
        reply_codec(Booking.connect)
    with pytest.raises(UnsupportedType, match=r"reply of Booking.silent: .* say what it returns"):
        reply_codec(Booking.silent)
