"""Views over counters, one that is harmed by events that come twice and one that is not, on several nodes at once."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aecorpy import ClusterNode, EntityEvent, Retry, SetAside, Stop, Table, TableView
from aecorpy.management import DeploymentSeen, Management
from aecorpy.projection import FailurePolicy
from aecorpy.projection.handle import DistributedProjection
from journal.contract import Database
from tests.aecorpy.samples import Added, Counter
from tests.waiting import eventually

SOON = Retry(0.01, 0.05)
KEYS = [f"key-{number}" for number in range(12)]


@dataclass(frozen=True, slots=True)
class Sum:
    key: str
    total: int


@dataclass(frozen=True, slots=True)
class Latest:
    key: str
    version: int


class World:
    """What is the same for all nodes of a test: which notes are poison, and what was handled how often."""

    def __init__(self) -> None:
        self.poison: set[str] = set()
        self.seen: Tally[tuple[str, int]] = Tally()

    def look(self, event: EntityEvent[Added]) -> None:
        """See an event; raise if it is poison."""
        self.seen[event.entity_key, event.seq_nr] += 1
        if event.payload.note in self.poison:
            raise ValueError(f"cannot handle {event.payload.note!r}")


class Sums(TableView[Sum, Added]):
    """Adds up; an event that comes twice counts twice."""

    entity = Counter
    table = Table(Sum, "sums")

    def __init__(self, world: World, on_failure: FailurePolicy = SOON) -> None:
        self.world = world
        self.on_failure = on_failure  # type: ignore[misc]  # another in each test

    def apply(self, row: Sum | None, event: EntityEvent[Added]) -> Sum:
        self.world.look(event)
        return Sum(event.entity_key, (0 if row is None else row.total) + event.payload.n)


class Latests(TableView[Latest, Added]):
    """The last version: however often an event comes, it is right in the end."""

    entity = Counter
    table = Table(Latest, "latests")
    idempotent = True

    def __init__(self, world: World) -> None:
        self.world = world

    def apply(self, row: Latest | None, event: EntityEvent[Added]) -> Latest:
        self.world.look(event)
        return Latest(event.entity_key, event.seq_nr)


async def sums(database: Database) -> dict[str, int]:
    """The totals that `Sums` shows."""
    return {row.key: row.total async for row in Sums.table.rows(database)}


async def latests(database: Database) -> dict[str, int]:
    """The versions that `Latests` shows."""
    return {row.key: row.version async for row in Latests.table.rows(database)}


async def distributed(nodes: Sequence[ClusterNode], view: Any, name: str = "View") -> DistributedProjection:
    """One view over all nodes; how the last of them sees it."""
    return [await node.distribute(name, view) for node in nodes][-1]


async def fill(node: ClusterNode, note: str = "") -> None:
    """One event of 1 for each key, with a note."""
    counters = node.refs(Counter)
    for key in KEYS:
        await counters(key).add_noted(1, note)


async def until_seen(management: Management, condition: Any, name: str = "View") -> DeploymentSeen:
    """Wait until a deployment as the database has it meets a condition."""

    async def met() -> DeploymentSeen | None:
        seen = await management.show(name)
        return seen if condition(seen) else None

    found = await eventually(met, within=15.0, every=0.05, what=f"{name} as wanted")
    assert found is not None
    return found


def bad_tag(seen: DeploymentSeen) -> Any:
    """The tag that is failing, if one is."""
    return next((tag for tag in seen.tags if tag.error), None)


__all__ = [
    "KEYS",
    "SOON",
    "Latests",
    "SetAside",
    "Stop",
    "Sums",
    "World",
    "bad_tag",
    "distributed",
    "fill",
    "latests",
    "sums",
    "until_seen",
]
