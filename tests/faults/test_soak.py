"""Whether a long run's figures are flat."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.soak import Sample, growing

FLAT = [Sample(10.0 * turn, "a.1", 60 << 20, 40, 120) for turn in range(91)]


def test_what_is_flat_is_not_growing_nor_what_grows_only_at_first() -> None:
    young = [replace(one, memory=one.memory * int(one.at) // 300) if one.at < 300 else one for one in FLAT]
    assert growing(FLAT) == []
    assert growing(young) == []


@pytest.mark.parametrize(("what", "each"), [("memory", 1 << 20), ("descriptors", 1), ("tasks", 2)])
def test_what_grows_is_found(what: str, each: int) -> None:
    samples = [replace(one, **{what: getattr(one, what) + each * turn}) for turn, one in enumerate(FLAT)]
    (found,) = growing(samples)
    assert found.startswith(f"a.1: {what} went from ")


def test_who_was_not_there_all_the_time_is_not_judged() -> None:
    assert growing([replace(one, memory=int(one.at) << 20) for one in FLAT if one.at > 400]) == []
