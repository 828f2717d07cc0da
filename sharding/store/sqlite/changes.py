"""What each method of the store does to the rows, in one transaction under the file's write lock."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sharding.store.checking import check_same, check_shards
from sharding.store.errors import EpochNotNewer, NodeNameTaken
from sharding.store.records import DOWN, LEAVING, UP, Allocation, Deployment, Member, Picture, Seat
from sharding.store.sqlite.rows import Rows


def join(rows: Rows, seat: Seat, lease_seconds: float, replacing: int | None) -> Member:
    """See `ClusterStore.join`."""
    for member in rows.members():
        if member.node == seat.node and member.state != DOWN:
            if member.incarnation != replacing and member.lease_left > 0:
                raise NodeNameTaken(
                    rows.cluster, member.node, member.incarnation, member.host, member.port, member.lease_left
                )
            rows.set_state(member.incarnation, DOWN)
    return rows.add_member(seat, lease_seconds)


def renew(rows: Rows, incarnation: int, lease_seconds: float) -> Picture:
    """See `ClusterStore.renew`."""
    rows.living(incarnation)
    rows.set_lease(incarnation, lease_seconds)
    return rows.picture()


def mark_leaving(rows: Rows, incarnation: int) -> None:
    """See `ClusterStore.mark_leaving`."""
    member = rows.member(incarnation)
    if member is not None and member.state == UP:
        rows.set_state(incarnation, LEAVING)


def leave(rows: Rows, incarnation: int) -> None:
    """See `ClusterStore.leave`."""
    member = rows.member(incarnation)
    if member is not None:
        rows.set_state(incarnation, DOWN)
        if member.lease_left > 0:
            rows.set_lease(incarnation, 0)
        term, coordinator = rows.term()
        if coordinator == incarnation:
            rows.set_term(term, None)


def take_term(rows: Rows, incarnation: int, seen: int, evidence: bool) -> int | None:
    """See `ClusterStore.take_term`."""
    term, coordinator = rows.term()
    taker = rows.member(incarnation)
    if term != seen or taker is None or taker.state != UP:
        return None
    holder = None if coordinator is None else rows.member(coordinator)
    if holder is not None and holder.state != DOWN and holder.lease_left > 0 and not evidence:
        return None
    rows.set_term(seen + 1, incarnation)
    return seen + 1


def resign(rows: Rows, term: int) -> None:
    """See `ClusterStore.resign`."""
    if rows.term()[0] == term:
        rows.set_term(term, None)


def note_moves(rows: Rows, term: int, moves: dict[str, list[int]]) -> None:
    """See `ClusterStore.note_moves`."""
    rows.check_term(term)
    rows.run("set_moves", moves=json.dumps(moves))


def declare_down(rows: Rows, term: int, incarnation: int, evidence: bool) -> bool:
    """See `ClusterStore.declare_down`."""
    rows.check_term(term)
    member = rows.member(incarnation)
    if member is None or member.state == DOWN:
        return True
    if member.lease_left > 0 and not evidence:
        return False
    rows.set_state(incarnation, DOWN)
    return True


def forget(rows: Rows, term: int) -> None:
    """See `ClusterStore.forget`."""
    rows.check_term(term)
    owners = {owner for (owner,) in rows.run("owners")}
    for member in rows.members():
        if member.state == DOWN and member.lease_left <= 0 and member.incarnation not in owners:
            rows.run("forget_member", incarnation=member.incarnation)
            rows.run("forget_hosting", incarnation=member.incarnation)


def deploy(rows: Rows, deployment: Deployment, host: int | None) -> None:
    """See `ClusterStore.deploy`."""
    stored = rows.deployment(deployment.name)
    if stored is None:
        rows.run("add_deployment", **deployment._asdict())
    elif stored != deployment:
        hosts = rows.hosts(deployment.name)
        check_same(rows.cluster, stored, deployment, hosts, host)
        for member in hosts:
            rows.set_state(member.incarnation, DOWN)
        rows.run("set_shard_count", name=deployment.name, shard_count=deployment.shard_count)
        rows.run("disown", name=deployment.name, shard_count=deployment.shard_count)
    if host is not None:
        rows.living(host)
        rows.run("add_hosting", name=deployment.name, incarnation=host)


def unhost(rows: Rows, name: str, incarnation: int) -> None:
    """See `ClusterStore.unhost`."""
    rows.run("remove_hosting", name=name, incarnation=incarnation)


def allocate(rows: Rows, term: int, name: str, allocations: Sequence[Allocation]) -> None:
    """See `ClusterStore.allocate`."""
    rows.check_term(term)
    deployment = rows.deployment(name)
    check_shards(name, deployment and deployment.shard_count, allocations)
    epochs = {shard: epoch for shard, _, epoch in rows.run("allocations", name=name)}
    for allocation in sorted(allocations):
        current = epochs.get(allocation.shard, 0)
        if allocation.epoch <= current:
            raise EpochNotNewer(name, allocation.shard, allocation.epoch, current)
        rows.run("allocate", name=name, **allocation._asdict())
