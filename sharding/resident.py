"""When a shard calls its resident up again, and tries again to be opened for it. Pure logic.

    called up --exits for the first time, or a second or more after that--> called up at once
    called up --exits within a second, not for the first time--> pause --> called up
    opening --fails--> pause --> opening

Each pause is about twice the one before it, until an opening succeeds, the resident has lived for a second, or the
shard has a newer epoch.
"""

from __future__ import annotations

from collections.abc import Callable

SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
BRIEF_SECONDS = 1.0


class Resident:
    """What has become of one shard's resident so far. Times are in seconds, `now` on a clock that does not step.

    Args:
        draw: random numbers in [0, 1): a pause is stretched by up to its length again, so that shards that fail
            together do not go on together.
    """

    __slots__ = ("_appeared", "_brief", "_draw", "_failed")

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._appeared = 0.0
        self._brief = 0
        self._failed = 0

    def owned(self) -> None:
        """The shard has a newer epoch: what went wrong before says nothing about it."""
        self._brief = self._failed = 0

    def opened(self) -> None:
        """The shard is open."""
        self._failed = 0

    def not_opened(self) -> float:
        """An opening failed; returns the pause until the next."""
        self._failed += 1
        return self._pause(self._failed)

    def appeared(self, now: float) -> None:
        """It is called up."""
        self._appeared = now

    def exited(self, now: float) -> float:
        """It exited by itself; returns the pause until it is called up again, 0 for at once."""
        self._brief = self._brief + 1 if now - self._appeared < BRIEF_SECONDS else 0
        return self._pause(self._brief - 1) if self._brief > 1 else 0.0

    def _pause(self, time: int) -> float:
        doubled: float = SHORTEST_PAUSE * 2 ** min(time - 1, 16)
        return min(doubled, LONGEST_PAUSE / 2) * (1 + self._draw())
