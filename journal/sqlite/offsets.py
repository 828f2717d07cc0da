"""Consumers' offsets and dead letters in a SQLite file."""

from __future__ import annotations

import builtins
import json
import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from journal.contract import DeadLetterStore, OffsetStore
from journal.fences import fenced_offset
from journal.records import ConsumerOffset, DeadLetter, OffsetMove, checked_offset
from journal.sqlite.access import Access
from journal.sqlite.events import time_of
from journal.sqlite.statements import statements


class SqliteOffsets(OffsetStore):
    """The offsets of all consumers."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def read(self, consumer: str) -> dict[str, ConsumerOffset]:
        """See `OffsetStore.read`."""
        return await self._access.read(partial(read, consumer=consumer))

    async def claim(self, consumer: str, tags: Sequence[str], epoch: int) -> dict[str, int]:
        """See `OffsetStore.claim`."""
        return await self._access.write(partial(_claim, consumer=consumer, tags=tags, epoch=epoch))

    async def commit(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        """See `OffsetStore.commit`."""
        await self._access.write(partial(move, consumer=consumer, moves=moves, epoch=epoch))


class SqliteDeadLetters(DeadLetterStore):
    """What projections set aside."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def list(self, consumer: str, limit: int = 1000, tag: str | None = None) -> list[DeadLetter]:
        """See `DeadLetterStore.list`."""
        return await self._access.read(partial(_letters, name="letters", arguments=(consumer, tag, max(limit, 0))))

    async def ask_again(self, consumer: str, tag: str, offset: int) -> bool:
        """See `DeadLetterStore.ask_again`."""
        return await self._access.write(partial(_changed, name="ask_again", place=(consumer, tag, offset)))

    async def asked(self, consumer: str, tags: Sequence[str], limit: int = 1000) -> builtins.list[DeadLetter]:
        """See `DeadLetterStore.asked`."""
        arguments = (consumer, json.dumps([*tags]), max(limit, 0))
        return await self._access.read(partial(_letters, name="asked", arguments=arguments))


def read(connection: sqlite3.Connection, consumer: str) -> dict[str, ConsumerOffset]:
    """All tags of a consumer; within an open transaction nobody else changes them until it ends."""
    return {row[0]: ConsumerOffset(*row) for row in connection.execute(_SQL["read"], (consumer,)).fetchall()}


def move(connection: sqlite3.Connection, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
    """Move offsets within the open transaction.

    Raises:
        Fenced: on some tag `epoch` is not the current one, or the offset is not the move's `before`.
    """
    for tag, before, after in moves:
        moved = connection.execute(_SQL["move"], (after, consumer, tag, epoch, before)).fetchall()
        if not moved:
            raise fenced_offset(consumer, tag, epoch, _find(connection, consumer, tag), before)


def place(connection: sqlite3.Connection, consumer: str, offsets: Mapping[str, int]) -> None:
    """Set offsets within the open transaction, and raise the epochs of their tags.

    Raises:
        ValueError: an offset is none.
    """
    rows = [(consumer, tag, checked_offset(consumer, tag, offset)) for tag, offset in offsets.items()]
    connection.executemany(_SQL["place"], rows)


def forget(connection: sqlite3.Connection, consumer: str) -> None:
    """Delete a consumer's offsets within the open transaction."""
    connection.execute(_SQL["forget"], (consumer,))


def set_aside(connection: sqlite3.Connection, letter: DeadLetter) -> None:
    """Keep a dead letter within the open transaction."""
    (recorded_at,) = connection.execute(statements("registry")["now"]).fetchone()
    place = (letter.consumer, letter.tag, letter.offset, letter.key, letter.seq_nr, letter.type_name)
    connection.execute(_SQL["set_aside"], (*place, letter.error, recorded_at, letter.by))


def settle(connection: sqlite3.Connection, place: tuple[str, str, int]) -> bool:
    """Delete a dead letter within the open transaction; False if there is none."""
    return _changed(connection, "settle", place)


def forget_letters(connection: sqlite3.Connection, consumer: str, tag: str, after: int) -> int:
    """Delete the dead letters of a tag behind `after` within the open transaction; how many there were."""
    return len(connection.execute(_SQL["forget_letters"], (consumer, tag, after)).fetchall())


def hand_over_letters(connection: sqlite3.Connection, consumer: str, to: str) -> int:
    """Make the dead letters of a consumer another's within the open transaction; how many there are."""
    connection.execute(_SQL["clear_way"], (consumer, to))
    return connection.execute(_SQL["hand_over"], (consumer, to)).rowcount


_SQL = statements("offsets")


def _find(connection: sqlite3.Connection, consumer: str, tag: str) -> ConsumerOffset | None:
    row = connection.execute(_SQL["find"], (consumer, tag)).fetchone()
    return ConsumerOffset(*row) if row else None


def _claim(connection: sqlite3.Connection, consumer: str, tags: Sequence[str], epoch: int) -> dict[str, int]:
    offsets = {}
    for tag in dict.fromkeys(tags):
        # A tag that was never claimed counts as claimed under epoch 0, by nobody.
        rows = connection.execute(_SQL["claim"], (consumer, tag, epoch)).fetchall() if epoch > 0 else []
        if not rows:
            raise fenced_offset(consumer, tag, epoch, _find(connection, consumer, tag))
        offsets[tag] = rows[0][0]
    return offsets


def _changed(connection: sqlite3.Connection, name: str, place: tuple[str, str, int]) -> bool:
    return bool(connection.execute(_SQL[name], place).fetchall())


def _letters(connection: sqlite3.Connection, name: str, arguments: tuple[Any, ...]) -> list[DeadLetter]:
    rows: list[Any] = connection.execute(_SQL[name], arguments).fetchall()
    return [DeadLetter(*(*row[:7], time_of(row[7]), row[8], bool(row[9]))) for row in rows]
