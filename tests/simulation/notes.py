"""What lives in simulated clusters: notebooks to which callers add, and two consumers of what they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from aecorpy import (
    Entity,
    EntityEvent,
    Fold,
    Folded,
    ForeignSink,
    Next,
    Rejection,
    Snapshotting,
    Table,
    TableView,
    Tagging,
    Versioned,
    command,
    event,
    query,
    snapshot,
)
from aecorpy.projection.contract import Step
from journal.contract import Database
from tests.checker.models import chained

SHARDS = 12


@event("Noted")
@dataclass(frozen=True, slots=True)
class Noted:
    """A part of a caller's command, by the command's number."""

    caller: int
    number: int
    part: int = 0

    @property
    def command(self) -> str:
        """The command's id."""
        return f"{self.caller}.{self.number}"

    @property
    def item(self) -> str:
        """What it adds to the notebook."""
        return f"{self.caller}.{self.number}.{self.part}"


@snapshot("Notebook")
@dataclass(frozen=True, slots=True)
class Notebook:
    """All that was noted, as the checker knows lists: by length and checksum."""

    value: str


class NotWanted(Rejection):
    """A command that changes its mind."""


def first(noted: Noted) -> Folded[Notebook]:
    """The notebook behind its first event."""
    return Next(Notebook(chained(None, noted.item)))


def more(notebook: Notebook, noted: Noted) -> Folded[Notebook]:
    """The notebook behind one event more."""
    return Next(Notebook(chained(notebook.value, noted.item)))


class Notes(Entity[Notebook | None, Noted]):
    """Keeps what callers send; every answer says what it has by then."""

    fold = Fold.optional(first, more)
    tagging = Tagging.partitioned(SHARDS)
    snapshotting = Snapshotting(4)
    rejections = (NotWanted,)
    pause: ClassVar[float] = 0.02

    def _value(self) -> str:
        return "" if self.state is None else self.state.value

    @command
    async def note(self, caller: int, number: int) -> str:
        self.append(Noted(caller, number))
        return self._value()

    @command
    async def note_slowly(self, caller: int, number: int) -> str:
        self.append(Noted(caller, number))
        await asyncio.sleep(self.pause)
        return self._value()

    @command
    async def note_twice(self, caller: int, number: int) -> str:
        self.append(Noted(caller, number), Noted(caller, number, 1))
        return self._value()

    @command
    async def think_better(self, caller: int, number: int) -> str:
        self.append(Noted(caller, number))
        raise NotWanted

    @query
    async def look(self, caller: int, number: int) -> str:
        """Value and version, and the epoch under which this was answered."""
        return f"{self._value()} {self.version} {self._runtime.epoch}"


@dataclass(frozen=True, slots=True)
class Line:
    """A notebook's row in the view."""

    key: str
    events: int
    value: str


class Lines(TableView[Line, Noted]):
    """A row per notebook, in the journal's database."""

    entity = Notes
    table = Table(Line, "lines")
    batch = 20

    def apply(self, row: Line | None, event: EntityEvent[Noted]) -> Line | None:
        before = row or Line(event.entity_key, 0, "")
        return Line(before.key, before.events + 1, chained(before.value or None, event.payload.item))


class Copies(ForeignSink[Line, Noted]):
    """A row per notebook, elsewhere.

    Args:
        kept: what is there; all instances share it.
        shown: called with each event that comes.
    """

    entity = Notes
    batch = 20

    def __init__(self, kept: dict[str, Versioned[Line]], shown: Callable[[EntityEvent[Noted]], None]) -> None:
        self._kept, self._shown = kept, shown

    async def handle(self, database: Database, step: Step[Noted]) -> None:
        for one in step.events:
            self._shown(one)
        await super().handle(database, step)

    async def load(self, key: str) -> Versioned[Line] | None:
        await asyncio.sleep(0.001)
        return self._kept.get(key)

    async def save(self, key: str, versioned: Versioned[Line]) -> None:
        await asyncio.sleep(0.001)
        kept = self._kept.get(key)
        if kept is None or kept.version < versioned.version:  # of two instances, the slower one comes too late
            self._kept[key] = versioned

    def apply(self, value: Line | None, event: EntityEvent[Noted]) -> Folded[Line]:
        before = value or Line(event.entity_key, 0, "")
        return Next(Line(before.key, before.events + 1, chained(before.value or None, event.payload.item)))
