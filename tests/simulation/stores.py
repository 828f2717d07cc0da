"""The cluster store and the journal's database, as nodes of a simulation reach them: over a `StoreServer`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeVar

from journal.contract import Database, Transaction
from journal.errors import OutcomeUnknown, Unavailable
from journal.records import ConsumerOffset, DeadLetter, NewNote, Note, OffsetMove, TableSpec
from sharding.store.contract import ClusterStore
from sharding.store.errors import StoreOutcomeUnknown, StoreUnavailable
from sharding.store.records import Allocation, Deployment, Hosting, Member, Picture, Seat
from tests.faulty_store import Fault, FaultyDatabase, Gate, Refuses
from tests.simulation.nodes import Node, current_node
from tests.simulation.server import Errors, StoreServer

R = TypeVar("R")

_JOURNAL_ERRORS: Final = Errors(Unavailable, OutcomeUnknown)
_CLUSTER_ERRORS: Final = Errors(StoreUnavailable, StoreOutcomeUnknown)
_READS: Final = frozenset(
    {
        "heads",
        "read_entity",
        "read_shards",
        "snapshot_get",
        "notes_read",
        "offsets_read",
        "letters_list",
        "letters_asked",
        "now",
        "tables_exist",
    }
)


class SimClusterStore(ClusterStore):
    """A cluster store behind a server."""

    def __init__(self, inner: ClusterStore, server: StoreServer) -> None:
        self.inner, self.server = inner, server
        self.cluster = inner.cluster

    async def _read(self, operation: Callable[[], Awaitable[R]]) -> R:
        return await self.server.run(operation, _CLUSTER_ERRORS, writes=False)

    async def _write(self, operation: Callable[[], Awaitable[R]]) -> R:
        return await self.server.run(operation, _CLUSTER_ERRORS, writes=True)

    async def join(self, seat: Seat, lease_seconds: float, *, replacing: int | None = None) -> Member:
        return await self._write(lambda: self.inner.join(seat, lease_seconds, replacing=replacing))

    async def renew(self, incarnation: int, lease_seconds: float) -> Picture:
        return await self._write(lambda: self.inner.renew(incarnation, lease_seconds))

    async def picture(self) -> Picture:
        return await self._read(self.inner.picture)

    async def mark_leaving(self, incarnation: int) -> None:
        await self._write(lambda: self.inner.mark_leaving(incarnation))

    async def leave(self, incarnation: int) -> None:
        await self._write(lambda: self.inner.leave(incarnation))

    async def take_term(self, incarnation: int, seen: int, *, evidence: bool = False) -> int | None:
        return await self._write(lambda: self.inner.take_term(incarnation, seen, evidence=evidence))

    async def resign(self, term: int) -> None:
        await self._write(lambda: self.inner.resign(term))

    async def note_moves(self, term: int, moves: Mapping[str, Sequence[int]]) -> None:
        copied = {name: tuple(shards) for name, shards in moves.items()}
        await self._write(lambda: self.inner.note_moves(term, copied))

    async def moves(self) -> dict[str, list[int]]:
        return await self._read(self.inner.moves)

    async def declare_down(self, term: int, incarnation: int, *, evidence: bool = False) -> bool:
        return await self._write(lambda: self.inner.declare_down(term, incarnation, evidence=evidence))

    async def forget(self, term: int) -> None:
        await self._write(lambda: self.inner.forget(term))

    async def deploy(self, deployment: Deployment, *, host: int | None = None) -> None:
        await self._write(lambda: self.inner.deploy(deployment, host=host))

    async def unhost(self, name: str, incarnation: int) -> None:
        await self._write(lambda: self.inner.unhost(name, incarnation))

    async def deployments(self) -> tuple[list[Deployment], list[Hosting]]:
        return await self._read(self.inner.deployments)

    async def allocations(self, name: str) -> list[Allocation]:
        return await self._read(lambda: self.inner.allocations(name))

    async def allocate(self, term: int, name: str, allocations: Sequence[Allocation]) -> None:
        copied = tuple(allocations)
        await self._write(lambda: self.inner.allocate(term, name, copied))

    async def close(self) -> None:
        """The node's connections; the store lives on."""


class SimDatabase(FaultyDatabase):
    """A database behind a server. Faults can be scripted too, as with any `FaultyDatabase`: they happen at the server.

    Every node may have one object of it, or all the same.
    """

    def __init__(self, inner: Database, server: StoreServer) -> None:
        super().__init__(inner)
        self.server = server
        self._sessions: dict[_Session, None] = {}
        server.network.loop.on_crash(self._crashed)

    def take(self, operation: str) -> Fault:
        fault = super().take(operation)
        return fault if isinstance(fault, Gate | Refuses) else _Served(self.server, fault, operation not in _READS)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        return self._served_transaction()

    @asynccontextmanager
    async def _served_transaction(self) -> AsyncIterator[Transaction]:
        self.counts["begin"] += 1
        session = _Session(self, self.inner.transaction())
        self._sessions[session] = None
        try:
            await self.run(session.begin, writes=False)
            yield _ServedTransaction(session)
            await self.run(session.commit, writes=True)
        finally:
            self.abandon(session)

    async def run(self, operation: Callable[[], Awaitable[R]], *, writes: bool) -> R:
        """Have it done at the server."""
        return await self.server.run(operation, _JOURNAL_ERRORS, writes=writes)

    def abandon(self, session: _Session) -> None:
        """Its connection ends; the server rolls back what is open, when it hears of that."""
        if self._sessions.pop(session, session) is None:
            loop = self.server.network.loop
            self.server.post(session.owner, lambda: loop.create_task(session.end()))

    def _crashed(self, node: Node) -> None:
        for session in [each for each in self._sessions if each.node is node]:
            self.abandon(session)

    async def create_table(self, table: TableSpec) -> None:
        await self.run(lambda: self.inner.create_table(table), writes=True)

    async def scan(
        self,
        table: TableSpec,
        where: Mapping[str, Any] | None = None,
        *,
        up_to: tuple[str, Any] | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[tuple[Any, ...]]:
        async def rows() -> list[tuple[Any, ...]]:
            scan = self.inner.scan(table, where, up_to=up_to, order_by=order_by, limit=limit)
            return [row async for row in scan]

        for row in await self.run(rows, writes=False):
            yield row

    async def close(self) -> None:
        """The node's connections; the database lives on."""


class _Served(Fault):
    """What is asked for happens at the server, and meets `fault` there."""

    def __init__(self, server: StoreServer, fault: Fault, writes: bool) -> None:
        self._server, self._fault, self._writes = server, fault, writes

    async def around(self, operation: Callable[[], Awaitable[Any]]) -> Any:
        return await self._server.run(lambda: self._fault.around(operation), _JOURNAL_ERRORS, writes=self._writes)


class _Session:
    """A transaction at the server, which outlives whoever began it until the server hears of that."""

    def __init__(self, database: SimDatabase, block: AbstractAsyncContextManager[Transaction]) -> None:
        self.database, self._block = database, block
        self.node = current_node()
        self.owner = "world" if self.node is None else self.node.name
        self._transaction: Transaction | None = None
        self._ended = False

    async def begin(self) -> None:
        transaction = await self._block.__aenter__()
        if self._ended:
            await self._roll_back()
        self._transaction = transaction

    async def commit(self) -> None:
        self._running()
        self._ended = True
        await self._block.__aexit__(None, None, None)

    async def end(self) -> None:
        if not self._ended:
            self._ended = True
            if self._transaction is not None:
                await self._roll_back()

    async def _roll_back(self) -> None:
        gone = Unavailable("the client is gone")
        try:
            await self._block.__aexit__(type(gone), gone, None)
        except Unavailable as error:
            if error is not gone:
                raise

    async def call(self, operation: Callable[[Transaction], Awaitable[R]]) -> R:
        async def here() -> R:
            return await operation(self._running())

        return await self.database.run(here, writes=False)

    def _running(self) -> Transaction:
        if self._transaction is None or self._ended:
            raise Unavailable("the transaction was rolled back")
        return self._transaction


class _ServedTransaction(Transaction):
    def __init__(self, session: _Session) -> None:
        self._session = session

    async def execute(self, sql: str, *arguments: Any) -> None:
        await self._session.call(lambda inner: inner.execute(sql, *arguments))

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        copied = list(rows)
        await self._session.call(lambda inner: inner.execute_many(sql, copied))

    async def fetch(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return await self._session.call(lambda inner: inner.fetch(sql, *arguments))

    async def get_note(self, kind: str, name: str) -> Note | None:
        return await self._session.call(lambda inner: inner.get_note(kind, name))

    async def put_note(self, note: NewNote) -> None:
        await self._session.call(lambda inner: inner.put_note(note))

    async def delete_note(self, kind: str, name: str) -> None:
        await self._session.call(lambda inner: inner.delete_note(kind, name))

    async def move_offsets(self, consumer: str, moves: Sequence[OffsetMove], epoch: int) -> None:
        copied = tuple(moves)
        await self._session.call(lambda inner: inner.move_offsets(consumer, copied, epoch))

    async def read_offsets(self, consumer: str) -> dict[str, ConsumerOffset]:
        return await self._session.call(lambda inner: inner.read_offsets(consumer))

    async def place_offsets(self, consumer: str, offsets: Mapping[str, int]) -> None:
        copied = dict(offsets)
        await self._session.call(lambda inner: inner.place_offsets(consumer, copied))

    async def forget_offsets(self, consumer: str) -> None:
        await self._session.call(lambda inner: inner.forget_offsets(consumer))

    async def set_aside(self, letter: DeadLetter) -> None:
        await self._session.call(lambda inner: inner.set_aside(letter))

    async def settle_letter(self, consumer: str, tag: str, offset: int) -> bool:
        return await self._session.call(lambda inner: inner.settle_letter(consumer, tag, offset))

    async def forget_letters(self, consumer: str, tag: str, after: int) -> int:
        return await self._session.call(lambda inner: inner.forget_letters(consumer, tag, after))

    async def hand_over_letters(self, consumer: str, to: str) -> int:
        return await self._session.call(lambda inner: inner.hand_over_letters(consumer, to))

    async def get_rows(self, table: TableSpec, keys: Sequence[str]) -> dict[str, tuple[Any, ...]]:
        copied = tuple(keys)
        return await self._session.call(lambda inner: inner.get_rows(table, copied))

    async def put_rows(self, table: TableSpec, rows: Sequence[tuple[Any, ...]]) -> None:
        copied = tuple(rows)
        await self._session.call(lambda inner: inner.put_rows(table, copied))

    async def delete_rows(self, table: TableSpec, keys: Sequence[str]) -> None:
        copied = tuple(keys)
        await self._session.call(lambda inner: inner.delete_rows(table, copied))

    async def rename_table(self, old: str, new: str) -> None:
        await self._session.call(lambda inner: inner.rename_table(old, new))

    async def drop_table(self, name: str) -> None:
        await self._session.call(lambda inner: inner.drop_table(name))
