"""A cluster of processes for each test; at the end its log is shown where a test fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.processes import Fleet

NewFleet = Callable[..., Fleet]


@pytest.fixture
async def new_fleet(tmp_path: Path) -> AsyncIterator[NewFleet]:
    """Makes a cluster whose processes end with the test: `new_fleet(url, …)`, by default on a SQLite file."""
    made: list[Fleet] = []

    def new(url: str = "", **defaults: Any) -> Fleet:
        folder = tmp_path / f"fleet-{len(made)}"
        folder.mkdir()
        made.append(Fleet(folder, url or f"sqlite:///{tmp_path}/journal.db", **defaults))
        return made[-1]

    yield new
    for one in made:
        await one.close()
        print(one.logs())


@pytest.fixture
async def cluster(new_fleet: NewFleet) -> Fleet:
    """A cluster on a SQLite file, with a lease that no busy machine lets run out; no node is started yet."""
    return new_fleet(lease=30.0)


async def check_sound(one: Fleet, *, by: str) -> None:
    """The cluster serves callers on the node `by`; then answers, journal and owners' records agree."""
    await one.served(by)
    assert (await one.audit()).all == []
