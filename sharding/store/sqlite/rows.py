"""The rows of one cluster, inside one transaction."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from sharding.store.errors import LeaseLost, TermOver
from sharding.store.records import DOWN, Deployment, Hosting, Member, Picture, Seat
from sharding.store.scripts import statements
from sharding.store.sqlite.moment import Moment, lease_left


class Rows:
    """What one transaction reads and writes of one cluster.

    Args:
        connection: with the transaction open.
        cluster: its name.
        now: read after the transaction began, so that whoever waited for the file's lock does not judge leases by the
            time before the wait.
    """

    def __init__(self, connection: sqlite3.Connection, cluster: str, now: Moment) -> None:
        self.cluster = cluster
        self.now = now
        self._connection = connection

    def run(self, statement: str, /, **values: Any) -> sqlite3.Cursor:
        """Run the statement of that name with the cluster and `values` as its parameters."""
        sql = statements("sharding.store.sqlite")[statement]
        return self._connection.execute(sql, {"cluster": self.cluster, **values})

    def tables_version(self) -> int:
        """The version of the tables; 0 when there are none."""
        if not self.run("version_exists").fetchone()[0]:
            return 0
        version: int = self.run("version").fetchone()[0]
        return version

    def members(self) -> tuple[Member, ...]:
        """All members, by incarnation."""
        return tuple(self._member(*row) for row in self.run("members"))

    def member(self, incarnation: int) -> Member | None:
        """One member, if it is there."""
        return next((member for member in self.members() if member.incarnation == incarnation), None)

    def living(self, incarnation: int) -> Member:
        """One member that is not `DOWN`.

        Raises:
            LeaseLost: it is, or is forgotten.
        """
        member = self.member(incarnation)
        if member is None or member.state == DOWN:
            raise LeaseLost(self.cluster, incarnation)
        return member

    def add_member(self, seat: Seat, lease_seconds: float) -> Member:
        """A new member under the next incarnation."""
        ((incarnation,),) = self.run("next_incarnation").fetchall()
        fields = seat._asdict() | {"roles": json.dumps(seat.roles)}
        self.run("add_member", incarnation=incarnation, **fields, **self._lease(lease_seconds))
        return Member(seat.node, incarnation, *seat[1:], "up", lease_seconds)

    def set_lease(self, incarnation: int, lease_seconds: float) -> None:
        """Let a lease run from now; 0 ends it."""
        self.run("set_lease", incarnation=incarnation, **self._lease(lease_seconds))

    def set_state(self, incarnation: int, state: str) -> None:
        """Change a member's state."""
        self.run("set_state", incarnation=incarnation, state=state)

    def term(self) -> tuple[int, int | None]:
        """The term, and who holds it."""
        ((term, coordinator),) = self.run("term").fetchall()
        return term, coordinator

    def set_term(self, term: int, coordinator: int | None) -> None:
        """Change the term, or who holds it."""
        self.run("set_term", term=term, coordinator=coordinator)

    def check_term(self, term: int) -> None:
        """Do nothing while `term` is the current one.

        Raises:
            TermOver: it is not.
        """
        current, _ = self.term()
        if term != current:
            raise TermOver(self.cluster, term, current)

    def moves(self) -> dict[str, list[int]]:
        """The shards under way, by type."""
        ((text,),) = self.run("moves").fetchall()
        moves: dict[str, list[int]] = json.loads(text)
        return moves

    def picture(self) -> Picture:
        """Members and term."""
        return Picture(self.members(), *self.term())

    def deployment(self, name: str) -> Deployment | None:
        """A type, if it is deployed."""
        return next((_deployment(*row) for row in self.run("deployment", name=name)), None)

    def hosts(self, name: str) -> list[Member]:
        """The members that host the type and are not `DOWN`."""
        hosts = {incarnation for hosted, incarnation in self.run("hostings") if hosted == name}
        return [member for member in self.members() if member.incarnation in hosts and member.state != DOWN]

    def deployments(self) -> tuple[list[Deployment], list[Hosting]]:
        """All types, and who hosts them."""
        found = sorted(_deployment(*row) for row in self.run("deployments"))
        return found, sorted(Hosting(*row) for row in self.run("hostings"))

    def _lease(self, seconds: float) -> dict[str, Any]:
        boot, now = self.now
        return {"boot": boot, "now": now, "lease_end": now + seconds}

    def _member(self, *row: Any) -> Member:
        node, incarnation, host, port, weight, roles, state, boot, start, end = row
        left = lease_left(boot, start, end, self.now)
        return Member(node, incarnation, host, port, weight, tuple(json.loads(roles)), state, left)


def _deployment(name: str, kind: str, shard_count: int, patient: int) -> Deployment:
    return Deployment(name, kind, shard_count, bool(patient))
