"""A cluster store in the memory of one process: for tests, simulation and clusters of one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sharding.store.checking import (
    check_same,
    check_shards,
    checked_allocations,
    checked_cluster,
    checked_deployment,
    checked_lease,
    checked_moves,
    checked_seat,
)
from sharding.store.contract import ClusterStore
from sharding.store.errors import EpochNotNewer, LeaseLost, NodeNameTaken, TermOver
from sharding.store.records import DOWN, LEAVING, UP, Allocation, Deployment, Hosting, Member, Picture, Seat


class _Row:
    """A member as kept: `lease_end` is a time of the store's clock."""

    __slots__ = ("incarnation", "lease_end", "seat", "state")

    def __init__(self, seat: Seat, incarnation: int, lease_end: float) -> None:
        self.seat, self.incarnation, self.lease_end = seat, incarnation, lease_end
        self.state = UP


class MemoryClusterStore(ClusterStore):
    """The store of one cluster, lost with the process. All nodes of the cluster share the one object.

    No method waits for anything, so each is one step of the event loop.

    Args:
        cluster: its name.
        clock: seconds that never go back.

    Raises:
        InvalidClusterName: a cluster cannot be called that.
    """

    on_one_machine = True

    def __init__(self, cluster: str, *, clock: Callable[[], float]) -> None:
        self.cluster = checked_cluster(cluster)
        self._clock = clock
        self._members: dict[int, _Row] = {}
        self._last_incarnation = 0
        self._term = 0
        self._coordinator: int | None = None
        self._moves: dict[str, list[int]] = {}
        self._deployments: dict[str, Deployment] = {}
        self._hostings: set[Hosting] = set()
        self._allocations: dict[str, dict[int, Allocation]] = {}

    async def join(self, seat: Seat, lease_seconds: float, *, replacing: int | None = None) -> Member:
        """See `ClusterStore.join`."""
        seat, lease_seconds, now = checked_seat(seat), checked_lease(lease_seconds), self._clock()
        for row in self._members.values():
            if row.seat.node == seat.node and row.state != DOWN:
                if row.incarnation != replacing and row.lease_end > now:
                    raise self._taken(row, now)
                row.state = DOWN
        self._last_incarnation += 1
        row = _Row(seat, self._last_incarnation, now + lease_seconds)
        self._members[row.incarnation] = row
        return _member(row, now)

    async def renew(self, incarnation: int, lease_seconds: float) -> Picture:
        """See `ClusterStore.renew`."""
        lease_seconds, now = checked_lease(lease_seconds), self._clock()
        self._living(incarnation).lease_end = now + lease_seconds
        return self._picture(now)

    async def picture(self) -> Picture:
        """See `ClusterStore.picture`."""
        return self._picture(self._clock())

    async def mark_leaving(self, incarnation: int) -> None:
        """See `ClusterStore.mark_leaving`."""
        row = self._members.get(incarnation)
        if row is not None and row.state == UP:
            row.state = LEAVING

    async def leave(self, incarnation: int) -> None:
        """See `ClusterStore.leave`."""
        row = self._members.get(incarnation)
        if row is not None:
            row.state = DOWN
            row.lease_end = min(row.lease_end, self._clock())
            if self._coordinator == incarnation:
                self._set_term(self._term, None)

    async def take_term(self, incarnation: int, seen: int, *, evidence: bool = False) -> int | None:
        """See `ClusterStore.take_term`."""
        taker = self._members.get(incarnation)
        if self._term != seen or taker is None or taker.state != UP or self._is_held(evidence):
            return None
        self._set_term(seen + 1, incarnation)
        return self._term

    async def resign(self, term: int) -> None:
        """See `ClusterStore.resign`."""
        if term == self._term:
            self._set_term(term, None)

    async def note_moves(self, term: int, moves: Mapping[str, Sequence[int]]) -> None:
        """See `ClusterStore.note_moves`."""
        noted = checked_moves(moves)
        self._check_term(term)
        self._moves = noted

    async def moves(self) -> dict[str, list[int]]:
        """See `ClusterStore.moves`."""
        return {name: list(shards) for name, shards in self._moves.items()}

    async def declare_down(self, term: int, incarnation: int, *, evidence: bool = False) -> bool:
        """See `ClusterStore.declare_down`."""
        self._check_term(term)
        row = self._members.get(incarnation)
        if row is None:
            return True
        if evidence or row.lease_end <= self._clock():
            row.state = DOWN
        return row.state == DOWN

    async def forget(self, term: int) -> None:
        """See `ClusterStore.forget`."""
        self._check_term(term)
        now = self._clock()
        owners = {allocation.owner for shards in self._allocations.values() for allocation in shards.values()}
        for row in list(self._members.values()):
            if row.state == DOWN and row.lease_end <= now and row.incarnation not in owners:
                del self._members[row.incarnation]
        self._hostings = {hosting for hosting in self._hostings if hosting.incarnation in self._members}

    async def deploy(self, deployment: Deployment, *, host: int | None = None) -> None:
        """See `ClusterStore.deploy`."""
        stored = self._deployments.get(deployment.name, checked_deployment(deployment))
        hosts = self._hosts(deployment.name)
        if stored != deployment:
            now = self._clock()
            check_same(self.cluster, stored, deployment, [_member(row, now) for row in hosts], host)
        if host is not None:
            self._living(host)
            self._hostings.add(Hosting(deployment.name, host))
        if stored != deployment:
            for row in hosts:
                row.state = DOWN
            self._disown(deployment.name, deployment.shard_count)
        self._deployments[deployment.name] = deployment

    def _hosts(self, name: str) -> list[_Row]:
        rows = [row for one, row in sorted(self._members.items()) if Hosting(name, one) in self._hostings]
        return [row for row in rows if row.state != DOWN]

    def _disown(self, name: str, shard_count: int) -> None:
        shards = self._allocations.get(name, {})
        for shard in [shard for shard in shards if shard >= shard_count]:
            shards[shard] = shards[shard]._replace(owner=0)

    async def unhost(self, name: str, incarnation: int) -> None:
        """See `ClusterStore.unhost`."""
        self._hostings.discard(Hosting(name, incarnation))

    async def deployments(self) -> tuple[list[Deployment], list[Hosting]]:
        """See `ClusterStore.deployments`."""
        return sorted(self._deployments.values()), sorted(self._hostings)

    async def allocations(self, name: str) -> list[Allocation]:
        """See `ClusterStore.allocations`."""
        return sorted(self._allocations.get(name, {}).values())

    async def allocate(self, term: int, name: str, allocations: Sequence[Allocation]) -> None:
        """See `ClusterStore.allocate`."""
        checked_allocations(name, allocations)
        self._check_term(term)
        deployment = self._deployments.get(name)
        check_shards(name, deployment and deployment.shard_count, allocations)
        shards = self._allocations.setdefault(name, {})
        for shard, _, epoch in sorted(allocations):
            current = shards[shard].epoch if shard in shards else 0
            if epoch <= current:
                raise EpochNotNewer(name, shard, epoch, current)
        shards.update((allocation.shard, allocation) for allocation in allocations)

    async def close(self) -> None:
        """See `ClusterStore.close`. Nothing is held here: other nodes that share the store are not disturbed."""

    def _picture(self, now: float) -> Picture:
        return Picture(tuple(_member(row, now) for row in self._members.values()), self._term, self._coordinator)

    def _living(self, incarnation: int) -> _Row:
        row = self._members.get(incarnation)
        if row is None or row.state == DOWN:
            raise LeaseLost(self.cluster, incarnation)
        return row

    def _set_term(self, term: int, coordinator: int | None) -> None:
        self._term, self._coordinator, self._moves = term, coordinator, {}

    def _check_term(self, term: int) -> None:
        if term != self._term:
            raise TermOver(self.cluster, term, self._term)

    def _is_held(self, evidence: bool) -> bool:
        if self._coordinator is None or evidence:
            return False
        holder = self._members.get(self._coordinator)
        return holder is not None and holder.state != DOWN and holder.lease_end > self._clock()

    def _taken(self, row: _Row, now: float) -> NodeNameTaken:
        seat = row.seat
        return NodeNameTaken(self.cluster, seat.node, row.incarnation, seat.host, seat.port, row.lease_end - now)


def _member(row: _Row, now: float) -> Member:
    node, host, port, weight, roles = row.seat
    return Member(node, row.incarnation, host, port, weight, roles, row.state, row.lease_end - now)
