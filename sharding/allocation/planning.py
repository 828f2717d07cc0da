"""From who is there and who owns what to who should own it, and the moves in between."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from sharding.allocation.contract import AllocationStrategy
from sharding.allocation.errors import ShardCountChanged, StrategyFault, UnusableWeight


class Move(NamedTuple):
    """One shard's way: from its recorded owner, a member or not, or None when it never had one."""

    shard: int
    source: str | None
    target: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Who shall own each shard, and what has to move for that.

    Attributes:
        owners: for each shard its member; None only while no member has a weight above 0.
        moves: in the order in which to carry them out, any number at a time. Shards whose recorded owner is not there
            come first, spread over their targets; then those of members with weight 0; then the fullest members'.
            A member only gives or only takes, so whichever part was carried out, nobody is further from where it shall
            be than before.
    """

    owners: tuple[str | None, ...]
    moves: tuple[Move, ...]


def plan(
    strategy: AllocationStrategy, shards: int, members: Mapping[str, float], owners: Sequence[str | None] = ()
) -> Plan:
    """Who shall own each of `shards` shards. The same question has the same answer, on every machine.

    While part of a plan is being carried out, members may change: plan anew from the owners as they are by then.

    Args:
        strategy: decides; `RingAllocation()` for most.
        shards: how many there are, at least 1.
        members: nodes by name, with weights: a node of weight 2 gets twice as many shards as one of weight 1, one of
            weight 0 is drained. When none has more, shards stay with the members that have them, and no others move.
            Use a name that a node keeps over restarts, and it gets its former shards back.
        owners: as recorded, one entry for each shard: a node, a member or not, or None. Empty: none placed yet.

    Raises:
        ShardCountChanged: the owners are of another number of shards.
        UnusableWeight: a weight is negative or not finite.
        StrategyFault: the strategy's answer is not an allocation.
        ValueError: `shards` is not positive.
    """
    if shards < 1:
        raise ValueError(f"{shards} shards: at least 1 is needed")
    if owners and len(owners) != shards:
        raise ShardCountChanged(len(owners), shards)
    hosts = _hosts(members)
    recorded = tuple(owners) or (None,) * shards
    if not hosts:
        return Plan(tuple(owner if owner in members else None for owner in recorded), ())
    chosen = tuple(strategy.allocate(hosts, tuple(owner if owner in hosts else None for owner in recorded)))
    if len(chosen) != shards:
        raise StrategyFault(strategy, f"answered for {len(chosen)} of {shards} shards")
    if not hosts.keys() >= set(chosen):
        raise StrategyFault(strategy, f"chose {sorted(map(str, set(chosen) - hosts.keys()))}, to whom nothing may go")
    return Plan(chosen, _moves(members, recorded, chosen))


def _hosts(members: Mapping[str, float]) -> dict[str, float]:
    """The members that may own shards, sorted by name: nothing may depend on the order in which members are listed."""
    for node, weight in members.items():
        if not 0 <= weight < inf:
            raise UnusableWeight(node, weight)
    return {node: members[node] for node in sorted(members) if members[node] > 0}


def _moves(members: Mapping[str, float], before: Sequence[str | None], after: Sequence[str]) -> tuple[Move, ...]:
    counts = Counter(owner for owner in before if owner in members)
    moving = [Move(shard, *way) for shard, way in enumerate(zip(before, after, strict=True)) if way[0] != way[1]]
    moving.sort(key=lambda move: counts[move.target] / members[move.target])
    done: dict[str, int] = defaultdict(int)

    def urgency(move: Move) -> tuple[bool, float]:
        """Without an owner, emptiest target first; then fullest source first: each as it will be at that time."""
        source, target = move.source, move.target
        if source is None or source not in members:
            done[target] += 1
            return False, (counts[target] + done[target]) / members[target]
        done[source] += 1
        weight = members[source]
        return True, -(counts[source] - done[source]) / weight if weight else -inf

    return tuple(sorted(moving, key=urgency))
