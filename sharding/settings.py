"""How a cluster behaves: the times and bounds that a user may set."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Times in seconds.

    Attributes:
        lease: how long a node that is not heard of keeps its place.
        hand_off: how long an owner may take to hand shards off before it is passed over.
        unreachable: how long a member may be out of the coordinator's reach before its shards are moved away.
        moves_at_once: how many shards may be on their way at the same time.

    Raises:
        ValueError: a time is not above 0, or no shard may move.
    """

    lease: float = 5.0
    hand_off: float = 5.0
    unreachable: float = 3.0
    moves_at_once: int = 16

    def __post_init__(self) -> None:
        if min(self.lease, self.hand_off, self.unreachable) <= 0 or self.moves_at_once < 1:
            raise ValueError(f"{self}: times must be above 0, and at least one shard may move at once")
