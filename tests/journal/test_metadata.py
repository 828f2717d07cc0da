"""Metadata to bytes and back."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.errors import BadPayload
from journal.metadata import MAX_METADATA_BYTES, NO_METADATA, Metadata

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
IDS = st.none() | TEXT


@given(IDS, IDS, IDS, st.dictionaries(TEXT, TEXT, max_size=5))
def test_any_text_comes_back(command: str | None, correlation: str | None, causation: str | None, extra: Any) -> None:
    metadata = Metadata(command, correlation, causation, extra)
    assert Metadata.decode(metadata.encode()) == metadata


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


def test_bytes_that_are_cut_short_or_followed_by_more_are_refused() -> None:
    data = Metadata("one", "two").encode()
    for wrong in (data[:-1], data + b"\x00", b"\xc1", b"\x92" * 2_000):
        with pytest.raises(BadPayload):
            Metadata.decode(wrong)


def test_a_name_that_a_later_release_adds_is_left_aside() -> None:
    assert Metadata.decode(msgpack.packb({"c": "one", "new": 5})) == Metadata("one")
