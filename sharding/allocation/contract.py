"""What a strategy is: one method that answers who owns which shard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class AllocationStrategy(Protocol):
    """Decides which host owns which shard. A pure function: no clock, no randomness, nothing kept between calls.

    `plan` calls it, after checking and normalising what it is given, and turns the answer into moves.
    """

    def allocate(self, hosts: Mapping[str, float], owners: Sequence[str | None]) -> Sequence[str]:
        """The new owner of each shard.

        Args:
            hosts: nodes that may own shards, with their weights; at least one, each weight above 0, sorted by name.
            owners: for each shard its present owner, one of `hosts`; None when it has none and needs a home.

        Returns:
            for each shard one of `hosts`. Where it equals the present owner, the shard stays.
        """
