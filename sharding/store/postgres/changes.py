"""What each method of the store does to the rows, in one transaction.

All but `renew` lock the cluster's row in `aecorpy_cluster_term` first and then read: what they see is the newest there
is, and one of them runs at a time. `renew` locks the member's own row alone, so it waits for nothing long.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sharding.store.checking import check_same, check_shards
from sharding.store.errors import EpochNotNewer, LeaseLost, NodeNameTaken
from sharding.store.postgres.rows import Rows, member
from sharding.store.records import DOWN, LEAVING, UP, Allocation, Deployment, Member, Picture, Seat


async def join(rows: Rows, seat: Seat, lease_seconds: float, replacing: int | None) -> Member:
    """See `ClusterStore.join`."""
    await rows.lock()
    for row in await rows.run("members_named", seat.node):
        found = member(*row)
        if found.incarnation != replacing and found.lease_left > 0:
            raise NodeNameTaken(rows.cluster, found.node, found.incarnation, found.host, found.port, found.lease_left)
        await rows.run("set_state", found.incarnation, DOWN)
    return await rows.add_member(seat, lease_seconds)


async def renew(rows: Rows, incarnation: int, lease_seconds: float) -> Picture:
    """See `ClusterStore.renew`."""
    if not await rows.run("renew", incarnation, lease_seconds):
        raise LeaseLost(rows.cluster, incarnation)
    return await rows.picture()


async def mark_leaving(rows: Rows, incarnation: int) -> None:
    """See `ClusterStore.mark_leaving`."""
    await rows.lock()
    found = await rows.member(incarnation)
    if found is not None and found.state == UP:
        await rows.run("set_state", incarnation, LEAVING)


async def leave(rows: Rows, incarnation: int) -> None:
    """See `ClusterStore.leave`."""
    term, coordinator = await rows.lock()
    if await rows.run("leave", incarnation) and coordinator == incarnation:
        await rows.run("set_term", term, None)


async def take_term(rows: Rows, incarnation: int, seen: int, evidence: bool) -> int | None:
    """See `ClusterStore.take_term`."""
    term, coordinator = await rows.lock()
    taker = await rows.member(incarnation)
    if term != seen or taker is None or taker.state != UP:
        return None
    holder = None if coordinator is None else await rows.member(coordinator)
    if holder is not None and holder.state != DOWN and holder.lease_left > 0 and not evidence:
        return None
    await rows.run("set_term", seen + 1, incarnation)
    return seen + 1


async def resign(rows: Rows, term: int) -> None:
    """See `ClusterStore.resign`."""
    current, _ = await rows.lock()
    if current == term:
        await rows.run("set_term", term, None)


async def note_moves(rows: Rows, term: int, moves: dict[str, list[int]]) -> None:
    """See `ClusterStore.note_moves`."""
    await rows.lock_term(term)
    await rows.run("set_moves", json.dumps(moves))


async def declare_down(rows: Rows, term: int, incarnation: int, evidence: bool) -> bool:
    """See `ClusterStore.declare_down`."""
    await rows.lock_term(term)
    found = await rows.member(incarnation)
    if found is None or found.state == DOWN:
        return True
    if found.lease_left > 0 and not evidence:
        return False
    await rows.run("set_state", incarnation, DOWN)
    return True


async def forget(rows: Rows, term: int) -> None:
    """See `ClusterStore.forget`."""
    await rows.lock_term(term)
    await rows.run("forget_members")
    await rows.run("forget_hostings")


async def deploy(rows: Rows, deployment: Deployment, host: int | None) -> None:
    """See `ClusterStore.deploy`."""
    await rows.lock()
    stored = await rows.deployment(deployment.name)
    if stored is None:
        await rows.run("add_deployment", *deployment)
    elif stored != deployment:
        hosts = [member(*row) for row in await rows.run("hosts", deployment.name)]
        check_same(rows.cluster, stored, deployment, hosts, host)
        for found in hosts:
            await rows.run("set_state", found.incarnation, DOWN)
        await rows.run("set_shard_count", deployment.name, deployment.shard_count)
        await rows.run("disown", deployment.name, deployment.shard_count)
    if host is not None:
        await rows.living(host)
        await rows.run("add_hosting", deployment.name, host)


async def unhost(rows: Rows, name: str, incarnation: int) -> None:
    """See `ClusterStore.unhost`."""
    await rows.lock()
    await rows.run("remove_hosting", name, incarnation)


async def allocate(rows: Rows, term: int, name: str, allocations: Sequence[Allocation]) -> None:
    """See `ClusterStore.allocate`."""
    await rows.lock_term(term)
    deployment = await rows.deployment(name)
    check_shards(name, deployment and deployment.shard_count, allocations)
    columns = [list(column) for column in zip(*allocations, strict=True)] or [[], [], []]
    newer = {shard for (shard,) in await rows.run("allocate", name, *columns)}
    refused = [allocation for allocation in sorted(allocations) if allocation.shard not in newer]
    if refused:
        shard, _, epoch = refused[0]
        current = [stored for (stored,) in await rows.run("epoch", name, shard)]
        raise EpochNotNewer(name, shard, epoch, current[0] if current else 0)
