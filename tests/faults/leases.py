"""Which leases a node was given, for the checker: nothing may run there behind their end."""

from __future__ import annotations

from typing import Any

from sharding.store.contract import ClusterStore
from sharding.store.postgres import PostgresClusterStore
from sharding.store.records import Member, Picture, Seat
from sharding.store.sqlite import SqliteClusterStore
from tests.checker.files import Recorder
from tests.checker.records import Leased
from tests.faults.setting import now


def record_leases(record: Recorder, life: str) -> None:
    """Have this process record each lease when it hears of it, as long as it can be: it began a little earlier."""
    for store in (PostgresClusterStore, SqliteClusterStore):
        _record(store, record, life)


def _record(store: type[ClusterStore], record: Recorder, life: str) -> None:
    join: Any = store.join
    renew: Any = store.renew

    async def recorded_join(
        self: ClusterStore, seat: Seat, lease_seconds: float, *, replacing: int | None = None
    ) -> Member:
        member: Member = await join(self, seat, lease_seconds, replacing=replacing)
        record(Leased(now(), life, now() + lease_seconds))
        return member

    async def recorded_renewal(self: ClusterStore, incarnation: int, lease_seconds: float) -> Picture:
        picture: Picture = await renew(self, incarnation, lease_seconds)
        record(Leased(now(), life, now() + lease_seconds))
        return picture

    setattr(store, "join", recorded_join)  # noqa: B010 - mypy refuses an assignment to a method
    setattr(store, "renew", recorded_renewal)  # noqa: B010
