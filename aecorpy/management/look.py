"""Deployments of processes as the database has them: where each runs, and how far each projection is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aecorpy.management.views import ViewSeen, views_seen
from aecorpy.processing.states import (
    CONTROL,
    DEPLOYMENT,
    PROCESS,
    Control,
    ProcessState,
    Registration,
    control_of,
    is_about,
    process_key,
    registration_of,
    state_of,
)
from journal.contract import Database
from journal.records import Note, offset_on
from journal.tagging import EventTag

SILENT_SECONDS = 10.0
NOWHERE = ("gone", "silent", "unknown")


@dataclass(frozen=True, slots=True)
class ProcessSeen:
    """A process: as its node said last, how long ago that was in seconds, and what is wanted of it alone."""

    number: int
    name: str
    said: ProcessState | None
    age: float
    control: Control

    @property
    def state(self) -> str:
        """What it does; `silent` when its node has said nothing of it for a while, `unknown` when none ever did."""
        if self.said is None:
            return "unknown"
        return self.said.state if self.age <= SILENT_SECONDS or self.said.state == "gone" else "silent"


@dataclass(frozen=True, slots=True)
class TagSeen:
    """How far a projection is on one tag.

    Args:
        tag: the stream.
        offset: what it has handled and committed.
        head: the stream's last event.
        lag_seconds: how long the first event that it has not handled has been in the journal.
        failures, error: how often that event has failed in a row, and how.
    """

    tag: str
    offset: int
    head: int
    lag_seconds: float
    failures: int = 0
    error: str | None = None

    @property
    def lag(self) -> int:
        """How many events it has yet to handle."""
        return max(0, self.head - self.offset)


@dataclass(frozen=True, slots=True)
class DeploymentSeen:
    """A deployment of processes; `tags` is empty, and there is no `view`, unless it projects."""

    registration: Registration
    control: Control
    processes: tuple[ProcessSeen, ...]
    tags: tuple[TagSeen, ...]
    view: ViewSeen | None = None

    @property
    def name(self) -> str:
        """The deployment's name."""
        return self.registration.name

    @property
    def running(self) -> bool:
        """Whether all its processes run."""
        return self.running_processes == len(self.processes)

    @property
    def running_processes(self) -> int:
        """How many of its processes run."""
        return sum(process.state == "running" for process in self.processes)

    @property
    def state(self) -> str:
        """`paused` by whoever; `stopped`: no node runs it; `failing`; `running`; or `starting`: not all of it runs.

        Processes that are paused by themselves are left out of that, unless all of them are.
        """
        if self.control.paused:
            return "paused"
        if all(process.state in NOWHERE for process in self.processes):
            return "stopped"
        if self.error is not None:
            return "failing"
        awaited = [process.state for process in self.processes if not process.control.paused]
        if not awaited:
            return "paused"
        return "running" if all(state == "running" for state in awaited) else "starting"

    @property
    def handled(self) -> int:
        """How many events it has handled in all, since the journal began."""
        return sum(tag.offset for tag in self.tags)

    @property
    def head(self) -> int:
        """How many events there are."""
        return sum(tag.head for tag in self.tags)

    @property
    def lag(self) -> int:
        """How many events it has yet to handle."""
        return sum(tag.lag for tag in self.tags)

    @property
    def lag_seconds(self) -> float:
        """How long the oldest event that it has not handled has been in the journal."""
        return max((tag.lag_seconds for tag in self.tags), default=0.0)

    @property
    def error(self) -> str | None:
        """What is wrong with it, if anything is: a failing event or a failing process."""
        failing = [tag.error for tag in self.tags if tag.error]
        failing += [
            process.said.error
            for process in self.processes
            if process.said is not None and process.said.error and process.state != "running"
        ]
        if self.control.paused and self.control.by == "its policy":
            failing.append(self.control.why)
        return failing[0] if failing else None


async def look(database: Database, name: str) -> DeploymentSeen | None:
    """One deployment, or None when no program ever started one of that name.

    Raises:
        Unavailable: the store is away.
        UnreadableNote: the database belongs to another version.
    """
    notes = await database.notes.read([DEPLOYMENT, CONTROL, PROCESS], name)
    found = await _seen(database, [note for note in notes if is_about(name, note)])
    return found[0] if found else None


async def look_at_all(database: Database) -> list[DeploymentSeen]:
    """All deployments, by name. Raises as `look` does."""
    return await _seen(database, await database.notes.read([DEPLOYMENT, CONTROL, PROCESS]))


async def _seen(database: Database, notes: Sequence[Note]) -> list[DeploymentSeen]:
    now = await database.now()
    registrations = [registration_of(note) for note in notes if note.kind == DEPLOYMENT]
    controls = {note.name: control_of(note) for note in notes if note.kind == CONTROL}
    states = {note.name: state_of(note) for note in notes if note.kind == PROCESS}
    views = await views_seen(database, registrations, states.values(), now)
    return [
        DeploymentSeen(
            registration,
            controls.get(registration.name, Control()),
            tuple(_processes(registration, controls, states, now)),
            tuple(await _tags(database, registration, states.values(), now)),
            views.get(registration.name),
        )
        for registration in registrations
    ]


def _processes(
    registration: Registration, controls: Mapping[str, Control], states: Mapping[str, ProcessState], now: datetime
) -> Iterable[ProcessSeen]:
    for number, name in enumerate(registration.processes):
        key = process_key(registration.name, number)
        said = states.get(key)
        age = 0.0 if said is None or said.said_at is None else max(0.0, (now - said.said_at).total_seconds())
        yield ProcessSeen(number, name, said, age, controls.get(key, Control()))


async def _tags(
    database: Database, registration: Registration, states: Iterable[ProcessState], now: datetime
) -> list[TagSeen]:
    if registration.journal is None:
        return []
    store = await database.journal(registration.journal, registration.shards)
    offsets = await database.offsets.read(registration.name)
    there = {shard: offset_on(offsets, str(EventTag(store.name, shard))) for shard in range(registration.shards)}
    next_events = {event.shard: event for event in await store.read_shards(there, 1)}
    trouble = _trouble(registration.name, states)
    seen = []
    for shard, _, head in await store.heads():
        tag = str(EventTag(store.name, shard))
        waiting = next_events.get(shard)
        since = 0.0 if waiting is None else max(0.0, (now - waiting.recorded_at).total_seconds())
        failed_at, failures, error = trouble.get(tag, (0, 0, None))
        fails = failures if failed_at == there[shard] else 0
        seen.append(TagSeen(tag, there[shard], head, since, fails, error if fails else None))
    return seen


def _trouble(name: str, states: Iterable[ProcessState]) -> dict[str, tuple[int, int, str | None]]:
    found: dict[str, tuple[int, int, str | None]] = {}
    for state in states:
        details: Mapping[str, Any] = state.details or {}
        if state.deployment == name:
            found.update(details.get("trouble", {}))
    return found
