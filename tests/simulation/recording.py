"""Records for the checker, taken where things happen: at the store's machine, and where nodes are struck."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from journal.contract import Database, JournalStore, OffsetStore, Transaction
from journal.records import Append, Appended, OffsetMove
from sharding.store.contract import ClusterStore
from sharding.store.records import DOWN, Allocation
from tests.checker.records import Buried, Claimed, Crashed, Effect, Leased, Moved, Paused, Record, Resumed
from tests.simulation.nodes import Node
from tests.simulation.world import Ports, World

TICKS = "ticks"  # the deployment whose processes move nothing but their cursors, each time to do something once


class Log:
    """The records of one run.

    Attributes:
        records: in the order in which they were made.
        written: when, and by which node, each event was committed, by journal, shard and offset.
        lives: which node each incarnation is.
        newest: by node, the incarnation that it was given last, whether it has heard of that yet or not.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.written: dict[tuple[str, int, int], tuple[float, str]] = {}
        self.lives: dict[int, str] = {}
        self.newest: dict[str, int] = {}
        self.now: Callable[[], float] = lambda: 0.0

    def __call__(self, record: Record) -> None:
        """Keep a record."""
        self.records.append(record)

    def watch(self, ports: Ports, life: str) -> None:
        """Record what a node has done by its stores, from now on."""
        ports.database.inner = cast(Database, _Database(ports.database.inner, self, life))
        ports.cluster_store.inner = cast(ClusterStore, _Members(ports.cluster_store.inner, self, life))


class RecordedWorld(World):
    """A world whose faults are in the log."""

    log: Log

    def record_in(self, log: Log) -> None:
        """Record from now on."""
        self.log, log.now = log, lambda: self.loop.now
        self.loop.on_crash(self._crashed)

    def _crashed(self, node: Node) -> None:
        self.log(Crashed(self.loop.now, str(node)))

    def freeze(self, name: str) -> None:
        """See `World.freeze`."""
        if self.alive(name):
            self.log(Paused(self.loop.now, str(self.loop.node(name))))
        super().freeze(name)

    def thaw(self, name: str) -> None:
        """See `World.thaw`."""
        if self.alive(name) and self.loop.node(name).frozen:
            self.log(Resumed(self.loop.now, str(self.loop.node(name))))
        super().thaw(name)


class _Passing:
    """Another object with some of its methods watched; it has all that the other has."""

    def __init__(self, inner: Any, log: Log, life: str) -> None:
        self._inner, self._log, self._life = inner, log, life

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Database(_Passing):
    async def journal(self, name: str, shard_count: int) -> JournalStore:
        return cast(JournalStore, _Journal(await self._inner.journal(name, shard_count), self._log, self._life))

    @property
    def offsets(self) -> OffsetStore:
        return cast(OffsetStore, _Offsets(self._inner.offsets, self._log, self._life))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._inner.transaction() as inner:
            recorded = _Transaction(inner, self._log, self._life)
            yield cast(Transaction, recorded)
        recorded.committed()


class _Journal(_Passing):
    async def append(self, batch: Sequence[Append]) -> Any:
        outcomes = await self._inner.append(batch)
        for append, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Appended):
                for offset in range(outcome.last_offset - len(append.events) + 1, outcome.last_offset + 1):
                    place = (self._inner.name, append.shard, offset)
                    self._log.written[place] = (self._log.now(), self._life)
        return outcomes

    async def claim(self, shard: int, epoch: int) -> Any:
        head = await self._inner.claim(shard, epoch)
        self._log(Claimed(self._log.now(), self._inner.name, shard, epoch, self._life))
        return head


class _Offsets(_Passing):
    async def claim(self, consumer: str, tags: Sequence[str], epoch: int) -> Any:
        offsets = await self._inner.claim(consumer, tags, epoch)
        for tag in tags:
            self._log(Claimed(self._log.now(), consumer, _shard(tag), epoch, self._life))
        return offsets

    async def commit(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        await self._inner.commit(consumer, moves, epoch)
        _record_moves(self._log, self._life, consumer, moves, epoch)


class _Transaction(_Passing):
    def __init__(self, inner: Any, log: Log, life: str) -> None:
        super().__init__(inner, log, life)
        self._moves: list[tuple[str, Sequence[OffsetMove], int]] = []

    async def move_offsets(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        await self._inner.move_offsets(consumer, moves, epoch)
        self._moves.append((consumer, moves, epoch))

    def committed(self) -> None:
        for consumer, moves, epoch in self._moves:
            _record_moves(self._log, self._life, consumer, moves, epoch)


def _record_moves(log: Log, life: str, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
    for tag, before, after in moves:
        if consumer == TICKS:
            log(Effect(log.now(), consumer, _shard(tag), life, epoch, f"{tag} {after}"))
        else:
            log(Moved(log.now(), consumer, _shard(tag), before, after, epoch, life))


def _shard(tag: str) -> int:
    return int(tag.rpartition("-")[2])


class _Members(_Passing):
    """The memory's methods wait for nothing, so what is looked up before a change is as it was at the change."""

    async def join(self, seat: Any, lease_seconds: float, *, replacing: int | None = None) -> Any:
        replaced = await self._living(replacing)
        member = await self._inner.join(seat, lease_seconds, replacing=replacing)
        self._log.lives[member.incarnation] = self._life
        self._log.newest[self._life] = member.incarnation
        self._log(Leased(self._log.now(), self._life, self._log.now() + member.lease_left))
        if replaced not in (None, self._life):
            self._log(Buried(self._log.now(), str(replaced)))
        return member

    async def renew(self, incarnation: int, lease_seconds: float) -> Any:
        picture = await self._inner.renew(incarnation, lease_seconds)
        self._log(Leased(self._log.now(), self._life, self._log.now() + lease_seconds))
        return picture

    async def take_term(self, incarnation: int, seen: int, *, evidence: bool = False) -> Any:
        holder = await self._living((await self._inner.picture()).coordinator)
        term = await self._inner.take_term(incarnation, seen, evidence=evidence)
        if term is not None:
            self._log(Claimed(self._log.now(), "coordinator", 0, term, self._life))
            if evidence and holder is not None:
                self._log(Buried(self._log.now(), holder))
        return term

    async def allocate(self, term: int, name: str, allocations: Sequence[Allocation]) -> None:
        """A coordinator is a process whose epoch is the term; it gives each epoch of a shard away once."""
        await self._inner.allocate(term, name, allocations)
        for shard, _, epoch in allocations:
            self._log(Effect(self._log.now(), "coordinator", 0, self._life, term, f"{name} {shard} epoch {epoch}"))

    async def declare_down(self, term: int, incarnation: int, *, evidence: bool = False) -> Any:
        life = await self._living(incarnation)
        down = await self._inner.declare_down(term, incarnation, evidence=evidence)
        if down and evidence and life is not None:
            self._log(Buried(self._log.now(), life))
        return down

    async def _living(self, incarnation: int | None) -> str | None:
        """Which node an incarnation is, if it is a member whose lease runs, and its newest."""
        for member in (await self._inner.picture()).members:
            if member.incarnation == incarnation and member.state != DOWN and member.lease_left > 0:
                life = self._log.lives.get(member.incarnation)
                return life if life is not None and self._log.newest.get(life) == incarnation else None
        return None
