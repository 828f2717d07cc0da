"""The events of one entity type in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import asyncpg

from journal.contract import JournalStore
from journal.errors import JournalError, Unavailable
from journal.fences import fenced_shard
from journal.postgres.batch import Known, WholeBatch
from journal.postgres.blocks import begin, commit, lent_link
from journal.postgres.connections import Connections
from journal.postgres.failures import DRIVER_ERRORS, at_commit, before_commit, session_over
from journal.postgres.judged import judge_and_write
from journal.postgres.link import Fetch, Link
from journal.postgres.statements import statement
from journal.postgres.values import storable
from journal.records import Append, Appended, ShardHead, StoredEvent

Outcomes = list[Appended | JournalError]

ATTEMPTS = 5
# Something in the batch is wrong, or may be: a number taken, a key or a value that the table does not accept.
_TO_BE_JUDGED = (asyncpg.UniqueViolationError, asyncpg.CheckViolationError, asyncpg.DataError)
# Nothing happened, and at once again it may well succeed.
_REPEATABLE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class PostgresJournal(JournalStore):
    """See `JournalStore`. Made by `PostgresDatabase.journal`."""

    def __init__(self, name: str, shard_count: int, schema: str, appending: Connections, others: Connections) -> None:
        self.name = name
        self.shard_count = shard_count
        self._sql = cache(lambda file: statement(file, schema, name))
        self._append_one, self._append_next = self._sql("append_one"), self._sql("append_next")
        self._append_batch = self._sql("append_batch")
        self._appending = appending
        self._others = others
        self._known = Known()

    async def append(self, batch: Sequence[Append]) -> Outcomes:
        """See `JournalStore.append`."""
        if not batch:
            return []
        link = await self._appending.take()
        try:
            outcomes = await self._append_whole(link, batch)
            return await self._append_judged(link, batch) if outcomes is None else outcomes
        except BaseException as error:
            self._appending.failed(error)
            # Cancelled, or the answer lost: the statement may still run, so nobody may use this session again.
            if not isinstance(error, JournalError):
                link.terminate()
            raise
        finally:
            self._appending.give_back(link)

    async def _append_whole(self, link: Link, batch: Sequence[Append]) -> Outcomes | None:
        """Write the batch by one statement, or nothing and return None: it must be judged."""
        self._known.on(link.server_started)
        if len(batch) == 1 and len(batch[0].events) == 1:
            return await self._append_single(link, batch[0])
        whole = WholeBatch(batch, self._known)
        rows = await self._committed(link, self._append_batch, whole.arguments) if whole.fits else []
        if not rows:
            return None
        self._known.note(whole.last)
        return whole.outcomes(rows)

    async def _append_single(self, link: Link, append: Append) -> Outcomes | None:
        shard, epoch, key, seq_nr, events = append
        arguments = [shard, epoch, key, seq_nr, *events[0]]
        if self._known.last.get(key, 0) >= seq_nr - 1:
            rows = await self._committed(link, self._append_next, [*arguments, self._known.server_started])
        else:
            rows = await self._committed(link, self._append_one, arguments)
        if not rows:
            return None
        self._known.note({key: seq_nr})
        return [Appended(shard, rows[0][0])]

    async def _committed(self, link: Link, sql: str, arguments: Sequence[Any]) -> list[Any]:
        fetch = await self._prepared(link, sql)
        for _ in range(ATTEMPTS):
            try:
                return await fetch(*arguments)
            except _TO_BE_JUDGED:
                return []
            except _REPEATABLE as error:
                repeatable = error
            except DRIVER_ERRORS as error:
                raise self._failed(link, error, at_commit(self._appending.where, error)) from error
        raise before_commit(self._appending.where, repeatable) from repeatable

    async def _prepared(self, link: Link, sql: str) -> Fetch:
        try:
            return await link.prepared(sql)
        except DRIVER_ERRORS as error:
            raise self._failed(link, error, before_commit(self._appending.where, error)) from error

    async def _append_judged(self, link: Link, batch: Sequence[Append]) -> Outcomes:
        for _ in range(ATTEMPTS):
            try:
                await begin(self._appending.where, link)
                outcomes = await judge_and_write(link, self.name, self.shard_count, self._sql, batch, self._known)
            except (*_REPEATABLE, asyncpg.UniqueViolationError) as error:
                repeatable = error
                await link.roll_back()
            except DRIVER_ERRORS as error:
                await link.roll_back()
                raise self._failed(link, error, before_commit(self._appending.where, error)) from error
            else:
                await commit(self._appending.where, link)
                return outcomes
        raise Unavailable(f"journal {self.name!r}: {ATTEMPTS} attempts were undone: {repeatable}") from repeatable

    def _failed(self, link: Link, error: BaseException, meaning: JournalError) -> JournalError:
        if session_over(error) or not isinstance(error, asyncpg.PostgresError):
            link.terminate()
        return meaning

    async def claim(self, shard: int, epoch: int) -> ShardHead:
        """See `JournalStore.claim`.

        Raises:
            ValueError: there is no such shard.
        """
        if not 0 <= shard < self.shard_count:
            raise ValueError(f"journal {self.name!r} has shards 0 to {self.shard_count - 1}, not {shard}")
        async with lent_link(self._others, committing=True) as link:
            rows = await link.fetch(self._sql("claim_shard"), shard, epoch)
            if not rows:
                (current,) = await link.fetch(self._sql("shard_epoch"), shard)
                raise fenced_shard(self.name, shard, epoch, current[0])
        return ShardHead(*rows[0])

    async def heads(self) -> list[ShardHead]:
        """See `JournalStore.heads`."""
        return [ShardHead(*row) for row in await self._read("heads")]

    async def read_entity(self, key: str, from_seq_nr: int, limit: int) -> list[StoredEvent]:
        """See `JournalStore.read_entity`."""
        if not storable(key):
            return []
        return [StoredEvent(*row) for row in await self._read("read_entity", key, from_seq_nr, max(limit, 0))]

    async def read_shards(self, after: Mapping[int, int], limit: int) -> list[StoredEvent]:
        """See `JournalStore.read_shards`."""
        shards = sorted(shard for shard in after if 0 <= shard < self.shard_count)
        offsets = [after[shard] for shard in shards]
        return [StoredEvent(*row) for row in await self._read("read_shards", shards, offsets, max(limit, 0))]

    async def _read(self, file: str, *arguments: Any) -> list[Any]:
        async with lent_link(self._others) as link:
            return await link.fetch(self._sql(file), *arguments)
