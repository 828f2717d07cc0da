"""Consumers' offsets and dead letters in memory."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from journal.contract import DeadLetterStore, OffsetStore
from journal.fences import fenced_offset
from journal.records import ConsumerOffset, DeadLetter, OffsetMove, checked_offset
from journal.turn import WriteTurn

Place = tuple[str, str]
Changes = dict[Place, ConsumerOffset | None]  # what a transaction has done to offsets; None: forgotten


class MemoryOffsets(OffsetStore):
    """The offsets of all consumers."""

    def __init__(self, turn: WriteTurn) -> None:
        self._turn = turn
        self._offsets: dict[Place, ConsumerOffset] = {}

    async def read(self, consumer: str) -> dict[str, ConsumerOffset]:
        """See `OffsetStore.read`."""
        self._turn.check_open()
        return {tag: row for (owner, tag), row in sorted(self._offsets.items()) if owner == consumer}

    async def claim(self, consumer: str, tags: Sequence[str], epoch: int) -> dict[str, int]:
        """See `OffsetStore.claim`."""
        await self._turn.passed()
        held = {tag: self._offsets.get((consumer, tag), ConsumerOffset(tag, 0, 0)) for tag in tags}
        for row in held.values():
            if epoch <= row.epoch:
                raise fenced_offset(consumer, row.tag, epoch, row)
        self._offsets.update({(consumer, tag): row._replace(epoch=epoch) for tag, row in held.items()})
        return {tag: row.offset for tag, row in held.items()}

    async def commit(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        """See `OffsetStore.commit`."""
        await self._turn.passed()
        moved: Changes = {}
        self.move(consumer, moves, epoch, moved)
        self.keep(moved)

    def seen(self, consumer: str, changed: Changes) -> dict[str, ConsumerOffset]:
        """A consumer's offsets by tag, as they are with `changed` on top."""
        rows = {**self._offsets, **changed}
        return {tag: row for (owner, tag), row in sorted(rows.items()) if owner == consumer and row is not None}

    def move(self, consumer: str, moves: Sequence[OffsetMove], epoch: int, moved: Changes) -> None:
        """Work out `moves` on top of `moved`, and put the rows they lead to there.

        Raises:
            Fenced: on some tag `epoch` is not the current one, or the offset is not the move's `before`.
        """
        for tag, before, after in moves:
            place = (consumer, tag)
            row = self._row(place, moved)
            if row is None or row.epoch != epoch or row.offset != before:
                raise fenced_offset(consumer, tag, epoch, row, before)
            moved[place] = row._replace(offset=after)

    def place(self, consumer: str, offsets: Mapping[str, int], placed: Changes) -> None:
        """Work out what setting `offsets` does on top of `placed`, and put it there.

        Raises:
            ValueError: an offset is none.
        """
        for tag, offset in offsets.items():
            place = (consumer, tag)
            row = self._row(place, placed)
            epoch = 1 if row is None else row.epoch + 1
            placed[place] = ConsumerOffset(tag, checked_offset(consumer, tag, offset), epoch)

    def keep(self, changed: Changes) -> None:
        """Make rows from `move` and `place` the current ones, and delete the forgotten."""
        for place, row in changed.items():
            if row is None:
                self._offsets.pop(place, None)
            else:
                self._offsets[place] = row

    def _row(self, place: Place, changed: Changes) -> ConsumerOffset | None:
        return changed[place] if place in changed else self._offsets.get(place)


Letters = dict[tuple[str, str, int], DeadLetter | None]  # what a transaction has done to them; None: settled


class MemoryDeadLetters(DeadLetterStore):
    """What projections set aside."""

    def __init__(self, turn: WriteTurn) -> None:
        self._turn = turn
        self._letters: dict[tuple[str, str, int], DeadLetter] = {}

    async def list(self, consumer: str, limit: int = 1000, tag: str | None = None) -> list[DeadLetter]:
        """See `DeadLetterStore.list`."""
        self._turn.check_open()
        letters = [letter for place, letter in sorted(self._letters.items()) if place[0] == consumer]
        return [letter for letter in letters if tag is None or letter.tag == tag][: max(limit, 0)]

    async def ask_again(self, consumer: str, tag: str, offset: int) -> bool:
        """See `DeadLetterStore.ask_again`."""
        await self._turn.passed()
        letter = self._letters.get((consumer, tag, offset))
        if letter is not None:
            self._letters[consumer, tag, offset] = replace(letter, asked=True)
        return letter is not None

    async def asked(self, consumer: str, tags: Sequence[str], limit: int = 1000) -> builtins.list[DeadLetter]:
        """See `DeadLetterStore.asked`."""
        self._turn.check_open()
        letters = [letter for place, letter in sorted(self._letters.items()) if place[0] == consumer]
        return [letter for letter in letters if letter.asked and letter.tag in tags][: max(limit, 0)]

    def settle(self, place: tuple[str, str, int], changed: Letters) -> bool:
        """Put to `changed` that a letter is settled; False if there is none."""
        found = changed[place] if place in changed else self._letters.get(place)
        changed[place] = None
        return found is not None

    def forget(self, consumer: str, tag: str, after: int, changed: Letters) -> int:
        """Put to `changed` that the letters of a tag behind `after` are settled; how many that are."""
        there = [place for place, letter in {**self._letters, **changed}.items() if letter is not None]
        gone = [place for place in there if place[:2] == (consumer, tag) and place[2] > after]
        changed.update(dict.fromkeys(gone))
        return len(gone)

    def hand_over(self, consumer: str, to: str, changed: Letters) -> int:
        """Put to `changed` that the letters of a consumer are another's; how many that are."""
        there = {**self._letters, **changed}
        given = {place: letter for place, letter in there.items() if letter is not None and place[0] == consumer}
        for (_, tag, offset), letter in given.items():
            changed[consumer, tag, offset] = None
            changed[to, tag, offset] = replace(letter, consumer=to)
        return len(given)

    def keep(self, changed: Letters, recorded_at: datetime) -> None:
        """Keep what was set aside, which has no time yet, or handed over, and delete what was settled."""
        for place, letter in changed.items():
            if letter is None:
                self._letters.pop(place, None)
            else:
                self._letters[place] = replace(letter, recorded_at=letter.recorded_at or recorded_at)
