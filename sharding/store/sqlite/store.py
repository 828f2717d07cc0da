"""The cluster store over one SQLite file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Self, TypeVar

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
from sharding.store.records import Allocation, Deployment, Hosting, Member, Picture, Seat
from sharding.store.sqlite import changes
from sharding.store.sqlite.file import SqliteFile
from sharding.store.sqlite.moment import Moment, machine_moment
from sharding.store.sqlite.rows import Rows
from sharding.store.sqlite.schema import is_there, upgrade
from sharding.store.sqlite.thread import FileThread

T = TypeVar("T")


class SqliteClusterStore(ClusterStore):
    """The store of a cluster whose processes are on one machine. Opened by `open`; used from one event loop.

    A change is on the disk before it is answered, and one process writes at a time. A lease is counted by the machine's
    time since its start: setting the clock does not touch it, and it is over when the machine starts anew.
    """

    on_one_machine = True

    def __init__(self, cluster: str, thread: FileThread, clock: Callable[[], Moment]) -> None:
        self.cluster = cluster
        self._thread = thread
        self._clock = clock

    @classmethod
    async def open(
        cls,
        path: str | os.PathLike[str],
        cluster: str,
        *,
        create: bool = True,
        busy_timeout: float = 2.0,
        clock: Callable[[], Moment] = machine_moment,
    ) -> Self:
        """Open the file, creating it and its tables where they are missing.

        Args:
            path: a file of its own on a local disk, not the journal's.
            cluster: the cluster's name; several may share the file.
            create: make what is missing, else write nothing.
            busy_timeout: seconds to wait for other processes that write; then a call is `StoreUnavailable`.
            clock: the same for all processes that use the file.

        Raises:
            InvalidClusterName: a cluster cannot be called that.
            StoreUnavailable: the file cannot be opened.
            NoSuchCluster: the file or the cluster is not there, and `create` is false.
            ClusterSchemaMismatch: the file belongs to a newer version of this package; without `create`, to an older
                one as well.
        """
        file = SqliteFile.at(path, busy_timeout, is_read_only=not create)
        store = cls(checked_cluster(cluster), FileThread(file), clock)
        try:
            if create:
                await store._thread.change(partial(upgrade, where=str(file)))
                await store._change(lambda rows: rows.run("add_cluster"))
            elif not (await asyncio.to_thread(os.path.exists, file.path) and await store._is_there(str(file))):
                raise NoSuchCluster(cluster, str(file))
        except BaseException:
            await store.close()
            raise
        return store

    async def _is_there(self, where: str) -> bool:
        return await self._read(partial(is_there, where=where))

    async def join(self, seat: Seat, lease_seconds: float, *, replacing: int | None = None) -> Member:
        """See `ClusterStore.join`."""
        seat, lease_seconds = checked_seat(seat), checked_lease(lease_seconds)
        return await self._change(lambda rows: changes.join(rows, seat, lease_seconds, replacing))

    async def renew(self, incarnation: int, lease_seconds: float) -> Picture:
        """See `ClusterStore.renew`."""
        lease_seconds = checked_lease(lease_seconds)
        return await self._change(lambda rows: changes.renew(rows, incarnation, lease_seconds))

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
        return await self._read(Rows.deployments)

    async def allocations(self, name: str) -> list[Allocation]:
        """See `ClusterStore.allocations`."""
        return await self._read(lambda rows: [Allocation(*row) for row in rows.run("allocations", name=name)])

    async def allocate(self, term: int, name: str, allocations: Sequence[Allocation]) -> None:
        """See `ClusterStore.allocate`."""
        checked_allocations(name, allocations)
        await self._change(lambda rows: changes.allocate(rows, term, name, allocations))

    async def close(self) -> None:
        """See `ClusterStore.close`. Changes that have begun are finished first."""
        await self._thread.close()

    async def _read(self, work: Callable[[Rows], T]) -> T:
        return await self._thread.read(lambda connection: work(self._rows(connection)))

    async def _change(self, work: Callable[[Rows], T]) -> T:
        return await self._thread.change(lambda connection: work(self._rows(connection)))

    def _rows(self, connection: sqlite3.Connection) -> Rows:
        return Rows(connection, self.cluster, self._clock())
