"""The timers that are due next, in memory."""

from __future__ import annotations

import heapq
from datetime import datetime

_WAITING, _UNDER_WAY, _DONE = range(3)


class NearTimers:
    """All pending timers up to a horizon, in the order in which they are due, each handed out once.

    They come in from two sides that know nothing of each other: events as they happen, and rows that are read. So a
    timer may be noticed twice, and may be over before it is noticed for the last time.

    Args:
        most: how many may wait; when there are twice as many, the later half is forgotten and the horizon drawn nearer.
        horizon: up to when timers are of interest at first.
    """

    def __init__(self, most: int, horizon: datetime) -> None:
        self.horizon = horizon
        self._most = most
        self._heap: list[tuple[datetime, str]] = []
        self._known: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def next_at(self) -> datetime | None:
        """When the next one is due."""
        return self._heap[0][0] if self._heap else None

    def noticed(self, key: str, due: datetime) -> None:
        """There is such a pending timer."""
        if due <= self.horizon and key not in self._known:
            self._known[key] = _WAITING
            heapq.heappush(self._heap, (due, key))
            if len(self._heap) >= 2 * self._most:
                self._forget_later()

    def over(self, key: str) -> None:
        """The view has no such row any more."""
        self._known.pop(key, None)

    def extend(self, horizon: datetime) -> None:
        """From now on, timers up to `horizon` are of interest; whoever says so then reads the rows."""
        self.horizon = horizon

    def cut(self, horizon: datetime) -> None:
        """Rows were read up to `horizon` only."""
        self.horizon = min(self.horizon, horizon)

    def take(self, now: datetime, most: int) -> list[str]:
        """Hand out at most `most` of those that are due; `answered` or `again` says how each went."""
        taken: list[str] = []
        while self._heap and len(taken) < most and self._heap[0][0] <= now:
            _, key = heapq.heappop(self._heap)
            if self._known.get(key) == _WAITING:
                self._known[key] = _UNDER_WAY
                taken.append(key)
        return taken

    def answered(self, key: str, decided: bool) -> None:
        """A timer that was handed out is decided; `decided` if by that, so that the view has yet to drop its row."""
        if not decided:
            self._known.pop(key, None)
        elif key in self._known:
            self._known[key] = _DONE

    def again(self, key: str, at: datetime) -> None:
        """A timer that was handed out could not be told; hand it out once more, from `at` on."""
        if self._known.get(key) == _UNDER_WAY:
            self._known[key] = _WAITING
            heapq.heappush(self._heap, (at, key))

    def _forget_later(self) -> None:
        kept = heapq.nsmallest(self._most, self._heap)
        for _, key in self._heap:
            if self._known.get(key) == _WAITING:
                del self._known[key]
        self._known.update((key, _WAITING) for _, key in kept if key not in self._known)
        self._heap = kept  # sorted, so a heap
        self.cut(kept[-1][0])
