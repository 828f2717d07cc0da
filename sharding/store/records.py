"""What the cluster store keeps, as values."""

from __future__ import annotations

from typing import Final, NamedTuple

UP: Final = "up"
LEAVING: Final = "leaving"
DOWN: Final = "down"

PROCESS: Final = "process"


class Seat(NamedTuple):
    """What a process brings when it joins.

    Attributes:
        node: its name, unique among the members; one kept over restarts gets its former shards back.
        host, port: where other members reach it.
        weight: how many shards it should own, relative to the others; 0 for a node that only calls.
        roles: free words by which deployments choose nodes.
    """

    node: str
    host: str
    port: int
    weight: float = 1.0
    roles: tuple[str, ...] = ()


class Member(NamedTuple):
    """A process that joined the cluster.

    Attributes:
        incarnation: this membership's number, from the store; a cluster never uses one twice.
        state: `UP`, `LEAVING` (hands its shards off) or `DOWN` (no member any more; its shards may be given away).
        lease_left: seconds until its lease ends, by the store's clock as of the answer; not above 0 when it is over.
    """

    node: str
    incarnation: int
    host: str
    port: int
    weight: float
    roles: tuple[str, ...]
    state: str
    lease_left: float


class Picture(NamedTuple):
    """The members and the coordinator, as of one moment.

    Attributes:
        members: by incarnation, those that are `DOWN` but not yet forgotten included.
        term: the coordinator's term; 0 before the first.
        coordinator: the incarnation that holds it; None when nobody does.
    """

    members: tuple[Member, ...]
    term: int
    coordinator: int | None


class Deployment(NamedTuple):
    """A type whose instances are spread over the cluster; all nodes must agree on it.

    Attributes:
        name: the type's.
        kind: what it is to the layer above, such as `entity`.
        shard_count: fixed for the life of the deployment, but for the kind `PROCESS`: its shards are processes, which
            keep nothing by their number, and there may be more or fewer of them when no member hosts the type.
        patient: its shards leave a lost node only when that node's lease is over, not at once: for what has effects
            that no fence stops.
    """

    name: str
    kind: str
    shard_count: int
    patient: bool = False


class Hosting(NamedTuple):
    """A member that may own shards of the type `name`."""

    name: str
    incarnation: int


class Allocation(NamedTuple):
    """Who owns a shard, and the epoch under which it may claim it. Epochs of a shard only grow."""

    shard: int
    owner: int
    epoch: int
