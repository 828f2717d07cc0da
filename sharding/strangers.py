"""Requests of members that joined so lately that this node has not heard of them: no answer would reach them yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from sharding.protocol import Flush, Request
from sharding.shard import MAX_WAITING

MAX_STRANGERS = 100


class Strangers:
    """Keeps what strangers sent, in order and within bounds, until they are known."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[Request | Flush]] = {}

    def keep(self, message: Request | Flush) -> bool:
        """Keep a message for when its origin is known; False when there are too many strangers already."""
        waiting = self._waiting.get(message.origin)
        if waiting is None:
            if len(self._waiting) >= MAX_STRANGERS:
                return False
            waiting = self._waiting[message.origin] = deque()
        if len(waiting) < MAX_WAITING:
            waiting.append(message)
        return True

    def known(self, incarnation: int) -> Iterable[Request | Flush]:
        """It is no stranger any more, or will never be known: what it sent, in order."""
        return self._waiting.pop(incarnation, ())

    def forget(self) -> None:
        """Forget all of them."""
        self._waiting.clear()
