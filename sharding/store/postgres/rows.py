"""The rows of one cluster, inside one transaction."""

from __future__ import annotations

import json
from typing import Any

from sharding.store.errors import LeaseLost, StoreUnavailable, TermOver
from sharding.store.postgres.lane import PACKAGE
from sharding.store.records import DOWN, Deployment, Member, Picture, Seat
from sharding.store.scripts import statements


class Rows:
    """What one transaction reads and writes of one cluster.

    Args:
        connection: with the transaction open.
        cluster: its name.
    """

    def __init__(self, connection: Any, cluster: str) -> None:
        self.cluster = cluster
        self._connection = connection

    async def run(self, statement: str, *values: Any) -> list[Any]:
        """Run the statement of that name with the cluster and `values` as its parameters, and return its rows."""
        sql = statements(PACKAGE)[statement]
        rows: list[Any] = await self._connection.fetch(sql, self.cluster, *values)
        return rows

    async def lock(self) -> tuple[int, int | None]:
        """The term and who holds it, locked: until the transaction ends nobody changes it, nor joins, nor leaves."""
        for term, coordinator in await self.run("lock_term"):
            return term, coordinator
        raise self._is_gone()

    async def lock_term(self, term: int) -> None:
        """Lock as `lock` does, and do nothing else while `term` is the current one.

        Raises:
            TermOver: it is not.
        """
        current, _ = await self.lock()
        if term != current:
            raise TermOver(self.cluster, term, current)

    async def moves(self) -> dict[str, list[int]]:
        """The shards under way, by type."""
        for (text,) in await self.run("moves"):
            moves: dict[str, list[int]] = json.loads(text)
            return moves
        raise self._is_gone()

    async def member(self, incarnation: int) -> Member | None:
        """One member, if it is there; locked, so that its lease stays as it is."""
        return next((member(*row) for row in await self.run("member", incarnation)), None)

    async def living(self, incarnation: int) -> Member:
        """One member that is not `DOWN`, locked.

        Raises:
            LeaseLost: it is, or is forgotten.
        """
        found = await self.member(incarnation)
        if found is None or found.state == DOWN:
            raise LeaseLost(self.cluster, incarnation)
        return found

    async def add_member(self, seat: Seat, lease_seconds: float) -> Member:
        """A new member under the next incarnation."""
        node, host, port, weight, roles = seat
        ((incarnation,),) = await self.run("next_incarnation")
        values = (incarnation, node, host, port, weight, json.dumps(roles), lease_seconds)
        ((left,),) = await self.run("add_member", *values)
        return Member(node, incarnation, host, port, weight, roles, "up", left)

    async def picture(self) -> Picture:
        """Members and term, from one snapshot."""
        rows = await self.run("picture")
        if not rows:
            raise self._is_gone()
        members = tuple(member(*row[2:]) for row in rows if row["incarnation"] is not None)
        return Picture(members, rows[0]["term"], rows[0]["coordinator"])

    async def deployment(self, name: str) -> Deployment | None:
        """A type, if it is deployed."""
        return next((Deployment(*row) for row in await self.run("deployment", name)), None)

    def _is_gone(self) -> StoreUnavailable:
        return StoreUnavailable(f"cluster {self.cluster!r} is not in the tables any more: open the store anew")


def member(*row: Any) -> Member:
    """A member from its row."""
    node, incarnation, host, port, weight, roles, state, left = row
    return Member(node, incarnation, host, port, weight, tuple(json.loads(roles)), state, left)
