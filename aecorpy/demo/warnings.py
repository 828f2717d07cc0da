"""What the libraries warned of during a run; a killed node makes them warn, so it is only shown when a run fails."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

LINES_KEPT = 30


class Warnings(logging.Handler):
    """Keeps the last ones.

    Attributes:
        kept: as text.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: deque[str] = deque(maxlen=LINES_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.kept.append(f"{record.name}: {record.getMessage()}")


@contextmanager
def kept_warnings() -> Iterator[Warnings]:
    """Keep what is logged within the block, instead of printing it."""
    handler, root = Warnings(), logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
