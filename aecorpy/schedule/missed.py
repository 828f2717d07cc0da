"""What becomes of what could not happen at its time, because everything was down, or slow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Late:
    """It happens late, however late, once."""


@dataclass(frozen=True, slots=True)
class Drop:
    """What is later than `after` does not happen any more.

    Args:
        after: how late it may be; more than a move between nodes takes, or that is enough to lose it.

    Raises:
        ValueError: `after` is negative.
    """

    after: timedelta

    def __post_init__(self) -> None:
        if self.after < timedelta(0):
            raise ValueError(f"Drop(after={self.after}): nothing happens before its time, so use 0 or more")


Missed: TypeAlias = Late | Drop


def is_dropped(missed: Missed, late: timedelta) -> bool:
    """Whether what is `late` by so much does not happen any more."""
    return isinstance(missed, Drop) and late > missed.after
