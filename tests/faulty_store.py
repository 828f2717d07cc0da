"""A database that fails when told to: the next append, read, claim or commit, in a given way. Nothing here is random.

>>> faulty = FaultyDatabase(MemoryDatabase(clock=...))
>>> faulty.on("append", Fails(Unavailable("away")))       # the next one; several are taken one after another
>>> gate = faulty.block("append")                         # the next one waits
>>> await gate.reached(); gate.release()
>>> faulty.always("heads", Fails(Unavailable("away")))    # every one, until `faulty.heal()`

Operations: append, claim, heads, read_entity, read_shards, snapshot_get, snapshot_put, notes_read, notes_put,
notes_delete, offsets_read, offsets_claim, offsets_commit, letters_list, letters_ask_again, letters_asked,
begin (of a transaction), commit (of a transaction),
create_table, tables_exist, open_journal, now.
"""

from __future__ import annotations

import asyncio
import builtins
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from journal.contract import Database, DeadLetterStore, JournalStore, KeyValueStore, NoteStore, OffsetStore, Transaction
from journal.errors import Conflict, Fenced, JournalError, OutcomeUnknown, Unavailable
from journal.records import (
    Append,
    Appended,
    ConsumerOffset,
    DeadLetter,
    NewNote,
    Note,
    OffsetMove,
    ShardHead,
    Snapshot,
    StoredEvent,
    TableSpec,
)

R = TypeVar("R")
LIMIT = 10.0  # seconds for which a test waits for something to arrive at a gate


class Fault:
    """What happens to one operation; by itself nothing special."""

    async def around(self, operation: Callable[[], Awaitable[Any]]) -> Any:
        return await operation()


class Fails(Fault):
    """The operation raises and does not happen."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def around(self, operation: Callable[[], Awaitable[Any]]) -> Any:
        raise self.error


class FailsAfter(Fails):
    """The operation happens, and then raises all the same: its answer was lost."""

    async def around(self, operation: Callable[[], Awaitable[Any]]) -> Any:
        await operation()
        raise self.error


class Refuses(Fault):
    """An append whose entities in `keys` (all, by default) get `error(append)` instead of being written."""

    def __init__(self, error: Callable[[Append], JournalError], *keys: str) -> None:
        self.error = error
        self.keys = frozenset(keys)

    def refuses(self, append: Append) -> bool:
        return not self.keys or append.key in self.keys


class Gate(Fault):
    """The operation waits until it is let through, and then meets `then`."""

    def __init__(self, then: Fault | None = None) -> None:
        self.then = then or Fault()
        self._reached = asyncio.Event()
        self._open = asyncio.Event()

    async def around(self, operation: Callable[[], Awaitable[Any]]) -> Any:
        await self.passed()
        return await self.then.around(operation)

    async def passed(self) -> None:
        """Wait at the gate."""
        self._reached.set()
        await self._open.wait()

    async def reached(self) -> None:
        """Return when an operation waits here."""
        async with asyncio.timeout(LIMIT):
            await self._reached.wait()

    def release(self) -> None:
        """Let through what waits, and what comes."""
        self._open.set()


def unavailable() -> Fault:
    """The store is away; nothing happens."""
    return Fails(Unavailable("the store is away"))


def lost_before() -> Fault:
    """The connection is lost; it did not happen, but nobody knows."""
    return Fails(OutcomeUnknown("connection lost in flight"))


def lost_after() -> Fault:
    """The connection is lost; it did happen, but nobody knows."""
    return FailsAfter(OutcomeUnknown("connection lost in flight"))


def conflict(*keys: str) -> Fault:
    """The entities' appends conflict."""
    return Refuses(lambda append: Conflict("faulty", append.key, append.seq_nr, append.seq_nr + 6), *keys)


def fenced(*keys: str) -> Fault:
    """The entities' shards have a newer epoch."""
    return Refuses(lambda append: Fenced(f"shard {append.shard}", append.epoch, append.epoch + 1), *keys)


class Faults:
    """The plan of what goes wrong, and a record of what was asked for."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.batches: list[list[Append]] = []
        self._next: dict[str, deque[Fault]] = {}
        self._always: dict[str, Fault] = {}
        self._away = False
        self._corrupt: dict[tuple[str, int], dict[str, Any]] = {}
        self._gates: list[Gate] = []

    def on(self, operation: str, *faults: Fault) -> None:
        """Let the next `operation`s meet these faults, one each."""
        self._next.setdefault(operation, deque()).extend(faults)

    def always(self, operation: str, fault: Fault) -> None:
        """Let every `operation` meet the fault."""
        self._always[operation] = fault

    def block(self, operation: str, then: Fault | None = None) -> Gate:
        """Let the next `operation` wait at a gate."""
        gate = Gate(then)
        self._gates.append(gate)
        self.on(operation, gate)
        return gate

    def go_away(self) -> None:
        """Let everything fail with `Unavailable`."""
        self._away = True

    def heal(self) -> None:
        """Forget all faults, and open all gates."""
        self._away = False
        for gate in self._gates:
            gate.release()
        self._always.clear()
        self._next.clear()
        self._corrupt.clear()

    def corrupt(self, key: str, seq_nr: int, /, **changes: Any) -> None:
        """Let an event be read with other fields, such as `payload=b"…"` or `type_name="…"`."""
        self._corrupt[key, seq_nr] = changes

    def as_read(self, events: Sequence[StoredEvent]) -> list[StoredEvent]:
        """Events with the corruptions that were asked for."""
        return [replace(event, **self._corrupt.get((event.key, event.seq_nr), {})) for event in events]

    def take(self, operation: str) -> Fault:
        """The fault that the operation meets now."""
        self.counts[operation] += 1
        if self._away:
            return unavailable()
        waiting = self._next.get(operation)
        if waiting:
            return waiting.popleft()
        return self._always.get(operation, Fault())

    async def meet(self, name: str, operation: Callable[[], Awaitable[R]]) -> R:
        """Do an operation with whatever goes wrong."""
        result: R = await self.take(name).around(operation)
        return result


class FaultyDatabase(Database, Faults):
    """Another database behind a plan of faults."""

    def __init__(self, inner: Database) -> None:
        Faults.__init__(self)
        self.inner = inner
        self.url = inner.url
        self.closed = False

    async def journal(self, name: str, shard_count: int) -> JournalStore:
        store = await self.meet("open_journal", lambda: self.inner.journal(name, shard_count))
        return FaultyJournal(store, self)

    def snapshots(self, journal: str) -> KeyValueStore:
        return FaultySnapshots(self.inner.snapshots(journal), self)

    @property
    def notes(self) -> NoteStore:
        return FaultyNotes(self.inner.notes, self)

    @property
    def offsets(self) -> OffsetStore:
        return FaultyOffsets(self.inner.offsets, self)

    @property
    def dead_letters(self) -> DeadLetterStore:
        return FaultyDeadLetters(self.inner.dead_letters, self)

    async def now(self) -> datetime:
        return await self.meet("now", self.inner.now)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        await self.meet("begin", _nothing)
        fault = self.take("commit")
        async with self.inner.transaction() as transaction:
            yield transaction
            if not isinstance(fault, FailsAfter):
                await fault.around(_nothing)
        if isinstance(fault, FailsAfter):
            await fault.around(_nothing)

    async def create_table(self, table: TableSpec) -> None:
        await self.meet("create_table", lambda: self.inner.create_table(table))

    async def tables_exist(self, names: Iterable[str]) -> set[str]:
        return await self.meet("tables_exist", lambda: self.inner.tables_exist(names))

    def scan(
        self,
        table: TableSpec,
        where: Mapping[str, Any] | None = None,
        *,
        up_to: tuple[str, Any] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[tuple[Any, ...]]:
        return self.inner.scan(table, where, up_to=up_to, order_by=order_by, limit=limit)

    async def close(self) -> None:
        self.closed = True
        await self.inner.close()


async def _nothing() -> None:
    """The operation itself happens elsewhere."""


class FaultyJournal(JournalStore):
    """A journal behind a plan of faults."""

    def __init__(self, inner: JournalStore, faults: Faults) -> None:
        self.inner = inner
        self.name, self.shard_count = inner.name, inner.shard_count
        self._faults = faults

    async def append(self, batch: Sequence[Append]) -> list[Appended | JournalError]:
        self._faults.batches.append(list(batch))
        fault = self._faults.take("append")
        while isinstance(fault, Gate):
            await fault.passed()
            fault = fault.then
        if isinstance(fault, Refuses):
            return await self._refuse(batch, fault)
        result: list[Appended | JournalError] = await fault.around(lambda: self.inner.append(batch))
        return result

    async def _refuse(self, batch: Sequence[Append], fault: Refuses) -> list[Appended | JournalError]:
        done = iter(await self.inner.append([append for append in batch if not fault.refuses(append)]))
        return [fault.error(append) if fault.refuses(append) else next(done) for append in batch]

    async def claim(self, shard: int, epoch: int) -> ShardHead:
        return await self._faults.meet("claim", lambda: self.inner.claim(shard, epoch))

    async def heads(self) -> list[ShardHead]:
        return await self._faults.meet("heads", self.inner.heads)

    async def read_entity(self, key: str, from_seq_nr: int, limit: int) -> list[StoredEvent]:
        read = self._faults.meet("read_entity", lambda: self.inner.read_entity(key, from_seq_nr, limit))
        return self._faults.as_read(await read)

    async def read_shards(self, after: Mapping[int, int], limit: int) -> list[StoredEvent]:
        read = self._faults.meet("read_shards", lambda: self.inner.read_shards(after, limit))
        return self._faults.as_read(await read)


class FaultySnapshots(KeyValueStore):
    """Snapshots behind a plan of faults."""

    def __init__(self, inner: KeyValueStore, faults: Faults) -> None:
        self.inner = inner
        self._faults = faults

    async def get(self, key: str) -> Snapshot | None:
        return await self._faults.meet("snapshot_get", lambda: self.inner.get(key))

    async def put(self, shard: int, epoch: int, snapshot: Snapshot) -> None:
        await self._faults.meet("snapshot_put", lambda: self.inner.put(shard, epoch, snapshot))

    async def delete(self, key: str) -> None:
        await self.inner.delete(key)


class FaultyNotes(NoteStore):
    """Notes behind a plan of faults."""

    def __init__(self, inner: NoteStore, faults: Faults) -> None:
        self.inner = inner
        self._faults = faults

    async def put(self, notes: Sequence[NewNote]) -> None:
        copied = tuple(notes)
        await self._faults.meet("notes_put", lambda: self.inner.put(copied))

    async def read(self, kinds: Sequence[str], prefix: str = "") -> list[Note]:
        copied = tuple(kinds)
        return await self._faults.meet("notes_read", lambda: self.inner.read(copied, prefix))

    async def delete(self, kind: str, names: Sequence[str]) -> None:
        copied = tuple(names)
        await self._faults.meet("notes_delete", lambda: self.inner.delete(kind, copied))


class FaultyOffsets(OffsetStore):
    """Offsets behind a plan of faults."""

    def __init__(self, inner: OffsetStore, faults: Faults) -> None:
        self.inner = inner
        self._faults = faults

    async def read(self, consumer: str) -> dict[str, ConsumerOffset]:
        return await self._faults.meet("offsets_read", lambda: self.inner.read(consumer))

    async def claim(self, consumer: str, tags: Sequence[str], epoch: int) -> dict[str, int]:
        return await self._faults.meet("offsets_claim", lambda: self.inner.claim(consumer, tags, epoch))

    async def commit(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        await self._faults.meet("offsets_commit", lambda: self.inner.commit(consumer, moves, epoch))


class FaultyDeadLetters(DeadLetterStore):
    """Dead letters behind a plan of faults."""

    def __init__(self, inner: DeadLetterStore, faults: Faults) -> None:
        self.inner = inner
        self._faults = faults

    async def list(self, consumer: str, limit: int = 1000, tag: str | None = None) -> builtins.list[DeadLetter]:
        return await self._faults.meet("letters_list", lambda: self.inner.list(consumer, limit, tag))

    async def ask_again(self, consumer: str, tag: str, offset: int) -> bool:
        return await self._faults.meet("letters_ask_again", lambda: self.inner.ask_again(consumer, tag, offset))

    async def asked(self, consumer: str, tags: Sequence[str], limit: int = 1000) -> builtins.list[DeadLetter]:
        return await self._faults.meet("letters_asked", lambda: self.inner.asked(consumer, tags, limit))
