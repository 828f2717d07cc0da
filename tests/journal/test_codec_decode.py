"""Bytes that do not fit are refused with the place and the reason, and nothing else ever escapes `decode`."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal, localcontext
from typing import Any, Literal
from uuid import UUID

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.codec import (
    MAX_DEPTH,
    MisfitPayload,
    NestedTooDeep,
    NewerVersion,
    PayloadCodec,
    PayloadTooLarge,
    UnknownType,
    UnreadablePayload,
    ValueCodec,
    event,
)
from journal.errors import BadPayload
from tests.journal import codec_samples as samples
from tests.journal.codec_samples import (
    BookingConfirmed,
    BookingEvent,
    Colour,
    Everything,
    Expired,
    Free,
    Level,
    Node,
    Paid,
    Planet,
    Rights,
    Seat,
    TooManySeats,
    unhurried,
)
from tests.journal.test_codec_round_trip import EVERYTHING


def pack(plain: Any) -> bytes:
    packed: bytes = msgpack.packb(plain)
    return packed


def refusal(annotation: Any, data: bytes) -> str:
    with pytest.raises(BadPayload) as caught:
        ValueCodec(annotation).decode(data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "plain", "reason"),
    [
        (int, "1", "a str where an int is expected"),
        (int, True, "a bool where an int is expected"),
        (int, 1.0, "a float where an int is expected"),
        (bool, 1, "an int where a bool is expected"),
        (float, "1", "a str where a float is expected"),
        (float, True, "a bool where a float is expected"),
        (str, 1, "an int where a str is expected"),
        (str, b"a", "a bytes where a str is expected"),
        (bytes, "a", "a str where bytes is expected"),
        (type(None), 0, "an int where None is expected"),
        (str, None, "NoneType where a str is expected"),
        (Decimal, 1, "an int where a Decimal (as str) is expected"),
        (Decimal, "one", "a str that is no decimal number"),
        (UUID, "00000000-0000-0000-0000-000000000000", "a str where a UUID (as 16 bytes) is expected"),
        (UUID, b"short", "a bytes where a UUID (as 16 bytes) is expected"),
        (datetime, "2024-01-01T00:00:00", "without a time zone"),
        (datetime, "yesterday", "Invalid isoformat string"),
        (date, "2024-02-30", "day is out of range for month"),
        (time, 12, "an int where a time (as str) is expected"),
        (timedelta, 1.5, "a float where a timedelta (as microseconds, an int) is expected"),
        (Colour, "green", "'green' is not a Colour"),
        (Level, True, "a bool where a Level is expected"),
        (Level, 3, "3 is not a Level"),
        (Level, 1.0, "a float where a Level is expected"),
        (Planet, "MARS", "'MARS' is not a Planet"),
        (Rights, "READ", "a str where a Rights is expected"),
        (Literal["a", 1], True, "a bool where one of 'a', 1 is expected"),
        (Literal["a", 1], "b", "'b' is not one of 'a', 1"),
        (list[int], {}, "a dict where a list is expected"),
        (tuple[str, ...], "ab", "a str where a tuple (as list) is expected"),
        (tuple[int, int], [1], "a list of 1 where a tuple of 2 (as list) is expected"),
        (set[int], [1, 1], "holds an item twice"),
        (set[int], {}, "a dict where a set (as list) is expected"),
        (dict[str, int], [["a", 1]], "a list where a dict is expected"),
        (dict[int, int], {"1": 1}, "a dict where a dict (as list of pairs) is expected"),
        (dict[int, int], [[1, 1], [1, 2]], "holds a key twice"),
        (dict[int, int], [[1, 1, 1]], "a list where a dict (as list of pairs) is expected"),
        (Seat, ["A", 1], "a list where a Seat (as map) is expected"),
        (Seat, None, "NoneType where a Seat (as map) is expected"),
        (Seat, {"row": "A"}, "missing field 'number', without a default"),
        (Seat, {"row": "A", "number": 1, "x": 2, "y": 3}, "unknown fields 'x', 'y': written by a program that"),
        (Seat, {"row": "A", "nomber": 1}, "missing field 'number', and unknown field 'nomber'"),
        (Free, {"reason": "press", "x": 1}, "unknown field 'x'"),
        (Free, {"x": 1}, "unknown field 'x'"),
        (Paid | Free, {"reason": "press"}, "a dict where a Paid or a Free is expected"),
        (Paid | Free, ["Gift", {}], "name 'Gift' is unknown where a Paid or a Free is expected"),
        (Paid | Free, [["Free"], {}], "a list that is no [name, fields]"),
        (Paid | Free, ["Free"], "a list that is no [name, fields]"),
        (int | str, 1.0, "a float where an int or a str is expected"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(annotation: Any, plain: Any, reason: str) -> None:
    message = refusal(annotation, pack(plain))
    assert message.startswith("cannot read value: ")
    assert reason in message


@pytest.mark.parametrize(
    ("annotation", "plain", "place"),
    [
        (list[int], [1, "2"], "value[1]"),
        (dict[str, list[int]], {"a": [1], "b": [None]}, "value['b'][0]"),
        (dict[int, str], [[1, "a"], ["2", "b"]], "value key '2'"),
        (dict[int, str], [[1, "a"], [2, None]], "value[2]"),
        (tuple[str, int], ["a", "b"], "value[1]"),
        (tuple[Seat, ...], [{"row": "A", "number": 1}, {"row": 1, "number": 1}], "value[1].row"),
        (Paid | Free | None, ["Free", {"reason": 1}], "value<Free>.reason"),
        (Node, {"name": "a", "children": [{"name": "b", "children": [{}]}]}, "value.children[0].children[0]"),
    ],
)
def test_the_message_says_where(annotation: Any, plain: Any, place: str) -> None:
    with pytest.raises(MisfitPayload) as caught:
        ValueCodec(annotation).decode(pack(plain))
    assert caught.value.path == place


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "incomplete input"),
        (b"\x92\x01", "incomplete input"),
        (b"\xa5ab", "incomplete input"),
        (b"\xc0\xc0", "extra data"),
        (b"\xc1", "FormatError"),
        (b"\xa1\xff", "invalid start byte"),
        (b"\x81\x01\x01", "int is not allowed for map key"),
        (b"\x81\x90\x01", "list is not allowed for map key"),
        (b"\xd6\xff\x00\x00\x00\x00", "max_ext_len"),
        (b"\xc7\xff\x05", "incomplete input"),
        (b"\xdd\xff\xff\xff\xff", "max_array_len"),
        (b"\xdf\xff\xff\xff\xff", "max_map_len"),
        (b"\xdb\xff\xff\xff\xff", "incomplete input"),
        (b"\xc6\xff\xff\xff\xff", "incomplete input"),
        (b"\x91" * 5_000 + b"\xc0", "StackError"),
    ],
)
def test_bytes_that_are_not_one_value(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadablePayload, match="cannot read value: it is not one msgpack value") as caught:
        ValueCodec(list[int]).decode(data)
    assert reason in str(caught.value)


def test_declared_lengths_reserve_no_memory_beyond_a_multiple_of_the_payload() -> None:
    codec = ValueCodec(list[int])
    tracemalloc.start()
    try:
        for header in (b"\xdd\x00\x0f\x00\x00", b"\xdf\x00\x07\x00\x00"):
            with pytest.raises(BadPayload):
                codec.decode(header * 199_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 150_000_000


def test_payloads_over_the_limit_are_not_even_looked_at() -> None:
    with pytest.raises(PayloadTooLarge, match="value takes 2000000 bytes, the limit is 1000000"):
        ValueCodec(bytes).decode(b"\xc1" * 2_000_000)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 1_000])
def test_nesting_over_the_limit(depth: int) -> None:
    plain: Any = {"name": "leaf"}
    for _ in range(min(depth, 250) // 2):
        plain = {"name": "n", "children": [plain]}
    data = pack(plain)
    if depth > 500:
        data = b"\x82\xa4name\xa1n\xa8children\x91" * 400 + b"\x81\xa4name\xa1x"
    with pytest.raises(NestedTooDeep):
        ValueCodec(Node).decode(data)


def test_deep_garbage_in_a_flat_class_is_a_misfit() -> None:
    assert "a list where an int is expected" in refusal(Seat, pack({"row": "A", "number": [[[[[]]]]]}))
    assert "a list where an int is expected" in refusal(list[int], b"\x91" * 1_000 + b"\xc0")


def test_a_garbage_decimal_is_refused_whatever_the_program_traps() -> None:
    with localcontext(Context(traps=[])):
        assert "no decimal number" in refusal(Decimal, pack("garbage"))


def test_names_and_versions() -> None:
    codec: PayloadCodec[Any] = PayloadCodec(BookingEvent)
    with pytest.raises(UnknownType, match=r"type 'BookingLost' \(version 1\) is not known here; known are Booking"):
        codec.decode("BookingLost", 1, b"\x80")
    with pytest.raises(
        NewerVersion, match=r"'BookingConfirmed' was stored in version 3.* up to 2: it is older"
    ) as caught:
        codec.decode("BookingConfirmed", 3, b"\x80")
    assert (caught.value.version, caught.value.known) == (3, 2)
    bad: list[Any] = [(None, 1), (["a"], 1), ("BookingDenied", "1"), ("BookingDenied", 0), ("BookingDenied", 10**5000)]
    for name, version in bad:
        with pytest.raises(BadPayload):
            codec.decode(name, version, b"\x80")
    with pytest.raises(BadPayload):
        codec.decode("BookingDenied", 1, None)  # type: ignore[arg-type]
    with pytest.raises(UnknownType) as unknown:
        codec.decode("x" * 10_000_000, 1, b"\x80")
    assert len(str(unknown.value)) < 300


def test_the_place_starts_with_the_name_of_the_event() -> None:
    codec: PayloadCodec[Any] = PayloadCodec(BookingEvent)
    with pytest.raises(MisfitPayload, match=r"cannot read BookingPlaced\.seats\[0\]: missing field 'number'"):
        codec.decode("BookingPlaced", 1, pack({"client_id": "c", "concert_id": "x", "seats": [{"row": "A"}]}))
    with pytest.raises(UnreadablePayload, match="cannot read BookingPlaced: it is not one msgpack value"):
        codec.decode("BookingPlaced", 1, b"")


def test_unknown_fields_can_be_ignored() -> None:
    newer = pack({"row": "A", "number": 1, "colour": "red"})
    assert ValueCodec(Seat, unknown_fields="ignore").decode(newer) == Seat("A", 1)
    assert ValueCodec(Free, unknown_fields="ignore").decode(pack({"x": 1})) == Free()
    codec: PayloadCodec[Any] = PayloadCodec(BookingEvent, unknown_fields="ignore")
    assert codec.decode("Nothing", 1, pack({"x": 1})) is not None
    for plain in ([], "reason", None, ["reason"]):
        with pytest.raises(MisfitPayload, match="where a Free"):
            ValueCodec(Free, unknown_fields="ignore").decode(pack(plain))


@event("Even")
@dataclass
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError(f"{self.number} is odd")


def test_what_a_class_itself_refuses_is_the_reason() -> None:
    codec = PayloadCodec(Even)
    assert codec.decode("Even", 1, pack({"number": 2})) == Even(2)
    with pytest.raises(MisfitPayload, match="cannot read Even: ValueError: 3 is odd") as caught:
        codec.decode("Even", 1, pack({"number": 3}))
    assert isinstance(caught.value.__cause__, ValueError)


FUZZED: list[tuple[Any, bytes]] = [
    (annotation, ValueCodec(annotation).encode(value))
    for annotation, value in [
        (Everything, EVERYTHING),
        (BookingConfirmed, BookingConfirmed({UUID(int=3): Seat("A", 1)}, Free())),
        (Node, Node("a", (Node("b"),))),
        (Paid | Free | int | None, Free()),
        (TooManySeats, TooManySeats(11)),
    ]
] + [(Expired, b"\x80"), (KeyError, b"\x90"), (dict[UUID, set[int]], b"\x80")]


def decodes_or_refuses(annotation: Any, data: bytes) -> None:
    codec: ValueCodec[Any] = ValueCodec(annotation)
    before = bytes(data)
    try:
        value: Any = codec.decode(data)
    except BadPayload as error:
        assert str(error).startswith(("cannot read value", "value takes", "value is nested"))  # noqa: PT017 - where refused
    else:
        assert codec.encode(value) == codec.encode(codec.decode(codec.encode(value)))
    assert data == before


@unhurried
@given(st.sampled_from(FUZZED), st.binary())
def test_random_bytes(fuzzed: tuple[Any, bytes], data: bytes) -> None:
    decodes_or_refuses(fuzzed[0], data)


@unhurried
@given(st.sampled_from(FUZZED), st.data())
def test_mutated_bytes(fuzzed: tuple[Any, bytes], data: st.DataObject) -> None:
    annotation, valid = fuzzed
    mutated = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(mutated)))
        if data.draw(st.booleans()):
            del mutated[at : at + data.draw(st.integers(0, 3))]
        else:
            mutated[at : at + data.draw(st.integers(0, 1))] = data.draw(st.binary(min_size=1, max_size=3))
    decodes_or_refuses(annotation, bytes(mutated))


plains: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | samples.ints | st.floats() | st.text(max_size=5) | st.binary(max_size=16),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@unhurried
@given(samples.annotated_values(), plains)
def test_any_msgpack_for_any_annotation(annotated: tuple[Any, Any], plain: Any) -> None:
    decodes_or_refuses(annotated[0], pack(plain))


@unhurried
@given(st.sampled_from(sorted(Everything.__slots__)), plains)
def test_any_msgpack_in_any_field(name: str, plain: Any) -> None:
    fields = msgpack.unpackb(ValueCodec(Everything).encode(EVERYTHING))
    decodes_or_refuses(Everything, pack({**fields, name: plain}))
