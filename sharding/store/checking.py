"""What may be written into a cluster store; every store refuses the same, before it does anything."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence

from sharding.store.errors import DeploymentMismatch, InvalidClusterName
from sharding.store.records import PROCESS, Allocation, Deployment, Member, Seat

_CLUSTER = re.compile(r"[A-Za-z0-9_.-]{1,60}")
LONGEST_TEXT = 500  # characters of a name, a host, a role
LONGEST_NODE = 255  # bytes of a node's name, as it has to fit into the handshake between nodes
LARGEST = 2**63 - 1  # incarnations, terms, epochs
MOST_SHARDS = 2**31 - 1


def checked_cluster(name: str) -> str:
    """The name of a cluster.

    Raises:
        InvalidClusterName: it is not 1 to 60 characters of letters, digits, `_`, `-` and `.`.
    """
    if not _CLUSTER.fullmatch(name):
        raise InvalidClusterName(name)
    return name


def checked_lease(seconds: float) -> float:
    """The length of a lease.

    Raises:
        ValueError: it is not more than 0 seconds, or endless.
    """
    if not (math.isfinite(seconds) and 0 < seconds < 1e9):
        raise ValueError(f"a lease of {seconds} s: use more than 0 and less than 1e9 seconds")
    return float(seconds)


def checked_seat(seat: Seat) -> Seat:
    """What a member brings, in the types in which it is kept.

    Raises:
        ValueError: a text is empty, too long or cannot be stored; port or weight are out of their bounds.
    """
    if isinstance(seat.roles, str):
        raise ValueError(f"node {seat.node!r}: roles {seat.roles!r}: use a tuple, such as ({seat.roles!r},)")
    for what, text in (("node", seat.node), ("host", seat.host), *(("role", role) for role in seat.roles)):
        _check_text(what, text)
        if not text.isprintable():
            raise ValueError(f"{what} {text[:80]!r}: use characters that can be shown, as logs and tables have them")
    if len(seat.node.encode()) > LONGEST_NODE:
        raise ValueError(f"node {seat.node[:80]!r}…: use a name of at most {LONGEST_NODE} bytes of UTF-8")
    if not 0 <= seat.port <= 65535:
        raise ValueError(f"node {seat.node!r}: port {seat.port} is none")
    if not (math.isfinite(seat.weight) and seat.weight >= 0):
        raise ValueError(f"node {seat.node!r}: a weight of {seat.weight}: use 0 or more")
    return seat._replace(weight=float(seat.weight), roles=tuple(seat.roles))


def checked_deployment(deployment: Deployment) -> Deployment:
    """A type to deploy.

    Raises:
        ValueError: a text is empty, too long or cannot be stored; it has no shards.
    """
    _check_text("type", deployment.name)
    _check_text("kind", deployment.kind)
    if not 1 <= deployment.shard_count <= MOST_SHARDS:
        raise ValueError(f"type {deployment.name!r}: {deployment.shard_count} shards: use 1 or more")
    return deployment


def checked_allocations(name: str, allocations: Sequence[Allocation]) -> Sequence[Allocation]:
    """Allocations of one type.

    Raises:
        ValueError: a shard is there twice, or a number is too large to be kept.
    """
    if len({allocation.shard for allocation in allocations}) < len(allocations):
        raise ValueError(f"{name}: at most one allocation per shard")
    for shard, owner, epoch in allocations:
        if max(abs(owner), abs(epoch)) > LARGEST:
            raise ValueError(f"{name} shard {shard}: owner {owner}, epoch {epoch}: numbers end at 2**63 - 1")
    return allocations


def checked_moves(moves: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Shards under way, as they are kept: sorted, without types that have none.

    Raises:
        ValueError: a name cannot be stored.
    """
    for name in moves:
        _check_text("type", name)
    return {name: sorted(moves[name]) for name in sorted(moves) if moves[name]}


def check_shards(name: str, shard_count: int | None, allocations: Sequence[Allocation]) -> None:
    """Compare allocations with what is deployed.

    Args:
        name: the type's.
        shard_count: as deployed; None when it is not.
        allocations: to be written.

    Raises:
        ValueError: the type is not deployed, or has no such shard.
    """
    if shard_count is None:
        raise ValueError(f"type {name!r} is not deployed")
    for allocation in allocations:
        if not 0 <= allocation.shard < shard_count:
            raise ValueError(f"type {name!r} has {shard_count} shards, none of number {allocation.shard}")


def check_same(
    cluster: str, stored: Deployment, asked: Deployment, hosts: Collection[Member], host: int | None
) -> None:
    """Compare a deployment with the one that is recorded.

    Args:
        cluster: its name.
        stored: what is recorded.
        asked: what is to be.
        hosts: the members that host it and are not `DOWN`.
        host: who asks, to host it.

    Raises:
        DeploymentMismatch: they differ, by more than a number of processes of which none can run.
    """
    living = [member.node for member in hosts if member.lease_left > 0 or member.incarnation == host]
    for what in ("kind", "shard_count", "patient"):
        if getattr(stored, what) == getattr(asked, what):
            continue
        if what != "shard_count" or asked.kind != PROCESS or living:
            values = getattr(stored, what), getattr(asked, what)
            passes = what == "shard_count" and asked.kind == PROCESS
            raise DeploymentMismatch(cluster, stored.name, what, *values, sorted(living), passes=passes)


def _check_text(what: str, text: str) -> None:
    if not 0 < len(text) <= LONGEST_TEXT or "\0" in text:
        raise ValueError(f"{what} {text[:80]!r}: use 1 to {LONGEST_TEXT} characters, none of them NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} {text[:80]!r}: not a text that can be stored") from None
