"""Pauses between tries: they grow, and are spread so that many do not try at the same moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """On an event that cannot be handled, hold its tag and try again, for ever, with growing pauses (in seconds)."""

    first_pause: float = 0.2
    longest_pause: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.first_pause <= self.longest_pause:
            raise ValueError(f"{self!r}: pauses are above 0 seconds, and the first one is not above the longest")

    def pause(self, attempt: int, draw: float) -> float:
        """The pause after the `attempt`-th failure (from 1), spread over 75 to 125 % by `draw` in [0, 1)."""
        doubled: float = self.first_pause * 2.0 ** min(attempt - 1, 30)
        return min(doubled, self.longest_pause) * (0.75 + draw / 2)
