"""The consistent-hash ring of hosts, and walks around it that pass by hosts which are full."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache

from hashring import HashRing

from sharding.allocation.bounds import whole

_LEAST_OF_MEAN = 0.125


class Circle:
    """Points on a ring, each a host's; a position belongs to the host of the first point after it.

    hashring gives a host 120 points for the mean weight, so a host's place is the same in every process and release.

    Attributes:
        points: where the points are, ascending.
        hosts: whose each point is.
    """

    def __init__(self, points: list[int], hosts: list[str], position: Callable[[str], int]) -> None:
        self.points = points
        self.hosts = hosts
        self.position = position

    def home(self, position: int) -> str:
        """The host that a position belongs to."""
        return self.hosts[bisect(self.points, position) % len(self.points)]

    def only(self, hosts: Collection[str]) -> Circle:
        """The circle with the points of these hosts alone."""
        kept = [(point, host) for point, host in zip(self.points, self.hosts, strict=True) if host in hosts]
        return Circle([point for point, _ in kept], [host for _, host in kept], self.position)


# Entity types are planned one after the other when members change, each with the same ring; it takes 0.2 s and 20 MB
# for 1,000 hosts. More than the newest is not worth keeping.
@lru_cache(maxsize=1)
def _circle(hosts: tuple[tuple[str, float], ...]) -> Circle:
    ring = HashRing([host for host, _ in hosts], dict(hosts))
    points = sorted(ring.ring)
    return Circle(points, [ring.ring[point] for point in points], ring.gen_key)


def circle_of(hosts: Mapping[str, float]) -> Circle:
    """The ring of these hosts, each with points in proportion to its weight.

    Args:
        hosts: at least one, sorted by name, weights above 0.
    """
    weights = whole(hosts)
    total = sum(weights.values())
    # hashring rounds down, and a host without a point would never be found: the lightest get more than their part.
    parts = {host: max(weight * len(weights) / total, _LEAST_OF_MEAN) for host, weight in weights.items()}
    return _circle(tuple(parts.items()))


class Walk:
    """Looks clockwise for the first open host. A host that was found closed must stay closed.

    It remembers which points it passed in vain, so that a crowded ring takes no longer than an empty one.
    """

    def __init__(self, circle: Circle, is_open: Callable[[str], bool]) -> None:
        self._points = circle.points
        self._hosts = circle.hosts
        self._is_open = is_open
        self._next = list(range(1, len(circle.points) + 1))

    def from_position(self, position: int) -> str | None:
        """The first open host after the position, once around; None when all are closed."""
        return self._seek(bisect(self._points, position)) or self._seek(0)

    def _seek(self, place: int) -> str | None:
        passed = []
        while place < len(self._hosts) and not self._is_open(self._hosts[place]):
            passed.append(place)
            place = self._next[place]
        for closed in passed:
            self._next[closed] = place
        return self._hosts[place] if place < len(self._hosts) else None
