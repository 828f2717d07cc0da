"""Placement by a consistent-hash ring, within bounds, and sticky."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sharding.allocation.balance import Balance
from sharding.allocation.bounds import TENTH, Tolerance
from sharding.allocation.circle import Circle, Walk, circle_of


@dataclass(frozen=True, slots=True)
class RingAllocation:
    """A shard belongs to the first host after it on the ring; where that one is full, to the next that is not.

    That is consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016), with two additions: a shard
    that has a home stays there, whatever the ring says, as long as the bounds allow; and hosts have a lower bound too,
    so that a node that joins gets its part. Moves are the fewest that bring every host within the bounds.

    Attributes:
        kind: what is placed, for example the entity type's name. Kinds are laid out independently of each other, so
            that the fullest host of one is not the fullest of all.
        tolerance: how far a host's shards may be from its share.
    """

    kind: str = ""
    tolerance: Tolerance = TENTH

    def allocate(self, hosts: Mapping[str, float], owners: Sequence[str | None]) -> list[str]:
        """The new owner of each shard: see `AllocationStrategy`."""
        balance = Balance(hosts, owners, self.tolerance)
        if balance.waiting or balance.to_give:
            circle = circle_of(hosts)
            homeless = len(balance.waiting)
            if balance.to_give:
                _give(balance, circle, self.kind)
            _take(balance, circle, self.kind, balance.waiting[:homeless], balance.waiting[homeless:])
        return balance.settled()


def _give(balance: Balance, circle: Circle, kind: str) -> None:
    """Let shards go: first those that belong to a newcomer, then the fullest hosts', rather those not at home."""
    homes = [circle.home(_position(circle, kind, shard)) for shard in range(len(balance.owners))]
    lacking = {host: balance.lacks(host) for host in balance.newcomers}
    stay: dict[str, list[tuple[int, int]]] = {}
    for shard, owner in enumerate(balance.owners):
        if owner is None:
            continue
        home = homes[shard]
        if lacking.get(home, 0) > 0 and home != owner and balance.may_give(owner):
            lacking[home] -= 1
            balance.give(shard)
        else:
            rank = 0 if home == owner else 2 if home in balance.newcomers else 1
            stay.setdefault(owner, []).append((rank, -shard))
    for shards in stay.values():
        shards.sort()
    for host in balance.fullest():
        balance.give(-stay[host].pop()[1])


def _take(balance: Balance, circle: Circle, kind: str, homeless: list[int], given: list[int]) -> None:
    """Give waiting shards to the host they belong to, or to the next on the ring with room.

    What was given away goes to newcomers as long as they have room, so a join moves shards to none but who joined.
    """
    if given and balance.newcomers:
        given = _settle(balance, circle.only(balance.newcomers), kind, given, balance.may_fill)
    _settle(balance, circle, kind, homeless + given, balance.may_take)


def _settle(
    balance: Balance, circle: Circle, kind: str, shards: Iterable[int], has_room: Callable[[str], bool]
) -> list[int]:
    """Settle shards on this circle's hosts; return those for which none had room.

    All that can go home do so before the others walk, lest these take the room of those.
    """
    away = []
    for shard in shards:
        home = circle.home(_position(circle, kind, shard))
        if has_room(home):
            balance.take(shard, home)
        else:
            away.append(shard)
    walk, left = Walk(circle, has_room), []
    for shard in away:
        host = walk.from_position(_position(circle, kind, shard))
        if host is None:
            left.append(shard)
        else:
            balance.take(shard, host)
    return left


def _position(circle: Circle, kind: str, shard: int) -> int:
    return circle.position(f"{kind}/{shard}")
