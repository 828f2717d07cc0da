"""Views as the database has them: which generation serves, and how far one is that is built beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aecorpy.processing.states import ProcessState, Registration
from aecorpy.projection.generations import (
    VIEW,
    Build,
    Generation,
    Generations,
    consumer_beside,
    generations_of,
    read_generations,
)
from journal.contract import Database


@dataclass(frozen=True, slots=True)
class RebuildSeen:
    """A generation that is built beside the serving one.

    Args:
        generation, version: its number, and the version of the program that fills it.
        phase: `building`; `switching`, when it is about to serve; `going back`, when it has served before.
        since: when it began.
        handled, head: how many events it has handled, and how many there are.
        rate: how many it has handled per second since it began.
        errors: what is in its way, by process or tag.
    """

    generation: int
    version: int
    phase: str
    since: datetime
    handled: int
    head: int
    rate: float
    errors: Mapping[str, str]

    @property
    def percent(self) -> float:
        """How much of the journal it has handled, 0 to 100."""
        return 100.0 if self.handled >= self.head else 100.0 * self.handled / self.head

    @property
    def seconds_left(self) -> float | None:
        """How long it still takes at the rate it had since it began; None while that cannot be told."""
        if self.handled >= self.head:
            return 0.0
        return (self.head - self.handled) / self.rate if self.rate else None


@dataclass(frozen=True, slots=True)
class ViewSeen:
    """A view's generations: which serves, which is kept for a way back, which is built. By numbers and versions.

    Args:
        serving, version: the one that serves.
        kept, kept_version: the one that served before, if it is kept.
        rebuild: the one that is being built, if any.
        by, why: who began the last rebuild or way back, and the reason.
    """

    serving: int
    version: int
    kept: int | None = None
    kept_version: int | None = None
    rebuild: RebuildSeen | None = None
    by: str = ""
    why: str = ""


async def view_of(database: Database, name: str) -> Generation | None:
    """The serving generation of a view; None when no program ever started one of that name.

    Raises:
        Unavailable: the store is away.
    """
    seen = await read_generations(database, name)
    return None if seen is None else seen.serving


async def views_seen(
    database: Database, registrations: Sequence[Registration], states: Iterable[ProcessState], now: datetime
) -> dict[str, ViewSeen]:
    """The views among some deployments, by name.

    Args:
        database: where they are.
        registrations: the deployments.
        states: of their processes.
        now: the store's clock.
    """
    journals = {one.name: one for one in registrations if one.journal is not None}
    if not journals:
        return {}
    said = list(states)
    notes = [note for note in await database.notes.read([VIEW]) if note.name in journals]
    return {note.name: await _seen(database, journals[note.name], generations_of(note), said, now) for note in notes}


async def _seen(
    database: Database, registration: Registration, seen: Generations, states: Sequence[ProcessState], now: datetime
) -> ViewSeen:
    kept = seen.kept
    rebuild = None if seen.building is None else await _rebuild(database, registration, seen.building, states, now)
    return ViewSeen(
        seen.serving.number,
        seen.serving.version,
        None if kept is None else kept.number,
        None if kept is None else kept.version,
        rebuild,
        seen.by,
        seen.why,
    )


async def _rebuild(
    database: Database, registration: Registration, build: Build, states: Sequence[ProcessState], now: datetime
) -> RebuildSeen:
    generation = build.generation
    offsets = await database.offsets.read(consumer_beside(registration.name, generation.number))
    store = await database.journal(str(registration.journal), registration.shards)
    head = sum(row.head for row in await store.heads())
    handled = sum(row.offset for row in offsets.values())
    seconds = now.timestamp() - build.since
    phase = "switching" if build.frozen_at is not None else "going back" if build.back else "building"
    return RebuildSeen(
        generation.number,
        generation.version,
        phase,
        datetime.fromtimestamp(build.since, UTC),
        handled,
        head,
        max(0, handled - build.start) / seconds if seconds > 0 else 0.0,
        _errors(registration.name, generation.number, states),
    )


def _errors(name: str, number: int, states: Sequence[ProcessState]) -> dict[str, str]:
    found = {}
    for state in states:
        beside: Mapping[str, Any] = (state.details or {}).get("beside") or {}
        if state.deployment != name or beside.get("generation") != number:
            continue
        if beside.get("error"):
            found[state.name] = beside["error"]
        found.update({tag: error for tag, (_, _, error) in beside.get("trouble", {}).items()})
    return found
