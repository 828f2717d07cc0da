"""What there is to see of a cluster in its store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sharding.store import DOWN, Allocation, ClusterStore, Deployment, Member


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A member.

    Args:
        node, incarnation, address, state, weight, roles: as in the store.
        lease_left: seconds; not above 0 when it is over.
        coordinates: whether it holds the term.
    """

    node: str
    incarnation: int
    address: str
    state: str
    lease_left: float
    weight: float
    roles: tuple[str, ...]
    coordinates: bool


@dataclass(frozen=True, slots=True)
class TypeSeen:
    """A type and where its shards are.

    Args:
        name, kind: the type's.
        shards: how many it has.
        per_node: how many of them each node owns that is not down.
        highest_epoch: among its shards; 0 before the first was given away.
        placed: shard, node and epoch of each shard that has an owner who is not down.
        without_owner: shards that nobody owns who is not down.
        moving: shards on their way from one owner to another.
    """

    name: str
    kind: str
    shards: int
    per_node: dict[str, int]
    highest_epoch: int
    placed: list[tuple[int, str, int]]
    without_owner: list[int]
    moving: list[int]


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """A cluster.

    Args:
        cluster: its name.
        term: the coordinator's; 0 before the first.
        coordinator: the node that holds it; None when nobody does.
        nodes: by name.
        types: by name.
    """

    cluster: str
    term: int
    coordinator: str | None
    nodes: list[NodeSeen]
    types: list[TypeSeen]

    def document(self) -> dict[str, Any]:
        """As what JSON has."""
        return asdict(self)


async def look(store: ClusterStore) -> ClusterSeen:
    """Read all there is to see; what changes meanwhile may be seen in part.

    Raises:
        ClusterStoreError: the store cannot be read.
    """
    deployments, _ = await store.deployments()
    allocations = {one.name: await store.allocations(one.name) for one in deployments}
    moves = await store.moves()
    picture = await store.picture()  # last: who owns a shard had joined before
    members = {member.incarnation: member for member in picture.members}
    holder = members.get(picture.coordinator or 0)
    return ClusterSeen(
        store.cluster,
        picture.term,
        None if holder is None else holder.node,
        sorted((_node(one, one is holder) for one in picture.members), key=lambda one: (one.node, one.incarnation)),
        [_type(one, allocations[one.name], members, moves.get(one.name, [])) for one in deployments],
    )


def _node(member: Member, coordinates: bool) -> NodeSeen:
    host = f"[{member.host}]" if ":" in member.host else member.host
    return NodeSeen(
        member.node,
        member.incarnation,
        f"{host}:{member.port}",
        member.state,
        round(member.lease_left, 3),
        member.weight,
        member.roles,
        coordinates,
    )


def _type(
    deployment: Deployment, allocations: Sequence[Allocation], members: dict[int, Member], moving: list[int]
) -> TypeSeen:
    live = {incarnation: member.node for incarnation, member in members.items() if member.state != DOWN}
    owned = {one.shard: live[one.owner] for one in allocations if one.owner in live}
    return TypeSeen(
        deployment.name,
        deployment.kind,
        deployment.shard_count,
        dict(sorted(Counter(owned.values()).items())),
        max((one.epoch for one in allocations), default=0),
        [(one.shard, owned[one.shard], one.epoch) for one in allocations if one.shard in owned],
        [shard for shard in range(deployment.shard_count) if shard not in owned],
        moving,
    )
