"""The cluster store over a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self, TypeVar

from sharding.store.checking import (
    checked_allocations,
    checked_cluster,
    checked_deployment,
    checked_lease,
    checked_moves,
    checked_seat,
)
from sharding.store.contract import ClusterStore
from sharding.store.errors import NoSuchCluster
from sharding.store.postgres import changes
from sharding.store.postgres.address import Address
from sharding.store.postgres.lane import CHANGE, READ, Lane
from sharding.store.postgres.rows import Rows
from sharding.store.postgres.schema import ensure, is_there
from sharding.store.records import Allocation, Deployment, Hosting, Member, Picture, Seat

T = TypeVar("T")

CONNECTIONS = 2  # beside the one for renewals


class PostgresClusterStore(ClusterStore):
    """The store of one cluster in a PostgreSQL database. Opened by `open`; used from one event loop.

    A change is on the server's disk before it is answered. A lease is counted by the server's clock. Renewals have a
    connection of their own and wait for no other call.
    """

    def __init__(self, cluster: str, address: Address, limit: float) -> None:
        self.cluster = cluster
        self._renewals = Lane(address, 1, limit)
        self._others = Lane(address, CONNECTIONS, limit)

    @classmethod
    async def open(cls, url: str, cluster: str, *, create: bool = True, limit: float = 2.0) -> Self:
        """Open the database, creating the tables where they are missing.

        Args:
            url: `postgresql://user:password@host:port/database`, directly or through a pooler of transactions. Tables
                are in the first schema of the search path.
            cluster: the cluster's name; several may share the database.
            create: make what is missing, else write nothing.
            limit: seconds after which a call ends as `StoreUnavailable` or `StoreOutcomeUnknown`; keep it well below
                the lease.

        Raises:
            InvalidClusterName, InvalidStoreUrl: these cannot be.
            StoreUnavailable: the server cannot be reached.
            NoSuchCluster: the tables or the cluster are not there, and `create` is false.
            ClusterSchemaMismatch: the tables belong to a newer version of this package, or are missing and the role may
                not create them; without `create`, or are older.
        """
        if limit <= 0:
            raise ValueError("limit is more than 0 seconds")
        store = cls(checked_cluster(cluster), Address(url), limit)
        try:
            if create:
                await ensure(store._others)
                await store._change(lambda rows: rows.run("add_cluster"))
            elif not (await is_there(store._others) and await store._knows_cluster()):
                raise NoSuchCluster(cluster, store._others.where)
        except BaseException:
            await store.close()
            raise
        return store

    async def _knows_cluster(self) -> bool:
        found = await self._read(lambda rows: rows.run("moves"))
        return bool(found)

    async def join(self, seat: Seat, lease_seconds: float, *, replacing: int | None = None) -> Member:
        """See `ClusterStore.join`."""
        seat, lease_seconds = checked_seat(seat), checked_lease(lease_seconds)
        return await self._change(lambda rows: changes.join(rows, seat, lease_seconds, replacing))

    async def renew(self, incarnation: int, lease_seconds: float) -> Picture:
        """See `ClusterStore.renew`."""
        lease_seconds = checked_lease(lease_seconds)
        work = partial(self._on_rows, lambda rows: changes.renew(rows, incarnation, lease_seconds))
        return await self._renewals.transaction(CHANGE, work)

    async def picture(self) -> Picture:
        """See `ClusterStore.picture`."""
        return await self._read(Rows.picture)

    async def mark_leaving(self, incarnation: int) -> None:
        """See `ClusterStore.mark_leaving`."""
        await self._change(lambda rows: changes.mark_leaving(rows, incarnation))

    async def leave(self, incarnation: int) -> None:
        """See `ClusterStore.leave`."""
        await self._change(lambda rows: changes.leave(rows, incarnation))

    async def take_term(self, incarnation: int, seen: int, *, evidence: bool = False) -> int | None:
        """See `ClusterStore.take_term`."""
        return await self._change(lambda rows: changes.take_term(rows, incarnation, seen, evidence))

    async def resign(self, term: int) -> None:
        """See `ClusterStore.resign`."""
        await self._change(lambda rows: changes.resign(rows, term))

    async def note_moves(self, term: int, moves: Mapping[str, Sequence[int]]) -> None:
        """See `ClusterStore.note_moves`."""
        noted = checked_moves(moves)
        await self._change(lambda rows: changes.note_moves(rows, term, noted))

    async def moves(self) -> dict[str, list[int]]:
        """See `ClusterStore.moves`."""
        return await self._read(Rows.moves)

    async def declare_down(self, term: int, incarnation: int, *, evidence: bool = False) -> bool:
        """See `ClusterStore.declare_down`."""
        return await self._change(lambda rows: changes.declare_down(rows, term, incarnation, evidence))

    async def forget(self, term: int) -> None:
        """See `ClusterStore.forget`."""
        await self._change(lambda rows: changes.forget(rows, term))

    async def deploy(self, deployment: Deployment, *, host: int | None = None) -> None:
        """See `ClusterStore.deploy`."""
        checked_deployment(deployment)
        await self._change(lambda rows: changes.deploy(rows, deployment, host))

    async def unhost(self, name: str, incarnation: int) -> None:
        """See `ClusterStore.unhost`."""
        await self._change(lambda rows: changes.unhost(rows, name, incarnation))

    async def deployments(self) -> tuple[list[Deployment], list[Hosting]]:
        """See `ClusterStore.deployments`."""

        async def both(rows: Rows) -> tuple[list[Deployment], list[Hosting]]:
            found = sorted(Deployment(*row) for row in await rows.run("deployments"))
            return found, sorted(Hosting(*row) for row in await rows.run("hostings"))

        return await self._read(both)

    async def allocations(self, name: str) -> list[Allocation]:
        """See `ClusterStore.allocations`."""
        return [Allocation(*row) for row in await self._read(lambda rows: rows.run("allocations", name))]

    async def allocate(self, term: int, name: str, allocations: Sequence[Allocation]) -> None:
        """See `ClusterStore.allocate`."""
        checked_allocations(name, allocations)
        await self._change(lambda rows: changes.allocate(rows, term, name, allocations))

    async def close(self) -> None:
        """See `ClusterStore.close`. Calls that have begun are finished first, within their limit."""
        await self._renewals.close()
        await self._others.close()

    async def _read(self, work: Callable[[Rows], Awaitable[T]]) -> T:
        return await self._others.transaction(READ, partial(self._on_rows, work))

    async def _change(self, work: Callable[[Rows], Awaitable[T]]) -> T:
        return await self._others.transaction(CHANGE, partial(self._on_rows, work))

    async def _on_rows(self, work: Callable[[Rows], Awaitable[T]], connection: Any) -> T:
        return await work(Rows(connection, self.cluster))
