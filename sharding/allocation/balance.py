"""The state of an allocation that is being worked out: what hosts may still give and take to end within their quotas.

First shards are given away, until no host may give, then those that wait are taken in. Whatever a strategy picks on the
way, it ends with every host within its quota after the fewest moves: that is decided here, the picks are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace

from sharding.allocation.bounds import Tolerance, gap, quotas


class Balance:
    """Owners on their way from one allocation to the next.

    Attributes:
        owners: for each shard its host, None while it waits for one.
        waiting: the shards without a host: first those that came homeless, then those given away.
        newcomers: the hosts that own nothing yet, or less than their least.
        to_give: how many shards have to be given away in all.
    """

    def __init__(self, hosts: Mapping[str, float], owners: Sequence[str | None], tolerance: Tolerance) -> None:
        self.owners = list(owners)
        self.waiting = [shard for shard, owner in enumerate(owners) if owner is None]
        self._weights = hosts
        self._counts = dict.fromkeys(hosts, 0)
        for owner in owners:
            if owner is not None:
                self._counts[owner] += 1
        self._quotas = quotas(len(owners), hosts, tolerance)
        found = gap(self._counts, len(self.waiting), self._quotas)
        self.to_give = found.to_give
        self.newcomers = frozenset(host for host, count in self._counts.items() if count == 0 or self.lacks(host))
        # Beyond what hosts have too many of, and beyond what others lack: each may be used up by anyone who is within.
        self._spare_gives = found.to_give - found.over
        self._spare_takes = found.homeless + found.to_give - found.under

    def lacks(self, host: str) -> int:
        """How many shards the host is short of its least."""
        return max(0, self._quotas[host].least - self._counts[host])

    def may_give(self, host: str) -> bool:
        """Whether a shard has to or may leave the host. Once False, it stays so."""
        count, quota = self._counts[host], self._quotas[host]
        return count > quota.most or (self._spare_gives > 0 and count > quota.least)

    def give(self, shard: int) -> None:
        """Take the shard from its host, which may give it, and let it wait."""
        host = self.owners[shard]
        assert host is not None, "a shard that waits cannot be given away"
        if self._counts[host] <= self._quotas[host].most:
            self._spare_gives -= 1
        self._counts[host] -= 1
        self.owners[shard] = None
        self.waiting.append(shard)

    def may_take(self, host: str) -> bool:
        """Whether a waiting shard has to or may come to the host. Once False, it stays so.

        As long as a shard waits, some host may take it.
        """
        count, quota = self._counts[host], self._quotas[host]
        return count < quota.least or (self._spare_takes > 0 and count < quota.ease)

    def may_fill(self, host: str) -> bool:
        """The same for a host that is to be filled to the brim if need be."""
        count, quota = self._counts[host], self._quotas[host]
        return count < quota.least or (self._spare_takes > 0 and count < quota.most)

    def take(self, shard: int, host: str) -> None:
        """Give the waiting shard to the host, which may take it. `waiting` is the caller's to go through."""
        if self._counts[host] >= self._quotas[host].least:
            self._spare_takes -= 1
        self._counts[host] += 1
        self.owners[shard] = host

    def fullest(self) -> Iterator[str]:
        """The host that is fullest for its weight, again and again, as long as one may give. Give after each step."""
        return self._in_turn(-1)

    def emptiest(self) -> Iterator[str]:
        """The host that is emptiest for its weight, again and again, as long as one may take. Take after each step."""
        return self._in_turn(1)

    def _in_turn(self, sign: int) -> Iterator[str]:
        allowed = self.may_take if sign > 0 else self.may_give
        heap = [(sign * self._counts[host] / weight, host) for host, weight in self._weights.items()]
        heapify(heap)
        while heap:
            host = heap[0][1]
            if not allowed(host):
                heappop(heap)
                continue
            yield host
            heapreplace(heap, (sign * self._counts[host] / self._weights[host], host))

    def settled(self) -> list[str]:
        """The owners, once every shard has one."""
        return [owner for owner in self.owners if owner is not None]
