"""What is ready to run, and the seeded draw of what runs next."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import TypeVar

from tests.simulation.nodes import Node

T = TypeVar("T")


class Order(Enum):
    """In which order ready callbacks may run.

    Attributes:
        ANY: any order. More than asyncio does: it finds what relies on order without need.
        BY_NODE: those of one node in the order in which they became ready, as asyncio promises; the nodes, which are
            processes, in any order among each other.
    """

    ANY = "any"
    BY_NODE = "by node"


class Ready:
    """Callbacks that are ready, of which `draw` takes the next."""

    def __init__(self, draws: random.Random, order: Order) -> None:
        self._random = draws.random
        self._order = order
        self._all: list[tuple[Node, asyncio.Handle]] = []
        self._by_node: dict[Node, deque[asyncio.Handle]] = {}
        self._nodes: list[Node] = []

    def __bool__(self) -> bool:
        return bool(self._all or self._nodes)

    def add(self, node: Node, handle: asyncio.Handle) -> None:
        """It can run now."""
        if self._order is Order.ANY:
            self._all.append((node, handle))
            return
        queue = self._by_node.setdefault(node, deque())
        if not queue:
            self._nodes.append(node)
        queue.append(handle)

    def draw(self) -> tuple[Node, asyncio.Handle]:
        """Take the next one."""
        if self._order is Order.ANY:
            return _drawn(self._all, self._random())
        node = _drawn(self._nodes, self._random())
        queue = self._by_node[node]
        handle = queue.popleft()
        if queue:
            self._nodes.append(node)
        return node, handle

    def take(self, node: Node) -> list[asyncio.Handle]:
        """Take all of one node out, in their order."""
        if self._order is Order.ANY:
            taken = [handle for owner, handle in self._all if owner is node]
            self._all = [(owner, handle) for owner, handle in self._all if owner is not node]
            return taken
        self._nodes = [other for other in self._nodes if other is not node]
        return list(self._by_node.pop(node, ()))

    def put_back(self, node: Node, handles: Iterable[asyncio.Handle]) -> None:
        """Add several, in their order."""
        for handle in handles:
            self.add(node, handle)


def _drawn(items: list[T], draw: float) -> T:
    """Take an item out by a draw in [0, 1), in constant time."""
    place = int(draw * len(items))
    items[place], items[-1] = items[-1], items[place]
    return items.pop()
