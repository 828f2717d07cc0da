"""A node's own view of its lease: how long it may go on without asking anybody."""

from __future__ import annotations


class Lease:
    """Counts on the node's own clock, from before each renewal was sent, so it ends here before it does in the store.

    Args:
        seconds: how long the store lets it run.
    """

    USABLE = 2 / 3
    RENEW = 1 / 3

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._sent_at = float("-inf")

    def renewed(self, sent_at: float) -> None:
        """A renewal that was sent at `sent_at` was granted."""
        self._sent_at = max(self._sent_at, sent_at)

    def given_up(self) -> None:
        """It counts no more."""
        self._sent_at = float("-inf")

    @property
    def usable_until(self) -> float:
        """Until when the node may run what is its own. The rest is the margin for clocks that differ."""
        return self._sent_at + self.seconds * self.USABLE

    def pause(self, draw: float) -> float:
        """Seconds from one renewal to the next, at most a third of the lease; spread by `draw` in [0, 1)."""
        return self.seconds * self.RENEW * (0.8 + 0.2 * draw)

    def retry_pause(self, draw: float) -> float:
        """Seconds after a renewal that failed."""
        return self.seconds / 20 * (0.5 + draw)
