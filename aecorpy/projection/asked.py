"""Handling dead letters again that somebody asked for, each by itself, before a projection reads on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

from aecorpy.errors import AecorError, Fenced, OutcomeUnknown, Unavailable, text_of
from aecorpy.projection.contract import LetterGone, Projection, Step
from journal.contract import Database
from journal.events import EventJournal
from journal.records import DeadLetter, OffsetMove
from journal.tagging import EventTag

E = TypeVar("E")

_log = logging.getLogger(__name__)


class AskedLetters(Generic[E]):
    """The dead letters of a projection that are to be handled again.

    Args:
        consumer: its name.
        projection: what handles the events.
        journal, database: where they lie, and where the letters do.
    """

    def __init__(self, consumer: str, projection: Projection[E], journal: EventJournal[E], database: Database) -> None:
        self._consumer = consumer
        self._projection = projection
        self._journal = journal
        self._database = database

    async def handle(self, epoch: int, offsets: Mapping[str, int]) -> None:
        """Handle those of some tags, in order within each tag; one that fails is set aside again with its new error.

        Args:
            epoch: the claim under which the tags are held; nothing commits under an older one.
            offsets: where the projection is, by tag. There it stays.

        Raises:
            Fenced: another runner has taken over.
            Unavailable, OutcomeUnknown: the store, or what the projection needs, is away; do it again.
        """
        seen: set[tuple[str, int]] = set()
        while True:
            letters = await self._database.dead_letters.asked(self._consumer, list(offsets))
            unseen = [letter for letter in letters if (letter.tag, letter.offset) not in seen]
            if not unseen:
                return
            for letter in unseen:
                seen.add((letter.tag, letter.offset))
                there = offsets[letter.tag]
                await self._handle(letter, Step(self._consumer, epoch, (), [OffsetMove(letter.tag, there, there)]))

    async def _handle(self, letter: DeadLetter, step: Step[E]) -> None:
        place = f"projection {self._consumer!r}, {letter.tag} offset {letter.offset}"
        try:
            event = await self._event(letter)
            await self._projection.effects([event])  # before it is handled, as in a step; maybe once more
            settled = [(letter.tag, letter.offset)]
            await self._projection.handle(self._database, replace(step, events=[event], settled=settled))
            _log.info("%s: its dead letter is handled", place)
        except (Fenced, Unavailable, OutcomeUnknown):
            raise
        except LetterGone as gone:
            _log.info("%s", gone)
        except Exception as error:  # noqa: BLE001 - whatever a projection raises, the letter stays
            _log.error("%s: its dead letter failed again", place, exc_info=error)
            again = replace(letter, error=text_of(error), by=None, asked=False)
            async with self._database.transaction() as transaction:
                await replace(step, letters=[again]).commit_in(transaction)

    async def _event(self, letter: DeadLetter) -> Any:
        shard = EventTag.parse(letter.tag).shard
        records = await self._journal.read_shards({shard: letter.offset - 1}, 1)
        if not records:
            raise AecorError(f"the journal has no event {letter.offset} on {letter.tag}")
        return self._journal.decode(records[0])
