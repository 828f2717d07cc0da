"""Metadata to bytes and back."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.errors import BadPayload
from journal.metadata import MAX_METADATA_BYTES, MAX_REPLY_BYTES, NO_METADATA, Cause, Metadata, has_cause

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
IDS = st.none() | TEXT


@given(IDS, IDS, IDS, st.dictionaries(TEXT, TEXT, max_size=5))
def test_any_text_comes_back(command: str | None, correlation: str | None, causation: str | None, extra: Any) -> None:
    metadata = Metadata(command, correlation, causation, extra)
    assert Metadata.decode(metadata.encode()) == metadata


@given(
    st.none() | st.builds(Cause, TEXT, TEXT, st.integers(1, 2**62), st.integers(1, 2**31)),
    st.none() | st.tuples(TEXT, st.binary()),
    IDS,
    st.dictionaries(TEXT, TEXT, max_size=5),
)
def test_a_cause_and_an_answer_come_back(
    cause: Cause | None, answered: tuple[str, bytes] | None, correlation: str | None, extra: Any
) -> None:
    metadata = Metadata(correlation_id=correlation, extra=extra, cause=cause, answered=answered)
    stored = metadata.encode()
    assert Metadata.decode(stored) == metadata
    assert has_cause(stored) == (cause is not None), "seen without decoding anything"


@pytest.mark.parametrize(
    "fields",
    [{"e": 1}, {"e": ["a", "b", 1]}, {"e": ["a", "b", 1, None]}, {"p": 1}, {"p": ["add", "x"]}, {"p": [b"", b""]}],
)
def test_what_is_no_cause_or_answer_is_refused(fields: Any) -> None:
    with pytest.raises(BadPayload):
        Metadata.decode(msgpack.packb(fields))


def test_an_answer_does_not_count_for_the_limit_and_has_one_of_its_own() -> None:
    most = Metadata("x" * (MAX_METADATA_BYTES - 16), answered=("add", b"y" * MAX_REPLY_BYTES))
    assert len(most.encode()) == MAX_METADATA_BYTES + MAX_REPLY_BYTES
    assert Metadata.decode(most.encode()) == most
    with pytest.raises(BadPayload, match=f"reply in metadata has 16385 bytes, at most {MAX_REPLY_BYTES}"):
        Metadata(answered=("add", b"y" * (MAX_REPLY_BYTES + 1))).encode()
    with pytest.raises(BadPayload, match="metadata has 16385 bytes"):
        Metadata("x" * (MAX_METADATA_BYTES - 15), answered=("add", b"y" * MAX_REPLY_BYTES)).encode()
    for wrong in ({"c": "x" * MAX_METADATA_BYTES}, {"p": ["add", b"y" * (MAX_REPLY_BYTES + 1)]}):
        with pytest.raises(BadPayload, match="at most 16384 are kept"):
            Metadata.decode(msgpack.packb(wrong))


def test_nothing_takes_no_bytes() -> None:
    assert Metadata().encode() == b""
    assert Metadata.decode(b"") is NO_METADATA
    assert Metadata("") != NO_METADATA
    assert Metadata.decode(Metadata("").encode()) == Metadata("")


@pytest.mark.parametrize(
    "wrong",
    [
        Metadata(5),  # type: ignore[arg-type]
        Metadata({}),  # type: ignore[arg-type]
        Metadata(b"x"),  # type: ignore[arg-type]
        Metadata("\ud800"),
        Metadata(extra={"a": 5}),  # type: ignore[dict-item]
        Metadata(extra={5: "a"}),  # type: ignore[dict-item]
        Metadata(extra={"a": None}),  # type: ignore[dict-item]
        Metadata(extra={"a": {}}),  # type: ignore[dict-item]
        Metadata(extra={"\udfff": "a"}),
        Metadata(extra=["a"]),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_text_is_refused(wrong: Metadata) -> None:
    with pytest.raises(BadPayload) as caught:
        wrong.encode()
    str(caught.value).encode()


def test_there_is_a_limit() -> None:
    most = Metadata("x" * (MAX_METADATA_BYTES - 6))
    assert len(most.encode()) == MAX_METADATA_BYTES
    with pytest.raises(BadPayload, match=f"metadata has 16385 bytes, at most {MAX_METADATA_BYTES} are kept"):
        Metadata("x" * (MAX_METADATA_BYTES - 5)).encode()


@given(st.binary(max_size=60))
def test_any_bytes_are_metadata_or_a_typed_error(data: bytes) -> None:
    try:
        metadata = Metadata.decode(data)
    except BadPayload:
        return
    assert Metadata.decode(metadata.encode()) == metadata


@pytest.mark.parametrize(
    "plain",
    [5, [], "text", None, {"c": 5}, {"x": 5}, {"x": []}, {"x": {"a": 1}}, {"r": b"x"}, {"a": ["a"]}],
)
def test_what_encode_did_not_make_is_refused(plain: Any) -> None:
    with pytest.raises(BadPayload):
        Metadata.decode(msgpack.packb(plain))


@pytest.mark.parametrize("data", [msgpack.packb({"c": ["x" * 9_000]}), b"\x81\xa1c" + bytes(MAX_METADATA_BYTES)])
def test_what_is_too_large_or_no_text_is_refused_without_repeating_it(data: bytes) -> None:
    with pytest.raises(BadPayload) as refused:
        Metadata.decode(data)
    assert len(str(refused.value)) < 200


def test_what_is_no_cause_is_refused_without_repeating_it() -> None:
    deep: Any = None
    for _ in range(300):
        deep = [{"children": deep}]
    with pytest.raises(BadPayload, match="is no cause of a command") as refused:
        Cause.of(deep)
    assert len(str(refused.value)) < 200


def test_bytes_that_are_cut_short_or_followed_by_more_are_refused() -> None:
    data = Metadata("one", "two").encode()
    for wrong in (data[:-1], data + b"\x00", b"\xc1", b"\x92" * 2_000):
        with pytest.raises(BadPayload):
            Metadata.decode(wrong)


def test_a_name_that_a_later_release_adds_is_left_aside() -> None:
    assert Metadata.decode(msgpack.packb({"c": "one", "new": 5})) == Metadata("one")
