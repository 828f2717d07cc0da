"""How others would place shards, coded for comparison only: Akka's strategies, plain ring, rendezvous and jump hashing.

Each knows nodes of equal weight and no bounds. Akka's work in rounds, by default ten seconds apart; here the next round
begins at once, and goes on until one finds nothing to do.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from hashlib import md5
from heapq import heapify, heapreplace
from typing import NamedTuple

from hashring import HashRing


class Outcome(NamedTuple):
    """Who owns each shard in the end, how many hand-offs that took, and in how many rounds."""

    owners: list[str]
    handed_off: int
    rounds: int


Placement = Callable[[Sequence[str], Sequence[str | None]], Outcome]
Shards = dict[str, list[int]]


def by_hash(place: Callable[[Sequence[str], int], list[str]]) -> Placement:
    """A placement that depends on the present nodes alone: every shard that it puts elsewhere moves, in one round."""

    def placement(nodes: Sequence[str], owners: Sequence[str | None]) -> Outcome:
        after = place(nodes, len(owners))
        moved = sum(old != new for old, new in zip(owners, after, strict=True))
        return Outcome(after, moved, 1)

    return placement


def plain_ring(nodes: Sequence[str], shards: int) -> list[str]:
    """hashring as it comes: 120 points for each node."""
    ring = HashRing(list(nodes))
    return [str(ring.get_node(f"shard-{shard}")) for shard in range(shards)]


def ring_of_ten(nodes: Sequence[str], shards: int) -> list[str]:
    """A ring with 10 points for each node, as in Akka's ConsistentHashingShardAllocationStrategy."""
    points = sorted((_hashed(f"{node}#{point}"), node) for node in nodes for point in range(10))
    places = [place for place, _ in points]
    return [points[bisect(places, _hashed(f"shard-{shard}")) % len(points)][1] for shard in range(shards)]


def rendezvous(nodes: Sequence[str], shards: int) -> list[str]:
    """The node whose hash together with the shard's number is highest (Thaler, Ravishankar 1996)."""
    return [max(nodes, key=lambda node: _hashed(f"{node}/{shard}")) for shard in range(shards)]


def jump(nodes: Sequence[str], shards: int) -> list[str]:
    """Jump hashing (Lamping, Veach 2014) over nodes in the order they joined; behind a leaver they move up."""
    return [nodes[_jump(_hashed(f"shard-{shard}"), len(nodes))] for shard in range(shards)]


def akka_least_old(nodes: Sequence[str], owners: Sequence[str | None]) -> Outcome:
    """Akka's first least-shard strategy, with threshold 1: one shard from the fullest to the emptiest in each round."""

    def surplus(held: Shards) -> list[int]:
        fullest, emptiest = max(held.values(), key=len), min(held.values(), key=len)
        return sorted(fullest)[:1] if len(fullest) - len(emptiest) > 1 else []

    return _in_rounds(nodes, owners, surplus)


def akka_least_new(nodes: Sequence[str], owners: Sequence[str | None]) -> Outcome:
    """Akka's newer one, at most 20 shards or a tenth a round: what exceeds the mean rounded up, then the rest."""

    def surplus(held: Shards) -> list[int]:
        best = -(-sum(map(len, held.values())) // len(held))
        limit = max(1, min(len(owners) // 10, 20))
        by_size = sorted(held.values(), key=len)
        above = [shard for shards in by_size for shard in shards[: max(0, len(shards) - best)]]
        if above:
            return above[:limit]
        missing = sum(max(0, best - 1 - len(shards)) for shards in by_size)
        return [shards[0] for shards in by_size if len(shards) >= best][: min(missing, limit)]

    return _in_rounds(nodes, owners, surplus)


def _in_rounds(nodes: Sequence[str], owners: Sequence[str | None], surplus: Callable[[Shards], list[int]]) -> Outcome:
    held: Shards = {node: [] for node in nodes}
    for shard, owner in enumerate(owners):
        if owner in held:
            held[owner].append(shard)
    settled = {shard for shards in held.values() for shard in shards}
    moving = [shard for shard in range(len(owners)) if shard not in settled]
    handed_off = rounds = 0
    while True:
        _to_emptiest(held, moving)
        handed_off += len(moving)
        moving = surplus(held)
        if not moving:
            break
        rounds += 1
        chosen = set(moving)
        for node, shards in held.items():
            if not chosen.isdisjoint(shards):
                held[node] = [shard for shard in shards if shard not in chosen]
    return Outcome(_owners(held, len(owners)), handed_off, rounds)


def _to_emptiest(held: Shards, shards: Sequence[int]) -> None:
    heap = [(len(own), node) for node, own in held.items()]
    heapify(heap)
    for shard in shards:
        size, node = heap[0]
        held[node].append(shard)
        heapreplace(heap, (size + 1, node))


def _owners(held: Shards, count: int) -> list[str]:
    owners = [""] * count
    for node, shards in held.items():
        for shard in shards:
            owners[shard] = node
    return owners


def _hashed(text: str) -> int:
    return int.from_bytes(md5(text.encode(), usedforsecurity=False).digest()[:8], "big")


def _jump(key: int, buckets: int) -> int:
    chosen, following = -1, 0
    while following < buckets:
        chosen = following
        key = (key * 2862933555777941757 + 1) % 2**64
        following = int((chosen + 1) * (2**31 / ((key >> 33) + 1)))
    return chosen
