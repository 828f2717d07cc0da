"""Placement by numbers alone: what is to be placed goes to the emptiest host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sharding.allocation.balance import Balance
from sharding.allocation.bounds import LEVEL, Tolerance


@dataclass(frozen=True, slots=True)
class LeastShardsAllocation:
    """Every host within one shard of its share, after the fewest moves; which shards those are does not matter.

    Akka's default by its aim. A node that comes back does not get its former shards.

    Attributes:
        tolerance: around each host's share; none unless given, which means within one shard.
    """

    tolerance: Tolerance = LEVEL

    def allocate(self, hosts: Mapping[str, float], owners: Sequence[str | None]) -> list[str]:
        """The new owner of each shard: see `AllocationStrategy`."""
        balance = Balance(hosts, owners, self.tolerance)
        held: dict[str, list[int]] = {host: [] for host in hosts}
        for shard, owner in enumerate(owners):
            if owner is not None:
                held[owner].append(shard)
        for host in balance.fullest():
            balance.give(held[host].pop())
        for shard, host in zip(balance.waiting, balance.emptiest(), strict=False):
            balance.take(shard, host)
        return balance.settled()
