"""Whatever is done to the notes of a store, they are then those that the memory store has."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journal.contract import Database
from journal.database import open_database
from journal.records import NewNote

NAME = st.sampled_from(["a", "b", "a/1"])
KIND = st.sampled_from(["c", "v"])
NEW = st.builds(NewNote, KIND, NAME, st.binary(max_size=2), st.integers(0, 3))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(NEW, max_size=4, unique_by=lambda note: note[:2])),
        st.tuples(st.just("delete"), st.tuples(KIND, st.lists(NAME, max_size=2))),
        st.tuples(st.just("block"), st.lists(st.one_of(NEW, st.tuples(KIND, NAME)), max_size=4)),
    ),
    max_size=12,
)


async def answers(database: Database, steps: list[tuple[str, Any]]) -> list[object]:
    """What is in a database after each step, apart from the times."""
    found: list[object] = []
    await database.notes.delete("c", ["a", "b", "a/1"])
    await database.notes.delete("v", ["a", "b", "a/1"])
    for step, what in steps:
        if step == "put":
            await database.notes.put(what)
        elif step == "delete":
            await database.notes.delete(*what)
        else:
            async with database.transaction() as transaction:
                for each in what:
                    done = transaction.put_note(each) if isinstance(each, NewNote) else transaction.delete_note(*each)
                    await done
                    seen = await transaction.get_note(*each[:2])
                    found.append(seen and seen[:5])
        found.append([note[:5] for note in await database.notes.read(["c", "v"])])
        found.append([note[:5] for note in await database.notes.read(["v"], "a")])
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_every_store_answers_as_memory_does(store_url: str, steps: list[tuple[str, Any]]) -> None:
    async def compare() -> None:
        database, memory = await open_database(store_url), await open_database("memory:")
        try:
            assert await answers(database, steps) == await answers(memory, steps)
        finally:
            await database.close()

    asyncio.run(compare())
