"""When an entity's state is kept, so that recovery need not fold its whole history."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Snapshotting:
    """Keep a snapshot each time an entity's version passes a multiple of `every` (also when a batch jumps over it)."""

    every: int

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"Snapshotting(every={self.every}): use 1 or more events")

    def is_due(self, before: int, after: int) -> bool:
        """Whether going from version `before` to `after` passes a multiple of `every`."""
        return before // self.every != after // self.every
