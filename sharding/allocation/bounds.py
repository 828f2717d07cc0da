"""How many shards a host should own, and how many have to move for that at the very least.

All in whole numbers and fractions, so that no rounding and no order of addition decides where a shard goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, inf, lcm
from typing import NamedTuple

EASE = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a host's shards may be from its share, as fractions of that share, and by so many shards on top of that.

    A host's share is the shards' number times its part of all weights.

    Attributes:
        above: a host owns at most `share * (1 + above) + spare` shards.
        below: a host owns at least `share * (1 - below) - spare` shards. With 1 there is no lower limit; a node that
            joins a level cluster of ten or more then gets nothing, since nobody is too full.

    Raises:
        spare: 1, or 0 where a share is so few that one more matters: then a host owns its share, rounded up or down.

    Raises:
        ValueError: when `above` is negative or infinite, `below` is not from 0 to 1, or `spare` is neither 0 nor 1.
    """

    above: float = 0.10
    below: float = 0.10
    spare: int = 1

    def __post_init__(self) -> None:
        if not (0 <= self.above < inf and 0 <= self.below <= 1 and self.spare in (0, 1)):
            raise ValueError(f"{self}: above must be finite and 0 or more, below from 0 to 1, spare 0 or 1")


TENTH = Tolerance()
LEVEL = Tolerance(above=0, below=0)
EVEN = Tolerance(above=0, below=0, spare=0)


class Quota(NamedTuple):
    """How many shards a host should own.

    Attributes:
        least: the fewest.
        ease: up to where it is filled by choice. Hosts filled to the brim would all be too full after the next join.
        most: the most.
    """

    least: int
    ease: int
    most: int


class Gap(NamedTuple):
    """What keeps an allocation from its quotas, in shards: without a home, too many, too few."""

    homeless: int
    over: int
    under: int

    @property
    def to_give(self) -> int:
        """How many shards must leave a host that could keep them."""
        return max(self.over, self.under - self.homeless)


def quotas(shards: int, hosts: Mapping[str, float], tolerance: Tolerance) -> dict[str, Quota]:
    """Each host's quota. They can be met together: all `least` are no more than `shards`, all `ease` no fewer.

    Args:
        shards: how many there are.
        hosts: by name, weights above 0.
        tolerance: around each host's share.
    """
    weights = whole(hosts)
    total = sum(weights.values())
    # By way of str: 0.1 is meant as a tenth, not as the binary fraction next to it.
    above, below = Fraction(str(tolerance.above)), Fraction(str(tolerance.below))

    def quota(weight: int) -> Quota:
        share = Fraction(shards * weight, total)
        ease = max(ceil(share), floor(share * (1 + above * EASE)))
        if tolerance.spare:
            return Quota(max(0, ceil(share * (1 - below)) - 1), ease, floor(share * (1 + above)) + 1)
        return Quota(floor(share * (1 - below)), ease, max(ceil(share), floor(share * (1 + above))))

    by_weight = {weight: quota(weight) for weight in set(weights.values())}
    return {host: by_weight[weight] for host, weight in weights.items()}


def whole(weights: Mapping[str, float]) -> dict[str, int]:
    """The weights as whole numbers in exactly the same proportions."""
    exact = {host: Fraction(weight) for host, weight in weights.items()}
    common = lcm(*(weight.denominator for weight in exact.values()))
    return {host: int(weight * common) for host, weight in exact.items()}


def gap(counts: Mapping[str, int], homeless: int, limits: Mapping[str, Quota]) -> Gap:
    """What keeps hosts that own `counts` shards, with so many `homeless` ones beside, from their quotas."""
    over = sum(max(0, count - limits[host].most) for host, count in counts.items())
    under = sum(max(0, limits[host].least - count) for host, count in counts.items())
    return Gap(homeless, over, under)


def fewest_moves(hosts: Mapping[str, float], owners: Sequence[str | None], tolerance: Tolerance) -> int:
    """How many shards have to move, at the very least, until each has a home and each host is within its quota.

    A homeless shard moves in any case. What is above a host's `most` has to leave, and what others lack of their
    `least` has to come from somewhere: from the homeless and from what left, or else from hosts that can spare some.
    Quotas can be met together, so this many moves also do.

    Args:
        hosts: at least one, by name, weights above 0.
        owners: for each shard its owner; one that is None or not among `hosts` leaves the shard homeless.
        tolerance: around each host's share.
    """
    counts = dict.fromkeys(hosts, 0)
    for owner in owners:
        if owner in counts:
            counts[owner] += 1
    found = gap(counts, len(owners) - sum(counts.values()), quotas(len(owners), hosts, tolerance))
    return found.homeless + found.to_give
