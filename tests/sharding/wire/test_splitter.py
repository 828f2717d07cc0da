"""Streams of bytes cut into frames, however they arrive."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.wire import BadFrame, Splitter, framed


def taken(splitter: Splitter) -> list[bytes]:
    return list(iter(splitter.next, None))


@given(bodies=st.lists(st.binary(min_size=1, max_size=50), max_size=20), cuts=st.lists(st.integers(1, 40)))
def test_bodies_come_out_as_they_went_in_wherever_the_stream_is_cut(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(framed, bodies))
    splitter, out = Splitter(50), []
    for cut in [*cuts, len(stream)]:
        piece, stream = stream[:cut], stream[cut:]
        splitter.feed(piece)
        out += taken(splitter)
    assert out == bodies


@pytest.mark.parametrize("length", [0, 101, 1 << 20, (1 << 32) - 1])
def test_a_length_that_is_not_allowed_is_refused_before_its_body_comes(length: int) -> None:
    splitter = Splitter(100)
    splitter.feed(length.to_bytes(4, "big"))
    tracemalloc.start()
    try:
        with pytest.raises(BadFrame, match=f"{length} bytes"):
            splitter.next()
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_the_limit_itself_is_allowed_and_holds_for_the_next_body_when_changed() -> None:
    splitter = Splitter(3)
    splitter.feed(framed(b"abc") + framed(b"abcd"))
    assert splitter.next() == b"abc"
    splitter.limit = 4
    assert splitter.next() == b"abcd"


def test_a_truncated_frame_is_waited_for() -> None:
    splitter = Splitter(100)
    for byte in framed(b"abc"):
        assert splitter.next() is None
        splitter.feed(bytes([byte]))
    assert splitter.next() == b"abc"
    assert splitter.next() is None
