"""Consumers' offsets and dead letters in PostgreSQL."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence

from journal.contract import DeadLetterStore, OffsetStore
from journal.errors import Fenced
from journal.fences import fenced_offset
from journal.postgres.blocks import lent_link, open_transaction
from journal.postgres.connections import Connections
from journal.postgres.link import Link
from journal.postgres.statements import statement
from journal.records import ConsumerOffset, DeadLetter, OffsetMove, checked_offset


class PostgresOffsets(OffsetStore):
    """See `OffsetStore`. Made by `PostgresDatabase.offsets`."""

    def __init__(self, schema: str, connections: Connections) -> None:
        self._connections = connections
        self._schema = schema
        self._read = statement("offset_read", schema)
        self._claim = statement("offset_claim", schema)

    async def read(self, consumer: str) -> dict[str, ConsumerOffset]:
        """See `OffsetStore.read`."""
        async with lent_link(self._connections) as link:
            rows = await link.fetch(self._read, consumer)
        return {row[0]: ConsumerOffset(*row) for row in rows}

    async def claim(self, consumer: str, tags: Sequence[str], epoch: int) -> dict[str, int]:
        """See `OffsetStore.claim`."""
        wanted = sorted(set(tags))
        if wanted and epoch <= 0:
            raise fenced_offset(consumer, wanted[0], epoch, (await self.read(consumer)).get(wanted[0]))
        async with open_transaction(self._connections, ours=True) as link:
            claimed: dict[str, int] = dict(await link.fetch(self._claim, consumer, wanted, epoch))
            if len(claimed) < len(wanted):
                refused = next(tag for tag in wanted if tag not in claimed)
                raise fenced_offset(consumer, refused, epoch, await self._row(link, consumer, refused))
        return {tag: claimed[tag] for tag in tags}

    async def _row(self, link: Link, consumer: str, tag: str) -> ConsumerOffset | None:
        return next((ConsumerOffset(*row) for row in await link.fetch(self._read, consumer) if row[0] == tag), None)

    async def commit(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        """See `OffsetStore.commit`."""
        async with lent_link(self._connections, committing=True) as link:
            await move(link, self._schema, consumer, moves, epoch)


class PostgresDeadLetters(DeadLetterStore):
    """See `DeadLetterStore`. Made by `PostgresDatabase.dead_letters`."""

    def __init__(self, schema: str, connections: Connections) -> None:
        self._connections = connections
        self._list = statement("dead_letter_list", schema)
        self._ask_again = statement("dead_letter_ask_again", schema)
        self._asked = statement("dead_letter_asked", schema)

    async def list(self, consumer: str, limit: int = 1000, tag: str | None = None) -> list[DeadLetter]:
        """See `DeadLetterStore.list`."""
        async with lent_link(self._connections) as link:
            return [DeadLetter(*row) for row in await link.fetch(self._list, consumer, max(limit, 0), tag)]

    async def ask_again(self, consumer: str, tag: str, offset: int) -> bool:
        """See `DeadLetterStore.ask_again`."""
        async with lent_link(self._connections, committing=True) as link:
            return bool(await link.fetch(self._ask_again, consumer, tag, offset))

    async def asked(self, consumer: str, tags: Sequence[str], limit: int = 1000) -> builtins.list[DeadLetter]:
        """See `DeadLetterStore.asked`."""
        async with lent_link(self._connections) as link:
            rows = await link.fetch(self._asked, consumer, [*tags], max(limit, 0))
        return [DeadLetter(*row) for row in rows]


async def move(link: Link, schema: str, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
    """Move offsets by one statement: all of them, or none.

    Raises:
        Fenced: as `OffsetStore.commit`.
    """
    steps = _composed(consumer, moves, epoch)
    if not steps:
        return
    columns = [list(column) for column in zip(*steps.values(), strict=True)]
    moved = await link.fetch(statement("offset_move", schema), consumer, *columns, epoch)
    if len(moved) < len(steps):
        raise await _refusal(link, schema, consumer, steps, epoch)


async def read_locked(link: Link, schema: str, consumer: str) -> dict[str, ConsumerOffset]:
    """A consumer's offsets by tag, locked until the transaction open on `link` ends."""
    rows = await link.fetch(statement("offset_lock", schema), consumer)
    return {row[0]: ConsumerOffset(*row) for row in rows}


async def place(link: Link, schema: str, consumer: str, offsets: Mapping[str, int]) -> None:
    """Set offsets, and raise the epochs of their tags.

    Raises:
        ValueError: an offset is none.
    """
    positions = [checked_offset(consumer, tag, offset) for tag, offset in offsets.items()]
    await link.fetch(statement("offset_place", schema), consumer, list(offsets), positions)


def _composed(consumer: str, moves: Sequence[OffsetMove], epoch: int) -> dict[str, OffsetMove]:
    """The moves with several steps on one tag made one."""
    steps: dict[str, OffsetMove] = {}
    for one in moves:
        earlier = steps.setdefault(one.tag, one)
        if earlier is not one:
            if earlier.after != one.before:
                row = ConsumerOffset(one.tag, earlier.after, epoch)
                raise fenced_offset(consumer, one.tag, epoch, row, one.before)
            steps[one.tag] = earlier._replace(after=one.after)
    return steps


async def _refusal(link: Link, schema: str, consumer: str, steps: dict[str, OffsetMove], epoch: int) -> Fenced:
    rows = {row[0]: ConsumerOffset(*row) for row in await link.fetch(statement("offset_read", schema), consumer)}
    for tag, before, _ in steps.values():
        row = rows.get(tag)
        if row is None or row.epoch != epoch or row.offset != before:
            return fenced_offset(consumer, tag, epoch, row, before)
    return Fenced(f"consumer {consumer!r}", epoch)  # what stood in the way has moved on meanwhile
