"""Which node shall own which shard: pure functions, without clock, randomness or anything kept.

    plan(RingAllocation("Booking"), 256, {"node-1": 1, "node-2": 1}, owners).moves

A strategy is a class with one method (`AllocationStrategy`). `RingAllocation` keeps shards where they are as far as the
bounds allow and otherwise places them by a consistent-hash ring; `LeastShardsAllocation` goes by numbers alone.
"""

from sharding.allocation.bounds import EVEN, Quota, Tolerance, fewest_moves, quotas
from sharding.allocation.contract import AllocationStrategy
from sharding.allocation.errors import AllocationError, ShardCountChanged, StrategyFault, UnusableWeight
from sharding.allocation.least_shards import LeastShardsAllocation
from sharding.allocation.planning import Move, Plan, plan
from sharding.allocation.ring import RingAllocation

__all__ = [
    "EVEN",
    "AllocationError",
    "AllocationStrategy",
    "LeastShardsAllocation",
    "Move",
    "Plan",
    "Quota",
    "RingAllocation",
    "ShardCountChanged",
    "StrategyFault",
    "Tolerance",
    "UnusableWeight",
    "fewest_moves",
    "plan",
    "quotas",
]
