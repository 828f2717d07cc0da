"""What cannot be stored is refused with its place, and nothing else ever escapes `encode`."""

from __future__ import annotations

import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.codec import (
    MAX_DEPTH,
    NestedTooDeep,
    PayloadCodec,
    PayloadTooLarge,
    UnencodableValue,
    UnknownType,
    ValueCodec,
    event,
)
from journal.errors import BadPayload
from tests.journal import codec_samples as samples
from tests.journal.codec_samples import (
    BookingConfirmed,
    BookingEvent,
    BookingPlaced,
    ClientId,
    Colour,
    Everything,
    Free,
    Level,
    Node,
    Paid,
    Seat,
    VipSeat,
    unhurried,
)


def refusal(annotation: Any, value: Any) -> str:
    with pytest.raises(BadPayload) as caught:
        ValueCodec(annotation).encode(value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "value", "reason"),
    [
        (str, "a\ud800", "lone surrogate at 1"),
        (str, b"a", "a bytes where a str is expected"),
        (bytes, "a", "a str where bytes is expected"),
        (bytes, bytearray(b"a"), "a bytearray where bytes is expected"),
        (int, 2**64, "outside of what msgpack holds"),
        (int, -(2**63) - 1, "outside of what msgpack holds"),
        (int, True, "a bool where an int is expected"),
        (int, 1.0, "a float where an int is expected"),
        (bool, 1, "an int where a bool is expected"),
        (float, "1", "a str where a float is expected"),
        (float, True, "a bool where a float is expected"),
        (float, 2**53 + 1, "no float can hold exactly"),
        (float, 10**400, "outside of what msgpack holds"),
        (type(None), 0, "an int where None is expected"),
        (datetime, datetime(2024, 1, 1), "without a time zone"),
        (datetime, date(2024, 1, 1), "a date where a datetime is expected"),
        (date, datetime(2024, 1, 1, tzinfo=UTC), "a datetime where a date is expected"),
        (timedelta, timedelta.max, "outside of what msgpack holds"),
        (Colour, "red", "a str where a Colour is expected"),
        (Level, 1, "an int where a Level is expected"),
        (tuple[int, ...], [1], "a list where a tuple is expected"),
        (list[int], (1,), "a tuple where a list is expected"),
        (tuple[int, int], (1, 2, 3), "a tuple of 3 where a tuple of 2 is expected"),
        (set[int], frozenset({1}), "a frozenset where a set is expected"),
        (dict[str, int], defaultdict(int), "a defaultdict where a dict is expected"),
        (int | str, 1.0, "a float where an int or a str is expected"),
        (int | str, True, "a bool where an int or a str is expected"),
        (Paid | Free, Seat("A", 1), "a Seat where a Paid or a Free is expected"),
        (Seat, VipSeat("A", 1), "a VipSeat where a Seat is expected"),
        (Seat | None, Free(), "a Free where a Seat is expected"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(annotation: Any, value: Any, reason: str) -> None:
    message = refusal(annotation, value)
    assert message.startswith("cannot store value: ")
    assert reason in message


@pytest.mark.parametrize(
    ("annotation", "value", "place"),
    [
        (list[int], [1, 2, "3"], "value[2]"),
        (tuple[str, int], ("a", "b"), "value[1]"),
        (dict[str, list[int]], {"a": [1], "b": [1, None]}, "value['b'][1]"),
        (dict[str, int], {"a": 1, 2: 2}, "value key 2"),
        (dict[int, str], {1: "a", 2: "\udfff"}, "value[2]"),
        (frozenset[int], frozenset({1, "a"}), "value{'a'}"),
        (tuple[Seat, ...], (Seat("A", 1), Seat("A", 2**64)), "value[1].number"),
        (Paid | Free | None, Paid("free", datetime.now(UTC)), "value.amount"),  # type: ignore[arg-type]
        (Node, Node("a", (Node("b"), Node("c", (Node(1),)))), "value.children[1].children[0].name"),  # type: ignore[arg-type]
    ],
)
def test_the_message_says_where(annotation: Any, value: Any, place: str) -> None:
    assert refusal(annotation, value).startswith(f"cannot store {place}: ")


def test_the_place_starts_with_the_name_of_the_event() -> None:
    codec: PayloadCodec[Any] = PayloadCodec(BookingEvent)
    with pytest.raises(
        UnencodableValue, match=re.escape("BookingPlaced.seats[1].number: a str where an int")
    ) as caught:
        codec.encode(BookingPlaced(ClientId("c"), "x", (Seat("A", 1), Seat("A", "2"))))  # type: ignore[arg-type]
    assert caught.value.path == "BookingPlaced.seats[1].number"


def test_a_class_the_codec_was_not_built_with() -> None:
    codec: PayloadCodec[Any] = PayloadCodec(BookingEvent)
    with pytest.raises(UnknownType, match="class Seat is not known here; known are BookingConfirmed, BookingDenied"):
        codec.encode(Seat("A", 1))


def test_values_over_the_limit_are_refused_with_size_and_limit() -> None:
    with pytest.raises(PayloadTooLarge, match="value takes 1000005 bytes, the limit is 1000000") as caught:
        ValueCodec(str).encode("x" * 1_000_000)
    assert (caught.value.size, caught.value.limit) == (1_000_005, 1_000_000)
    codec: PayloadCodec[Any] = PayloadCodec(BookingEvent, max_bytes=30)
    with pytest.raises(PayloadTooLarge, match="BookingPlaced takes"):
        codec.encode(BookingPlaced(ClientId("c"), "x", ()))


def nested(depth: int) -> Node:
    node = Node("leaf")
    for _ in range(depth):
        node = Node("n", (node,))
    return node


def test_what_is_nested_as_deep_as_allowed_can_be_read_back() -> None:
    codec = ValueCodec(Node)
    deepest = nested(MAX_DEPTH // 2 - 1)
    assert codec.decode(codec.encode(deepest)) == deepest


@pytest.mark.parametrize("depth", [MAX_DEPTH // 2, 300, 100_000])
def test_what_is_nested_deeper_is_refused(depth: int) -> None:
    with pytest.raises(NestedTooDeep, match=f"value is nested deeper than {MAX_DEPTH} levels"):
        ValueCodec(Node).encode(nested(depth))


def test_a_value_that_contains_itself_is_refused() -> None:
    @dataclass
    class Ring:
        following: list[Any]

    Ring.__annotations__["following"] = list[Ring]
    ring = Ring([])
    ring.following.append(ring)
    with pytest.raises(NestedTooDeep, match="or contains itself"):
        ValueCodec(Ring).encode(ring)


class Hostile:
    """Raises at whatever is asked of it."""

    @property  # type: ignore[misc]  # what mypy says is the point
    def __class__(self) -> Any:
        raise RuntimeError("no class")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError("no representation")


class BadWords(Exception):
    def __str__(self) -> str:
        raise RuntimeError("speechless")


@dataclass
class Moody:
    calm: int

    def __getattribute__(self, name: str) -> Any:
        if name == "calm":
            raise BadWords
        return super().__getattribute__(name)


def test_hostile_values_end_in_a_typed_error_too() -> None:
    for annotation, _ in samples.scalars:
        assert refusal(annotation, Hostile()).startswith("cannot store value: ")
        assert refusal(list.__class_getitem__(annotation), [Hostile()]).startswith("cannot store value[0]: ")
        assert refusal(annotation | bool | None, Hostile()).startswith("cannot store value")
    assert "BadWords" in refusal(Moody, Moody(1))
    codec: PayloadCodec[Any] = PayloadCodec(BookingEvent)
    with pytest.raises(BadPayload):
        codec.encode(Hostile())
    with pytest.raises(BadPayload):
        codec.encode(BookingConfirmed(Hostile(), Hostile()))  # type: ignore[arg-type]


anything: st.SearchStrategy[Any] = st.recursive(
    st.one_of([values for _, values in samples.scalars]) | st.integers() | st.floats() | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


@unhurried
@given(samples.annotated_values(), anything)
def test_any_value_for_any_annotation_is_stored_faithfully_or_refused(annotated: tuple[Any, Any], value: Any) -> None:
    codec: ValueCodec[Any] = ValueCodec(annotated[0])
    try:
        data = codec.encode(value)
    except BadPayload:
        return
    assert repr(codec.decode(data)) == repr(codec.decode(codec.encode(codec.decode(data))))


@event("Wide")
@dataclass
class Wide:
    everything: Everything | None
    number: int = 0


@unhurried
@given(anything, anything)
def test_any_value_in_a_field_is_stored_or_refused(first: Any, second: Any) -> None:
    codec = PayloadCodec(Wide)
    try:
        codec.decode(*codec.encode(Wide(first, second)))
    except BadPayload as error:
        assert str(error).startswith("cannot store Wide.")  # noqa: PT017 - only where it is refused


def test_the_packer_is_as_good_as_new_after_a_failure() -> None:
    codec = ValueCodec(list[str])
    for _ in range(3):
        with pytest.raises(UnencodableValue):
            codec.encode(["a", "\ud800"])
        assert codec.decode(codec.encode(["a"])) == ["a"]


def test_one_codec_serves_several_threads() -> None:
    codec: PayloadCodec[Any] = PayloadCodec(BookingEvent)

    def survives(number: int) -> bool:
        value = BookingPlaced(ClientId("c" * (number % 500)), "x", (Seat("A", number),))
        return bool(codec.decode(*codec.encode(value)) == value)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(survives, range(4_000)))
