"""Switching a view's generations: when the one that was built has caught up, it takes the serving one's place.

    BUILDING --little is left--> frozen: the serving consumer's epochs are raised, so it moves no more
    frozen --the new one is as far on every tag--> SWITCHED, in one transaction: tables, offsets, note
    frozen --too long--> BUILDING, and the serving one goes on

Each arrow is one transaction, and the note says where we are, so the next one to hold the view's first process goes on
from there. Only it drives, and each of its transactions looks whether it still holds its tags.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

from aecorpy.errors import Fenced, text_of
from aecorpy.processing.wishes import begin_anew
from aecorpy.projection.generations import (
    Build,
    Generation,
    Generations,
    changing,
    consumer_beside,
    held_generations,
    read_generations,
    seconds_now,
    table_beside,
)
from journal.contract import Database, JournalStore, Transaction
from journal.records import ConsumerOffset, offset_on
from journal.tagging import EventTag

BUILDING_LOOK, FROZEN_LOOK = 0.25, 0.03
LITTLE = 2_000
A_MOMENT = 2.0
FROZEN_LIMIT = 10.0
LOCKS_LIMIT = 2.0
REST = 30.0

_log = logging.getLogger(__name__)


class _NotYet(Exception):
    """Something is missing; look again."""


class Switch:
    """The driver of one build, in the view's first process.

    Args:
        name: the view's.
        database, store: where it is, and the journal that it follows.
        tags: all of the view's.
        mine: those of the process that drives.
        epoch: under which that holds them.
    """

    def __init__(
        self,
        name: str,
        database: Database,
        store: JournalStore,
        tags: Sequence[EventTag],
        mine: Sequence[EventTag],
        epoch: int,
    ) -> None:
        self._name = name
        self._database = database
        self._store = store
        self._tags = [str(tag) for tag in tags]
        self._mine = [str(tag) for tag in mine]
        self._epoch = epoch
        self.error: str | None = None
        self._wanted: tuple[float, dict[str, int]] | None = None

    async def drive(self, number: int) -> None:
        """Switch generation `number` in when it is time; return when it is not being built any more."""
        while True:
            pause = BUILDING_LOOK
            try:
                seen = await read_generations(self._database, self._name)
                if seen is None or seen.building is None or not seen.builds(number):
                    return
                pause = FROZEN_LOOK if seen.switching else BUILDING_LOOK
                await self._go_on(seen, seen.building)
                self.error = None
            except _NotYet:
                pass
            except Fenced:
                raise
            except Exception as error:  # noqa: BLE001 - what is in the way may pass; the view goes on serving meanwhile
                self.error = text_of(error)
                _log.warning("view %r is not switched to generation %d yet: %s", self._name, number, self.error)
            await asyncio.sleep(pause)

    async def _go_on(self, seen: Generations, build: Build) -> None:
        now = await seconds_now(self._database)
        if build.frozen_at is None:
            if now >= build.rest_until and await self._is_close(build, now):
                await self._freeze(build.generation.number, now)
        elif now - build.frozen_at > FROZEN_LIMIT:
            await thaw(self._database, self._name, build.frozen_at, now + REST)
        else:
            await self._switch(seen, build)

    async def _is_close(self, build: Build, now: float) -> bool:
        """Whether it was on every tag where the serving one had been a moment before, and little is left of all.

        So a generation that cannot get past an event does not let the serving one stand still again and again.
        """
        offsets = self._database.offsets
        built = await offsets.read(consumer_beside(self._name, build.generation.number))
        looked_at, wanted = self._wanted or (now, None)
        if wanted is not None and any(offset_on(built, tag) < offset for tag, offset in wanted.items()):
            return False
        serving = await offsets.read(self._name)
        self._wanted = (now, {tag: offset_on(serving, tag) for tag in self._tags})
        if wanted is None or now - looked_at > A_MOMENT:
            return False
        heads = {str(EventTag(self._store.name, shard)): head for shard, _, head in await self._store.heads()}
        return sum(max(0, head - offset_on(built, tag)) for tag, head in heads.items()) <= LITTLE

    async def _freeze(self, number: int, now: float) -> None:
        async with asyncio.timeout(LOCKS_LIMIT), changing(self._database, self._name) as transaction:
            seen = await held_generations(transaction, self._name)
            if not seen.builds(number) or seen.switching:
                raise _NotYet
            serving = await transaction.read_offsets(self._name)
            self._check_mine(await transaction.read_offsets(consumer_beside(self._name, number)))
            await transaction.place_offsets(self._name, {tag: offset_on(serving, tag) for tag in self._tags})
            await transaction.put_note(seen.frozen(now).note(self._name))
        _log.info("view %r stands still until generation %d, which has caught up, serves", self._name, number)

    async def _switch(self, seen: Generations, build: Build) -> None:
        consumer = consumer_beside(self._name, build.generation.number)
        self._check_as_far(await self._database.offsets.read(self._name), await self._database.offsets.read(consumer))
        tables = await plain_tables(self._database, seen.serving, build.generation)
        async with asyncio.timeout(LOCKS_LIMIT), changing(self._database, self._name) as transaction:
            seen = await held_generations(transaction, self._name)
            if not seen.switching or not seen.builds(build.generation.number):
                raise _NotYet
            serving, built = await exchange(transaction, self._name, seen, tables)
            self._check_mine(built)
            self._check_as_far(serving, built)
        _log.info("view %r: generation %d serves now", self._name, build.generation.number)

    def _check_as_far(self, serving: Mapping[str, ConsumerOffset], built: Mapping[str, ConsumerOffset]) -> None:
        if any(offset_on(built, tag) < offset_on(serving, tag) for tag in self._tags):
            raise _NotYet

    def _check_mine(self, built: Mapping[str, ConsumerOffset]) -> None:
        for tag in self._mine:
            epoch = built[tag].epoch if tag in built else 0
            if epoch < self._epoch:  # this process is about to take it
                raise _NotYet
            if epoch > self._epoch:
                raise Fenced(f"the rebuild of {self._name!r} on {tag}", self._epoch, epoch)


async def plain_tables(database: Database, serving: Generation, build: Generation) -> set[str]:
    """Which of two generations' tables exist under their plain names, to be known before an `exchange`.

    Raises:
        Unavailable: the store is away.
    """
    return await database.tables_exist(sorted({*serving.tables, *build.tables}))


async def exchange(
    transaction: Transaction, name: str, seen: Generations, tables: set[str]
) -> tuple[dict[str, ConsumerOffset], dict[str, ConsumerOffset]]:
    """Let what is built serve, and keep what serves, when `transaction` commits; both are fenced.

    Tables come first: a step of a projection holds its table when it waits for its offset, so the other way round it
    and this transaction would wait for each other. Dead letters come last: none is added while offsets are held.

    Nothing is asked beside the transaction: readers who wait for the tables may have all other connections.

    Args:
        transaction: holds the view's note.
        name, seen: the view.
        tables: by `plain_tables`.

    Returns:
        the offsets of the one that served, and of the one that was built.
    """
    assert seen.building is not None, "there is something to switch in"
    serving, build = seen.serving, seen.building.generation
    kept, consumer = consumer_beside(name, serving.number), consumer_beside(name, build.number)
    for table in sorted(tables):
        await transaction.rename_table(table, table_beside(table, serving.number))
    for table in sorted(build.tables):
        await transaction.rename_table(table_beside(table, build.number), table)
    if seen.kept is not None:
        await discard(transaction, name, seen.kept.number, seen.kept.tables)
    served, built = await transaction.read_offsets(name), await transaction.read_offsets(consumer)
    tags = sorted({*served, *built})
    there, here = {tag: offset_on(served, tag) for tag in tags}, {tag: offset_on(built, tag) for tag in tags}
    await transaction.place_offsets(kept, there)
    await transaction.place_offsets(name, here)
    await transaction.forget_offsets(consumer)
    await transaction.hand_over_letters(name, kept)
    await transaction.hand_over_letters(consumer, name)
    await transaction.put_note(seen.switched(sorted(tables), there, here).note(name))
    await begin_anew(transaction, name, seen.by, f"generation {build.number} serves")
    return served, built


async def discard(transaction: Transaction, name: str, number: int, tables: Sequence[str]) -> None:
    """Drop a generation that does not serve: its tables, offsets and dead letters."""
    consumer = consumer_beside(name, number)
    for table in sorted(tables):
        await transaction.drop_table(table_beside(table, number))
    for tag in await transaction.read_offsets(consumer):
        await transaction.forget_letters(consumer, tag, 0)
    await transaction.forget_offsets(consumer)


async def thaw(database: Database, name: str, frozen_at: float, rest_until: float) -> None:
    """Let the serving generation go on if it still stands still since `frozen_at`; the switch is tried again later."""
    with suppress(_NotYet):
        async with changing(database, name) as transaction:
            seen = await held_generations(transaction, name)
            if seen.building is None or seen.building.frozen_at != frozen_at:
                raise _NotYet
            await transaction.put_note(seen.thawed(rest_until).note(name))
            await begin_anew(transaction, name, seen.by, "the switch did not come through")
        _log.warning("view %r goes on serving: its new generation was not as far in time", name)
