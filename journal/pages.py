"""How many events are read at a time: ever more while they are small, few where they are large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from journal.records import StoredEvent

FIRST: Final = 64  # events, while nothing is known of their size
MOST_BYTES: Final = 8 << 20


class PageSize:
    """The size of a reader's next page, which follows from what the last one held.

    A page's bytes are known only when it is there, so the first has few events, and a stream whose events become large
    at once has one page of them.

    Args:
        most: events of a page.
        most_bytes: payloads and metadata that a page should hold at most.

    Attributes:
        events: how many to read next.
    """

    def __init__(self, most: int, most_bytes: int = MOST_BYTES) -> None:
        self.events = min(FIRST, most)
        self._most = most
        self._most_bytes = most_bytes

    def read(self, page: Sequence[StoredEvent]) -> None:
        """Learn from a page, which holds an event or more."""
        size = sum([len(event.payload) + len(event.metadata) for event in page])
        fitting = len(page) * self._most_bytes // max(1, size)
        self.events = max(1, min(self.events * 2, fitting, self._most))
