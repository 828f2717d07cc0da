"""Messages to frames and back, and what comes of bytes that are none."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any, NamedTuple

import msgpack
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sharding.wire import BadFrame, Registry, UnencodableMessage, UnfitMessageType


class Flat(NamedTuple):
    number: int
    text: str
    data: bytes
    yes: bool
    ratio: float
    maybe: int | None


class Pair(NamedTuple):
    left: int
    right: str | None


class Deep(NamedTuple):
    pairs: tuple[Pair, ...]
    rows: tuple[tuple[int, int, int], ...]
    one: tuple[int, Pair]
    words: list[str]
    choice: tuple[bytes, ...] | str | None


class Bare(NamedTuple):
    pass


class Any2(NamedTuple):
    either: int | str | bytes | float | bool | None
    other: bytes | str


REGISTRY = Registry({1: Flat, 2: Deep, 3: Bare, 300: Any2})

ints = st.integers(-(1 << 63), (1 << 64) - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
floats = st.floats(allow_nan=False)
pairs = st.builds(Pair, ints, st.none() | texts)
messages = st.one_of(
    st.builds(Flat, ints, texts, st.binary(), st.booleans(), floats, st.none() | ints),
    st.builds(
        Deep,
        st.lists(pairs).map(tuple),
        st.lists(st.tuples(ints, ints, ints)).map(tuple),
        st.tuples(ints, pairs),
        st.lists(texts),
        st.one_of(st.none(), texts, st.lists(st.binary()).map(tuple)),
    ),
    st.just(Bare()),
    st.builds(Any2, st.one_of(ints, texts, st.binary(), floats, st.booleans(), st.none()), st.binary() | texts),
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of equal types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@given(messages)
def test_messages_come_back_as_they_were(message: Any) -> None:
    frame = REGISTRY.encode(message)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert same(REGISTRY.decode(frame[4:]), message)


def test_the_bytes_are_a_number_and_the_fields() -> None:
    frame = REGISTRY.encode(Flat(1, "é", b"\x00", True, 0.5, None))
    assert msgpack.unpackb(frame[4:]) == [1, 1, "é", b"\x00", True, 0.5, None]


def test_whole_numbers_become_floats_where_floats_are_declared() -> None:
    back = REGISTRY.decode(REGISTRY.encode(Flat(1, "", b"", True, 3, None))[4:])
    assert type(back.ratio) is float
    assert math.isnan(REGISTRY.decode(REGISTRY.encode(Flat(1, "", b"", True, math.nan, None))[4:]).ratio)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (Flat("1", "", b"", True, 0.5, None), "Flat.number: int expected, str found"),  # type: ignore[arg-type]
        (Flat(True, "", b"", True, 0.5, None), "Flat.number: int expected, bool found"),
        (Flat(1, "", b"", True, 10**400, None), "outside"),
        (Flat(1 << 64, "", b"", True, 0.5, None), "outside"),
        (Flat(1, "\ud800", b"", True, 0.5, None), "not valid Unicode"),
        (Flat(1, "", object(), True, 0.5, None), "TypeError"),  # type: ignore[arg-type]
        (Flat(1, "", {}, True, 0.5, None), "cannot be sent"),  # type: ignore[arg-type]
        (Deep((Pair(1, 2),), (), (1, Pair(1, "")), [], None), r"Pair.right: str \| None expected, int found"),  # type: ignore[arg-type]
        (Pair(1, None), "Pair is not a registered message"),
        ("text", "str is not a registered message"),
        (Flat(1, "x" * 101, b"", True, 0.5, None), "limit is 100"),
        (Deep((), (), (1, Pair(1, "x" * 101)), [], None), "limit is 100"),
        (Flat(1, "x" * 95, b"", True, 0.5, None), "limit is 100"),
    ],
)
def test_what_cannot_be_sent_says_why_at_its_sender(message: Any, why: str) -> None:
    with pytest.raises(UnencodableMessage, match=why):
        REGISTRY.encode(message, limit=100)
    assert REGISTRY.decode(REGISTRY.encode(Bare())[4:]) == Bare()  # the registry is as good as before


def test_what_is_surely_too_large_is_not_packed_first() -> None:
    for message in (
        Flat(1, "", bytes(20_000_000), True, 0.5, None),
        Deep((), (), (1, Pair(1, "x" * 20_000_000)), [], None),
    ):
        tracemalloc.start()
        try:
            with pytest.raises(UnencodableMessage, match="limit"):
                REGISTRY.encode(message)
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()


plain = st.recursive(
    st.none() | st.booleans() | ints | st.floats() | st.text(st.characters(exclude_categories=["Cs"])) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xc1")
@example(b"\x91\xc4\x05ab")
@example(b"\x90")
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\x91" * 100_000)
@example(b"\x92\x01" + b"\x91" * 600 + b"\x01")
@example(b"\xc7\x00\x01")
@example(b"\xd6\xff\x00\x00\x00\x00")
@example(b"\x91\xc3")
@example(b"\x91\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00")
@example(b"\x92\x03\x81\xa1a\x01")
def test_only_a_bad_frame_comes_of_any_bytes(body: bytes) -> None:
    try:
        message = REGISTRY.decode(body)
    except BadFrame:
        return
    assert same(REGISTRY.decode(REGISTRY.encode(message)[4:]), message)


@given(st.sampled_from([0, 1, 2, 3, 4, 300, 65536, -1, True, None, "1"]), st.lists(plain, max_size=7))
def test_only_messages_as_declared_come_of_any_values(number: Any, fields: list[Any]) -> None:
    try:
        message = REGISTRY.decode(msgpack.packb([number, *fields]))
    except BadFrame:
        return
    assert same(REGISTRY.decode(REGISTRY.encode(message)[4:]), message) or "nan" in repr(message)


@given(messages, st.data())
def test_truncated_or_with_something_behind_it_is_no_message(message: Any, data: st.DataObject) -> None:
    body = REGISTRY.encode(message)[4:]
    assume(len(body) > 1)
    with pytest.raises(BadFrame):
        REGISTRY.decode(body[: data.draw(st.integers(0, len(body) - 1))])
    with pytest.raises(BadFrame):
        REGISTRY.decode(body + data.draw(st.binary(min_size=1, max_size=5)))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ([9], "no message has the number 9"),
        ([3, 1], "Bare: 0 fields expected, 1 found"),
        ([1, 1], "Flat: 6 fields expected, 1 found"),
        ([True], "begins with a message's number"),
        (3, "begins with a message's number"),
        ([2, [], [[1, 2]], [1, [1, ""]], [], None], "Deep.rows.*: 3 fields expected, 2 found"),
        ([2, [], [], [1, [1, ""]], [1], None], r"Deep.words: str expected, int found"),
        ([2, [[1, "", 3]], [], [1, [1, ""]], [], None], "Pair: 2 fields expected, 3 found"),
        ([1, 1, "the secret text", "not bytes", True, 0.5, None], "Flat.data: bytes expected, str found"),
        ([1, 1, "", b"", True, (1 << 64) - 1, "x"], "Flat.maybe"),
        ([1, 1, "", {}, True, 0.5, None], "Flat.data: bytes expected, dict found"),
        ([1, 1, "", {"a": 1}, True, 0.5, None], "not one msgpack value"),
    ],
)
def test_a_bad_frame_says_what_is_wrong_and_quotes_nothing(body: Any, why: str) -> None:
    with pytest.raises(BadFrame, match=why) as bad:
        REGISTRY.decode(msgpack.packb(body))
    assert "secret" not in str(bad.value)


def test_lengths_that_lie_reserve_nothing() -> None:
    size = 1 << 20
    nested = (b"\xdd\x00\x0f\xff\xff" * (size // 5))[:size]
    long_text = b"\x92\x01\xdb\x7f\xff\xff\xff" + bytes(100)
    for body in (nested, long_text, b"\xdd\xff\xff\xff\xff" + bytes(1000), b"\xdf\xff\xff\xff\xff" + bytes(1000)):
        tracemalloc.start()
        try:
            with pytest.raises(BadFrame):
                REGISTRY.decode(body)
            assert tracemalloc.get_traced_memory()[1] < 128 * size  # 1.2.3 reserved 4 GiB
        finally:
            tracemalloc.stop()


class Endless(NamedTuple):
    inner: tuple[Endless, ...]


class Vague(NamedTuple):
    anything: Any


class Table(NamedTuple):
    rows: dict[str, int]


class Torn(NamedTuple):
    either: tuple[int, int] | list[int]


class Missing(NamedTuple):
    what: Nowhere  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("registered", "why"),
    [
        ({1: int}, "not a NamedTuple"),
        ({1: Endless}, "contains itself"),
        ({1: Vague}, r"Vague.anything: .*cannot be sent; allowed are int"),
        ({1: Table}, r"Table.rows: .*cannot be sent"),
        ({1: Torn}, "more than one way"),
        ({1: Missing}, "cannot resolve"),
        ({-1: Flat}, "not a number of a message"),
        ({65536: Flat}, "not a number of a message"),
        ({True: Flat}, "not a number of a message"),
        ({1: Flat, 2: Flat}, "registered twice, as 1 and 2"),
    ],
)
def test_classes_and_numbers_that_cannot_be_used_are_refused_at_once(registered: Any, why: str) -> None:
    with pytest.raises(UnfitMessageType, match=why):
        Registry(registered)
