"""Timers by the virtual time at which they are due."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator

from tests.simulation.nodes import Node


class Timers:
    """Callbacks that wait for a time. Those due at the same time come in the order in which they were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Node, asyncio.TimerHandle]] = []
        self._set = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: float, node: Node, handle: asyncio.TimerHandle) -> None:
        """Let it wait until `due`."""
        self._set += 1
        heapq.heappush(self._heap, (due, self._set, node, handle))

    def take_due(self, now: float) -> Iterator[tuple[Node, asyncio.TimerHandle]]:
        """Take out those that are due, without the cancelled ones."""
        while self._heap and self._heap[0][0] <= now:
            _, _, node, handle = heapq.heappop(self._heap)
            if not handle.cancelled():
                yield node, handle

    def next_due(self) -> float | None:
        """When the next one is due that is not cancelled."""
        while self._heap and self._heap[0][3].cancelled():
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def one_cancelled(self) -> None:
        """One of them was cancelled: forget all such when they are many."""
        self._cancelled += 1
        if self._cancelled > 1_000 and self._cancelled > len(self._heap) // 2:
            self._heap = [timer for timer in self._heap if not timer[3].cancelled()]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def clear(self) -> None:
        """Forget all."""
        self._heap.clear()
