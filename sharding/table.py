"""The shards of one type as the coordinator sees them: who has which, what is under way, what to do next. Pure logic.

A shard is in one of these states; what is not written in the store is worked out anew by the next coordinator.

    HOMELESS (never owned, or its owner is gone) --granted--> OWNED
    OWNED --the plan moves it--> MOVING (`HandOff` sent) --`HandedOff`, or too late--> FREE --granted--> OWNED
    OWNED --the journal knows a newer epoch--> STALE --granted to the same owner--> OWNED
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sharding.allocation import AllocationStrategy, plan
from sharding.store.records import Allocation, Deployment


class Candidate(NamedTuple):
    """A live member as a possible owner: its node's name, and the weight that counts now (0: it only gives)."""

    node: str
    weight: float


class HandOffWanted(NamedTuple):
    """The owner should hand the shard off."""

    shard: int
    owner: int


@dataclass(slots=True)
class Step:
    """What to do next for one type: write these allocations, and order these hand-offs."""

    grants: list[Allocation] = field(default_factory=list)
    hand_offs: list[HandOffWanted] = field(default_factory=list)


class ShardTable:
    """One type's shards.

    Args:
        deployment: the type.
        strategy: decides who should own what.
    """

    def __init__(self, deployment: Deployment, strategy: AllocationStrategy) -> None:
        self.deployment = deployment
        self.strategy = strategy
        self.owners = [0] * deployment.shard_count
        self.epochs = [0] * deployment.shard_count
        self.moving: dict[int, float] = {}
        self._free: set[int] = set()
        self._targets: dict[int, int] = {}
        self._stale: dict[int, int] = {}
        self._changed = True
        self._asked: tuple[object, ...] = ()

    def load(self, allocations: Collection[Allocation]) -> None:
        """Take over what the store says; what was under way is forgotten, and planned anew.

        Shards that the type had once, and has no more, are left out.
        """
        self._changed = True
        self.moving.clear()
        self._free.clear()
        self._targets.clear()
        self._stale.clear()
        self.granted([one for one in allocations if one.shard < len(self.owners)])

    def granted(self, allocations: Collection[Allocation]) -> None:
        """These allocations are in the store."""
        for shard, owner, epoch in allocations:
            self._changed = True
            self.owners[shard], self.epochs[shard] = owner, epoch
            self.moving.pop(shard, None)
            self._free.discard(shard)
            self._targets.pop(shard, None)
            self._stale.pop(shard, None)

    def homes(self) -> list[tuple[int, int, int]]:
        """Shard, owner and epoch of all that are owned."""
        return [(shard, owner, self.epochs[shard]) for shard, owner in enumerate(self.owners) if owner]

    def owned_by(self, incarnation: int) -> int:
        """How many shards the member owns."""
        return self.owners.count(incarnation)

    # --- what nodes say

    def handed_off(self, shard: int, owner: int, epoch: int) -> bool:
        """The owner has stopped the shard, whoever ordered that. False when that is not how things stand."""
        if not self._stands(shard, owner, epoch):
            return False
        self.moving.pop(shard, None)
        self._free.add(shard)
        self._changed = True
        return True

    def stale(self, shard: int, owner: int, epoch: int, current: int) -> bool:
        """The journal refused the owner's epoch. False when that is not how things stand."""
        if not self._stands(shard, owner, epoch):
            return False
        if shard not in self.moving:
            self._stale[shard] = max(current, self._stale.get(shard, 0))
            self._changed = True
        return True

    def _stands(self, shard: int, owner: int, epoch: int) -> bool:
        known = 0 <= shard < len(self.owners)
        return known and self.owners[shard] == owner and self.epochs[shard] == epoch

    def late(self, before: float) -> list[int]:
        """The shards whose hand-off was ordered before that time."""
        return [shard for shard, since in self.moving.items() if since <= before]

    def pass_over(self, before: float) -> list[int]:
        """Free the shards whose hand-off was ordered before that time; returns them."""
        late = self.late(before)
        for shard in late:
            del self.moving[shard]
            self._free.add(shard)
            self._changed = True
        return late

    # --- planning

    def unwanted(self, withdrawn: Collection[int]) -> list[HandOffWanted]:
        """What these owners, who host the type no more, should hand off although nobody can have it."""
        owned = [(shard, owner) for shard, owner in enumerate(self.owners) if owner in withdrawn]
        idle = [one for one in owned if one[0] not in self.moving and one[0] not in self._free]
        return [HandOffWanted(shard, owner) for shard, owner in idle]

    def next_step(self, candidates: Mapping[int, Candidate], held: Collection[int], slots: int) -> Step:
        """What to do now; worked out anew only if something has changed since there was nothing to do.

        Args:
            candidates: live members by incarnation: those that may own shards, and those that still do.
            held: members that are gone but whose shards have to stay for now.
            slots: how many more shards may start to move.
        """
        asked = (tuple(candidates.items()), frozenset(held), slots > 0)
        if asked == self._asked and not self._changed:
            return Step()
        self._asked, self._changed = asked, False
        step = self._plan(candidates, held, slots)
        if step.grants or step.hand_offs:  # they are wanted until they are written or ordered
            self._changed = True
        return step

    def _plan(self, candidates: Mapping[int, Candidate], held: Collection[int], slots: int) -> Step:
        names = {incarnation: candidate.node for incarnation, candidate in candidates.items()}
        incarnations = {node: incarnation for incarnation, node in names.items()}
        weights = {candidate.node: candidate.weight for candidate in candidates.values()}
        for incarnation in held:
            names[incarnation] = f"#{incarnation}"
            weights[names[incarnation]] = 0.0
        planned = plan(self.strategy, len(self.owners), weights, self._expected(names, candidates))
        step = Step()
        for shard, node in enumerate(planned.owners):
            target = incarnations.get(node, 0) if node is not None else 0
            if target and self._grant_now(shard, names, candidates):
                step.grants.append(self._grant(shard, target, candidates))
            elif target and shard in self.moving:
                self._aim(shard, target)
        for move in planned.moves:
            source, target = self.owners[move.shard], incarnations.get(move.target, 0)
            if len(step.hand_offs) >= slots:
                break
            if source in candidates and target and source != target and self._is_settled(move.shard):
                self._aim(move.shard, target)
                step.hand_offs.append(HandOffWanted(move.shard, source))
        return step

    def _aim(self, shard: int, target: int) -> None:
        """Count on this target from now on: the next plan starts from there."""
        if self._targets.get(shard) != target:
            self._targets[shard] = target
            self._changed = True

    def ordered(self, shard: int, now: float) -> None:
        """Its hand-off is ordered."""
        self._changed |= shard not in self.moving  # since when it moves matters to no plan
        self.moving[shard] = now

    def _expected(self, names: Mapping[int, str], candidates: Mapping[int, Candidate]) -> list[str | None]:
        """Where each shard is, or will be when what is under way has ended."""
        expected = []
        for shard, owner in enumerate(self.owners):
            target = self._targets.get(shard, 0)
            if target in candidates and candidates[target].weight > 0 and (shard in self.moving or shard in self._free):
                owner = target
            elif shard in self._free:
                owner = 0
            expected.append(names.get(owner))
        return expected

    def _is_settled(self, shard: int) -> bool:
        return shard not in self.moving and shard not in self._free and shard not in self._stale

    def _grant_now(self, shard: int, names: Mapping[int, str], candidates: Collection[int]) -> bool:
        owner = self.owners[shard]
        if owner not in names:  # nobody is left to hand it off
            return True
        if shard in self.moving:
            return False
        return shard in self._free or (shard in self._stale and owner in candidates)

    def _grant(self, shard: int, target: int, candidates: Collection[int]) -> Allocation:
        owner = self.owners[shard]
        stays = shard in self._stale and shard not in self._free and owner in candidates
        return Allocation(shard, owner if stays else target, max(self.epochs[shard], self._stale.get(shard, 0)) + 1)
