"""The generations of a view: one serves, one may be built beside it, and the one that served before may be kept.

    serving 1 --rebuild--> serving 1, building 2 --caught up--> 1 stands still, 2 catches up the rest
    --one transaction--> serving 2, kept 1 --back--> serving 2, building 1 --the same way--> serving 1, kept 2

The serving generation has the view's own table names and consumer. The others have names with their number in them. A
number is never used again. What there is of a view is one note in the database, which every step changes in the
transaction that does the step, so whoever comes next goes on from it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import msgpack

from aecorpy.errors import AecorError
from aecorpy.processing.states import DEPLOYMENT, UnreadableNote
from journal.contract import Database, Transaction
from journal.records import NewNote, Note

VIEW: Final = "view"


class RebuildRefused(AecorError):
    """A view cannot be rebuilt, switched back or have its rebuild cancelled as it is now; says why."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One set of a view's tables.

    Args:
        number: tells it from the others.
        version: of the program that fills them, `Projection.version`.
        tables: their plain names.
    """

    number: int
    version: int
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Build:
    """A generation that is being brought up to the journal beside the serving one.

    Args:
        generation: which.
        since: when it began; like all times here, seconds since 1970 by the store's clock.
        start: how many events it had handled then.
        back: whether it is one that has served before.
        frozen_at: since when the serving generation stands still for the switch; None while it does not.
        rest_until: the switch did not come through, and is not to be tried again before.
    """

    generation: Generation
    since: float
    start: int = 0
    back: bool = False
    frozen_at: float | None = None
    rest_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Generations:
    """What there is of a view.

    Args:
        serving, building, kept: see above.
        last: the number used last.
        newest_version: the highest version that ever served or was begun; a program with a higher one begins its own.
        program: what the program that started last brings: its version and tables.
        obstacle: why that one cannot be rebuilt beside; empty if it can.
        effects: by tag, up to which offset effects are done, where the serving generation was farther when it began to
            serve: those of what it had handled already are still to be had.
        effects_ahead: by tag, up to which offset effects are done, where it was not so far: until it is, it has none.
        by, why: who began the last rebuild, and the reason.
    """

    serving: Generation
    program: Generation
    last: int = 1
    newest_version: int = 1
    building: Build | None = None
    kept: Generation | None = None
    obstacle: str = ""
    effects: Mapping[str, int] = field(default_factory=dict)
    effects_ahead: Mapping[str, int] = field(default_factory=dict)
    by: str = ""
    why: str = ""

    @property
    def switching(self) -> bool:
        """Whether the serving generation stands still for the switch."""
        return self.building is not None and self.building.frozen_at is not None

    def builds(self, number: int) -> bool:
        """Whether generation `number` is being built."""
        return self.building is not None and self.building.generation.number == number

    def of_program(self, version: int, tables: Sequence[str], obstacle: str) -> Generations:
        """As it is once a program has started that brings `version`."""
        program = Generation(0, version, tuple(tables))
        serving = self.serving
        if version == serving.version:
            serving = replace(serving, tables=tuple(tables))
        return replace(self, program=program, obstacle=obstacle, serving=serving)

    def begun(self, name: str, now: float, by: str, why: str) -> Generations:
        """With the newest program's version being built as the next generation.

        Raises:
            RebuildRefused: one is being built, or the view cannot be rebuilt beside.
        """
        self._check_idle(name)
        if self.obstacle:
            raise RebuildRefused(f"view {name!r} cannot be rebuilt beside: {self.obstacle}")
        number = self.last + 1
        build = Build(replace(self.program, number=number), now)
        newest = max(self.newest_version, self.program.version)
        return replace(self, last=number, building=build, newest_version=newest, by=by, why=why)

    def going_back(self, name: str, now: float, start: int, by: str, why: str) -> Generations:
        """With the kept generation being brought up to date, to serve again.

        Raises:
            RebuildRefused: one is being built, or none is kept.
        """
        self._check_idle(name)
        if self.kept is None:
            raise RebuildRefused(f"view {name!r} has no former generation to go back to")
        return replace(self, kept=None, building=Build(self.kept, now, start, back=True), by=by, why=why)

    def cancelled(self, name: str) -> Generations:
        """Without what was being built; one that had served before is kept again.

        Raises:
            RebuildRefused: none is being built, or it is just being switched in.
        """
        if self.building is None:
            raise RebuildRefused(f"view {name!r} is not being rebuilt")
        if self.switching:
            raise RebuildRefused(f"view {name!r} is just being switched: go back afterwards, or cancel again")
        return replace(self, building=None, kept=self.building.generation if self.building.back else self.kept)

    def frozen(self, now: float) -> Generations:
        """With the serving generation standing still."""
        return self._with_build(frozen_at=now)

    def thawed(self, rest_until: float) -> Generations:
        """With the serving generation going on."""
        return self._with_build(frozen_at=None, rest_until=rest_until)

    def switched(self, kept_tables: Sequence[str], served: Mapping[str, int], built: Mapping[str, int]) -> Generations:
        """With the built generation serving, and the one that served kept.

        Args:
            kept_tables: the tables of that one.
            served, built: how far the two are, by tag, for all tags.
        """
        assert self.building is not None, "there is something to switch in"
        kept = replace(self.serving, tables=tuple(kept_tables))
        ahead = self.effects_ahead
        done = {tag: self.effects.get(tag, max(offset, ahead.get(tag, 0))) for tag, offset in served.items()}
        return replace(
            self,
            serving=self.building.generation,
            kept=kept,
            building=None,
            effects={tag: offset for tag, offset in done.items() if offset < built[tag]},
            effects_ahead={tag: offset for tag, offset in done.items() if offset > built[tag]},
        )

    def without_kept(self, name: str) -> Generations:
        """With no way back.

        Raises:
            RebuildRefused: there is none anyway.
        """
        if self.kept is None:
            raise RebuildRefused(f"view {name!r} has no former generation")
        return replace(self, kept=None)

    def _with_build(self, **changes: Any) -> Generations:
        assert self.building is not None, "something is being built"
        return replace(self, building=replace(self.building, **changes))

    def _check_idle(self, name: str) -> None:
        if self.building is not None:
            number = self.building.generation.number
            raise RebuildRefused(
                f"view {name!r} is being rebuilt already, as generation {number}: watch it "
                "(`aecorpy projections rebuild --only-watch …`), or cancel it first"
            )

    def note(self, name: str) -> NewNote:
        """How it is stored, for the view `name`."""
        return NewNote(VIEW, name, msgpack.packb(asdict(self), unicode_errors="backslashreplace"))


def table_beside(table: str, number: int) -> str:
    """The name of a view's table in a generation that does not serve."""
    return f"{table}__g{number}"


def consumer_beside(name: str, number: int) -> str:
    """The consumer under which a generation that does not serve has its offsets."""
    return f"{name}@{number}"


def generations_of(note: Note) -> Generations:
    """The generations stored as `note`.

    Raises:
        UnreadableNote: they are none.
    """
    try:
        document = msgpack.unpackb(note.payload, use_list=False)
        build, kept = document["building"], document["kept"]
        if build is not None:
            build = Build(**{**build, "generation": Generation(**build["generation"])})
        generations = {"serving": Generation(**document["serving"]), "program": Generation(**document["program"])}
        kept = None if kept is None else Generation(**kept)
        return Generations(**{**document, **generations, "building": build, "kept": kept})
    except (ValueError, TypeError, LookupError, msgpack.UnpackException) as error:
        raise UnreadableNote(f"note {note.kind} {note.name!r} cannot be read: {error}") from error


async def read_generations(database: Database, name: str) -> Generations | None:
    """What there is of the view `name`; None when no program ever started it.

    Raises:
        Unavailable: the store is away.
        UnreadableNote: the database belongs to another version.
    """
    notes = await database.notes.read([VIEW], name)
    return next((generations_of(note) for note in notes if note.name == name), None)


@asynccontextmanager
async def changing(database: Database, name: str) -> AsyncIterator[Transaction]:
    """A transaction that changes something of a deployment: one at a time, so that they may lock the rest in any order.

    Raises:
        Unavailable, OutcomeUnknown: the store is away.
    """
    async with database.transaction() as transaction:
        await transaction.get_note(DEPLOYMENT, name)
        yield transaction


async def held_generations(transaction: Transaction, name: str) -> Generations:
    """What there is of the view `name`, which nobody else changes until the transaction ends.

    Raises:
        RebuildRefused: no program ever started it.
        UnreadableNote: the database belongs to another version.
    """
    note = await transaction.get_note(VIEW, name)
    if note is None:
        raise RebuildRefused(f"no program has ever started a projection {name!r} on this database")
    return generations_of(note)


async def seconds_now(database: Database) -> float:
    """The store's clock, as the times above."""
    return (await database.now()).timestamp()
