"""A projection as processes of the cluster: each reads a range of the tags, under the epoch of its shard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aecorpy.errors import InvalidDefinition
from aecorpy.processing.host import Recipes
from aecorpy.processing.process import ProcessContext
from aecorpy.processing.states import DEPLOYMENT, registration_of
from aecorpy.processing.wishes import begin_anew, pause
from aecorpy.processing.worker import Task
from aecorpy.projection.beside import View, ViewProcess
from aecorpy.projection.contract import Projection
from aecorpy.projection.generations import VIEW, Generation, Generations, changing, generations_of, seconds_now
from aecorpy.projection.table import TableView
from journal.contract import Database
from journal.names import owner_of
from journal.tagging import EventTag

MOST_PROCESSES = 8

_log = logging.getLogger(__name__)


def ranges(tags: Sequence[EventTag], count: int | None) -> list[tuple[EventTag, ...]]:
    """The tags in `count` runs of neighbours, as even as can be; by default one for each tag, up to 8.

    Raises:
        InvalidDefinition: there would be more processes than tags, or none.
    """
    wanted = min(len(tags), MOST_PROCESSES) if count is None else count
    if not 1 <= wanted <= len(tags):
        raise InvalidDefinition(f"{wanted} processes for {len(tags)} tags: use 1 to {len(tags)}")
    return [tuple(tags[len(tags) * number // wanted : len(tags) * (number + 1) // wanted]) for number in range(wanted)]


class ProjectionProcesses(Recipes):
    """The processes of one projection.

    Args:
        view: what they are processes of; its name is the deployment's.
        tags: those of each process, by number.
        node: the name of this node.
        incarnation: tells this node's membership.
    """

    def __init__(
        self, view: View, tags: Sequence[tuple[EventTag, ...]], node: str, incarnation: Callable[[], int]
    ) -> None:
        self.deployment = view.name
        self.names = tuple(_name(view.name, some) for some in tags)
        self._view = view
        self._tags = list(tags)
        self._node = node
        self._incarnation = incarnation

    async def claim(self, number: int, epoch: int) -> Task:
        """Take the tags of a process under `epoch`; see `Recipes.claim`."""
        tags, name, database = self._tags[number], self.names[number], self._view.database
        await database.offsets.claim(self.deployment, [str(tag) for tag in tags], epoch)
        process = ViewProcess(name, self._view, tags)
        context = ProcessContext(self.deployment, name, number, self._node, epoch, database)
        return Task(
            process,
            context,
            self._incarnation(),
            tuple(str(tag) for tag in tags),
            details=process.details,
            hold=lambda error: pause(database, self.deployment, "its policy", str(error)),
        )


def check_no_journal_s(name: str, view: Projection[Any], journals: Iterable[str]) -> None:
    """Do nothing if none of a view's tables is a journal's.

    Raises:
        InvalidDefinition: one is, and what the view writes there would be events, or harm them.
    """
    journals = tuple(journals)
    for table in view.tables():
        owner = owner_of(table, journals)
        if owner is not None:
            raise InvalidDefinition(f"projection {name!r}: table {table!r} belongs to the journal {owner!r}")


async def check_tables(database: Database, name: str, journal: str, view: Projection[Any]) -> None:
    """Do nothing if a table view that is new may have its table.

    Raises:
        InvalidDefinition: another view fills it from the same journal, so each event would count twice.
        Unavailable: the store is away.
    """
    if not isinstance(view, TableView):
        return
    there = {one.name: one for one in map(registration_of, await database.notes.read([DEPLOYMENT]))}
    if name in there:
        return
    for one in there.values():
        if one.journal == journal and (shared := set(one.tables) & set(view.tables())):
            raise InvalidDefinition(
                f"projection {name!r}: table {min(shared)!r} is that of projection {one.name!r}, which follows the "
                f"same events: each would count twice; give it a table of its own, or go on under the name {one.name!r}"
            )


async def register(database: Database, name: str, programs: Sequence[Projection[Any]]) -> None:
    """Note what versions of a view this program brings, and begin to build the newest if it never served.

    Args:
        database: where the view is.
        name: the view's.
        programs: its versions in this program, the newest first.

    Raises:
        Unavailable, OutcomeUnknown: the store is away.
    """
    newest = programs[0]
    obstacle = _obstacle(newest)
    known = bool(await database.offsets.read(name))
    now = await seconds_now(database)
    async with changing(database, name) as transaction:
        note = await transaction.get_note(VIEW, name)
        if note is None:
            version = 1 if known else newest.version  # what was there before anybody noted versions was the first
            serving = Generation(1, version, programs[-1].tables() if known else newest.tables())
            seen = former = Generations(serving, Generation(0, version), newest_version=version)
        else:
            seen = former = generations_of(note)
        seen = seen.of_program(newest.version, newest.tables(), obstacle)
        if newest.version > seen.newest_version and seen.building is None:
            seen = seen.begun(name, now, "its program", f"version {newest.version}")
            await begin_anew(transaction, name, seen.by, f"a rebuild {seen.why} begins")
            _log.info("view %r: version %d is built beside version %d", name, newest.version, seen.serving.version)
        if note is None or seen != former:
            await transaction.put_note(seen.note(name))


def _obstacle(projection: Projection[Any]) -> str:
    try:
        projection.check_beside()
    except InvalidDefinition as error:
        return str(error)
    return ""


def _name(deployment: str, tags: Sequence[EventTag]) -> str:
    first, last = tags[0], tags[-1]
    return str(first) if len(tags) == 1 else f"{first}..{last.shard}"
