"""What goes in comes out: any value of any supported annotation, and the same bytes each time."""

from __future__ import annotations

import copy
import math
import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.codec import PayloadCodec, ValueCodec
from tests.journal import codec_samples as samples
from tests.journal.codec_samples import (
    BookingConfirmed,
    BookingEvent,
    BookingPlaced,
    Branch,
    ClientId,
    Colour,
    Everything,
    Free,
    Leaf,
    Level,
    Node,
    Page,
    Paid,
    Point,
    Rights,
    Seat,
    SeatPage,
    Status,
    unhurried,
)

EVERYTHING = Everything(
    text="schön",
    raw=b"\x00\xff",
    flag=True,
    whole=2**64 - 1,
    real=-0.5,
    nothing=None,
    price=Decimal("12.50"),
    key=UUID(int=7),
    day=date(2024, 2, 29),
    hour=time(23, 59, 59, 999_999),
    moment=datetime(2024, 3, 1, 12, tzinfo=ZoneInfo("Europe/Amsterdam")),
    duration=timedelta(days=-3, microseconds=1),
    colour=Colour.BLUE,
    level=Level.HIGH,
    status=Status.OPEN,
    rights=Rights.READ | Rights.WRITE,
    seat=Seat("A", 1),
    page=Page((1, 2), 3),
    point=Point(1.5, 2.5),
    tree=Node("root", (Node("leaf"),)),
    payment=Paid(Decimal(3), datetime(2024, 1, 1, tzinfo=UTC)),
    mixed=[1, 2],
    choice=True,
    pair=("a", 1),
    empty=(),
    names=["x"],
    kinds=frozenset(Colour),
    numbers={3, 1, 2},
    by_name={"z": Seat("Z", 26), "a": Seat("A", 1)},
    by_number={-1: ("minus",), 2**40: ()},
    by_key={UUID(int=1): 1.0},
    by_colour={Colour.RED: Decimal("0.1")},
    by_day={date(2024, 1, 1): [True, False]},
    by_pair={(1, "a"): Level.LOW},
    client=ClientId("me"),
    tags={"b": "1", "a": "2"},
)


def test_a_value_with_every_kind_of_field_survives() -> None:
    codec = PayloadCodec(Everything)
    name, version, data = codec.encode(EVERYTHING)
    assert (name, version) == ("Everything", 1)
    decoded = codec.decode(name, version, data)
    assert decoded == EVERYTHING
    assert [type(value) for value in vars_of(decoded)] == [type(value) for value in vars_of(EVERYTHING)]
    assert decoded.choice is True
    assert list(decoded.by_name) == ["z", "a"]  # a dict keeps its order


def vars_of(value: Everything) -> list[Any]:
    return [getattr(value, name) for name in Everything.__slots__]


@unhurried
@given(samples.annotated_values())
def test_any_annotation(annotated: tuple[Any, Any]) -> None:
    annotation, value = annotated
    codec: ValueCodec[Any] = ValueCodec(annotation)
    before = copy.deepcopy(value)
    data = codec.encode(value)
    assert codec.decode(data) == value == before
    assert type(codec.decode(data)) is type(value)
    assert codec.encode(before) == data  # an equal value, the same bytes
    assert codec.encode(codec.decode(data)) == data


@unhurried
@given(samples.booking_events)
def test_events(value: Any) -> None:
    codec: PayloadCodec[Any] = PayloadCodec(BookingEvent)
    stored = codec.encode(value)
    assert codec.decode(*stored) == value
    assert codec.encode(codec.decode(*stored)) == stored


@unhurried
@given(samples.nodes)
def test_recursive_classes(value: Node) -> None:
    codec = ValueCodec(Node)
    assert codec.decode(codec.encode(value)) == value


@unhurried
@given(st.datetimes(timezones=st.timezones()))
def test_datetimes_keep_their_instant_and_offset(moment: datetime) -> None:
    codec = ValueCodec(datetime)
    decoded = codec.decode(codec.encode(moment))
    assert decoded.utcoffset() == moment.utcoffset()
    assert decoded.replace(tzinfo=None) == moment.replace(tzinfo=None)


def test_recursion_through_a_union() -> None:
    codec = ValueCodec(Branch)
    value = Branch(Leaf(1), Branch(Leaf(2), Leaf(3)))
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize("value", [None, Node("a"), Node("a", (Node("b"),))])
def test_a_state_that_may_be_absent(value: Node | None) -> None:
    codec: ValueCodec[Node | None] = ValueCodec(Node | None)
    assert codec.decode(codec.encode(value)) == value
    named: PayloadCodec[BookingPlaced | None] = PayloadCodec(BookingPlaced | None)
    assert named.decode(*named.encode(None)) is None


def test_a_generic_base_class() -> None:
    codec = ValueCodec(SeatPage)
    value = SeatPage((Seat("A", 1),), Seat("A", 2), 7)
    assert codec.decode(codec.encode(value)) == value


def test_nan_comes_back_as_nan() -> None:
    codec = ValueCodec(list[float])
    assert math.isnan(codec.decode(codec.encode([math.nan]))[0])
    assert Decimal("NaN").compare_total(ValueCodec(Decimal).decode(ValueCodec(Decimal).encode(Decimal("NaN")))) == 0


def test_an_int_is_taken_for_a_float_and_stored_as_one() -> None:
    codec = ValueCodec(float)
    decoded = codec.decode(codec.encode(3))
    assert (decoded, type(decoded)) == (3.0, float)
    assert codec.encode(3) == codec.encode(3.0)
    assert codec.decode(ValueCodec(int).encode(3)) == 3.0


def test_subclasses_of_plain_types_come_back_plain() -> None:
    assert type(ValueCodec(str).decode(ValueCodec(str).encode(Status.OPEN))) is str
    assert type(ValueCodec(int).decode(ValueCodec(int).encode(Level.LOW))) is int
    codec: ValueCodec[int | str] = ValueCodec(int | str)
    assert [codec.decode(codec.encode(value)) for value in (Level.LOW, Status.OPEN)] == [1, "open"]


@unhurried
@given(st.frozensets(st.text() | samples.ints | st.binary()))
def test_equal_sets_have_equal_bytes_whatever_their_order(items: frozenset[Any]) -> None:
    codec: ValueCodec[set[Any]] = ValueCodec(set[str | int | bytes])
    backwards = list(items)[::-1]
    assert codec.encode(set(items)) == codec.encode(set(backwards))
    assert codec.decode(codec.encode(set(items))) == items


def test_bytes_do_not_depend_on_the_process() -> None:
    program = (
        "from journal.codec import ValueCodec; "
        "print(ValueCodec(frozenset[str]).encode(frozenset('a bb ccc dd e'.split())).hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


def test_members_of_a_union_keep_their_type() -> None:
    codec: ValueCodec[Any] = ValueCodec(Paid | Free | int | float | str | bool | bytes | dict[str, int] | None)
    for value in (Free("staff"), 1, 1.0, True, "1", b"1", {"a": 1}, None):
        decoded = codec.decode(codec.encode(value))
        assert (decoded, type(decoded)) == (value, type(value))


def test_members_of_a_union_are_stored_under_the_name_of_their_event() -> None:
    codec: ValueCodec[Any] = ValueCodec(BookingPlaced | BookingConfirmed)
    assert b"BookingConfirmed" in codec.encode(BookingConfirmed({}, Free()))
    assert b"BookingPlaced" in codec.encode(BookingPlaced(ClientId("c"), "x", ()))
