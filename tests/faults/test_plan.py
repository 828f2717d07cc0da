"""The schedule of faults comes from its seed alone."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.faults.plan import ALWAYS, LONGEST, Kind, Strike, plan

NODES, CALLERS = ("a", "b", "c"), ("frail",)

kinds = st.lists(st.sampled_from(Kind), min_size=1, unique=True)


def planned(seed: int, seconds: float, some: list[Kind]) -> list[Strike]:
    return plan(seed, seconds, some, NODES, CALLERS, 3.0)


@given(seed=st.integers(0, 10_000), seconds=st.floats(10, 2_000), some=kinds)
def test_the_same_seed_has_the_same_faults_within_the_time_and_only_of_the_kinds_that_are_possible(
    seed: int, seconds: float, some: list[Kind]
) -> None:
    strikes = planned(seed, seconds, some)
    assert strikes == planned(seed, seconds, some)
    times = [one.at for one in strikes]
    assert times == sorted(times)
    assert all(0 < at < seconds for at in times)
    gaps = [later - at for at, later in pairwise(times)]
    assert Kind.ROLL in some or all(gap <= LONGEST + 0.31 for gap in gaps)  # late rolling restarts are left out
    assert {one.kind for one in strikes} <= set(some)
    for one in strikes:
        assert set(one.victims) <= {*NODES, *CALLERS}
        assert one.seconds <= 9.0


@given(seed=st.integers(0, 10_000))
def test_every_kind_comes_when_there_is_time(seed: int) -> None:
    assert {one.kind for one in planned(seed, 600.0, list(Kind))} == set(Kind)


def test_other_seeds_have_other_faults() -> None:
    assert len({tuple(planned(seed, 60.0, list(ALWAYS))) for seed in range(50)}) == 50
