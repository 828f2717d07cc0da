"""The schedule of these tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from aecorpy import Tagging
from aecorpy.schedule import Drop, Schedule


@dataclass(frozen=True, slots=True)
class Reminder:
    text: str
    places: tuple[int, ...] = ()


class Reminders(Schedule[Reminder]):
    """Fire however late."""

    tagging = Tagging.partitioned(16)


class Meals(Schedule[str]):
    """Are dropped when they are more than 5 s late."""

    missed = Drop(after=timedelta(seconds=5))
    tagging = Tagging.partitioned(4)
