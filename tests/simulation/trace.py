"""What happened in a simulation, readable, and in one number to compare runs by."""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import Final

from tests.simulation.loop import SimLoop
from tests.simulation.nodes import current_node

_TAIL: Final = 60  # lines that a failure shows


class Trace:
    """Lines of virtual time, node and what happened.

    Args:
        loop: whose time it is.
        keep: how many lines to keep, the newest; all of them count for `digest`.
    """

    def __init__(self, loop: SimLoop, *, keep: int = 100_000) -> None:
        self._loop = loop
        self._hash = blake2b(digest_size=16)
        self.lines: deque[str] = deque(maxlen=keep)

    def say(self, what: str, node: str | None = None) -> None:
        """Note what happened, on the current node unless another is named."""
        line = f"{self._loop.now:12.6f} {node or current_node() or 'world'!s:<8} {what}"
        self.lines.append(line)
        self._hash.update(line.encode() + b"\n")

    @property
    def digest(self) -> str:
        """Of all lines and of the whole schedule: equal only for equal runs."""
        whole = self._hash.copy()
        whole.update(f"{self._loop.steps} {self._loop.schedule_hash}".encode())
        return whole.hexdigest()

    def tail(self, count: int = _TAIL) -> str:
        """The newest lines."""
        return "\n".join(list(self.lines)[-count:])
