"""Whatever is asked of the SQLite store, it answers as the memory store does, which is small enough to be believed."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from sharding.store.contract import ClusterStore
from sharding.store.errors import ClusterStoreError
from sharding.store.memory import MemoryClusterStore
from sharding.store.records import PROCESS, Allocation, Deployment, Seat
from sharding.store.sqlite import SqliteClusterStore
from sharding.store.sqlite.moment import Moment

Step: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any]]

INCARNATION = st.integers(1, 4)
TERM = st.integers(0, 4)
EVIDENCE = st.fixed_dictionaries({"evidence": st.booleans()})
SEATS = st.builds(Seat, st.sampled_from("ab"), st.just("h"), st.just(1), st.sampled_from([0.0, 1.5]), st.just(("r",)))
TYPES = st.builds(Deployment, st.sampled_from("XY"), st.sampled_from("kkkl"), st.just(3), st.just(False))
VIEWS = st.builds(Deployment, st.sampled_from("YZ"), st.just(PROCESS), st.integers(2, 4), st.just(False))
ALLOCATIONS = st.lists(
    st.builds(Allocation, st.integers(0, 3), INCARNATION, st.integers(0, 5)), max_size=3, unique_by=lambda one: one[0]
)
NONE: st.SearchStrategy[dict[str, Any]] = st.just({})


def step(
    name: str, *arguments: st.SearchStrategy[Any], named: st.SearchStrategy[Any] = NONE
) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(name), st.tuples(*arguments), named)


STEPS = st.lists(
    st.one_of(
        step("join", SEATS, st.integers(1, 5), named=st.fixed_dictionaries({"replacing": st.none() | INCARNATION})),
        step("renew", INCARNATION, st.integers(1, 5)),
        step("mark_leaving", INCARNATION),
        step("leave", INCARNATION),
        step("take_term", INCARNATION, TERM, named=EVIDENCE),
        step("take_term", INCARNATION, TERM, named=EVIDENCE),
        step("resign", TERM),
        step("declare_down", TERM, INCARNATION, named=EVIDENCE),
        step("forget", TERM),
        step("deploy", TYPES | VIEWS, named=st.fixed_dictionaries({"host": st.none() | INCARNATION})),
        step("unhost", st.sampled_from("XYZ"), INCARNATION),
        step("allocate", TERM, st.sampled_from("XYZ"), ALLOCATIONS),
        step("picture"),
        step("deployments"),
        step("wait", st.integers(1, 4)),
    ),
    max_size=25,
)


class Clock:
    """Whole seconds, so that both stores compute the same."""

    def __init__(self) -> None:
        self.now = 0

    def moment(self) -> Moment:
        return Moment("boot", self.now)


async def answers(store: ClusterStore, clock: Clock, steps: list[Step]) -> list[object]:
    """What a store says to each step, and what is in it in the end."""
    found: list[object] = []
    for name, arguments, named in steps:
        if name == "wait":
            clock.now += arguments[0]
            continue
        try:
            found.append(await getattr(store, name)(*arguments, **named))
        except (ClusterStoreError, ValueError) as error:
            found.append((type(error), str(error)))
    return [
        *found,
        await store.picture(),
        await store.deployments(),
        await store.allocations("X"),
        await store.allocations("Z"),
    ]


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_a_random_program_gets_the_same_answers(steps: list[Step]) -> None:
    async def both() -> None:
        clock = Clock()
        expected = await answers(MemoryClusterStore("c", clock=lambda: clock.now), clock, steps)
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            store = await SqliteClusterStore.open(Path(folder) / "c.db", "c", clock=clock.moment)
            try:
                assert await answers(store, clock, steps) == expected
            finally:
                await store.close()

    asyncio.run(both())
