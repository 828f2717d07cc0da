"""How histories are broken: a record is changed, left out or added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.checker.good import changed, the, without
from tests.checker.records import (
    Record,
)

History = list[Record]
Shows = Callable[[Record], bool]


@dataclass(frozen=True)
class Broken:
    """One of them; `shows` says whether a record is the one that shows it."""

    name: str
    promise: str
    invariant: str
    make: Callable[[History], History]
    shows: Shows


def is_a(kind: type, /, **fields: Any) -> Shows:
    """Whether a record is of a kind, with these values."""
    return lambda record: isinstance(record, kind) and all(getattr(record, name) == fields[name] for name in fields)


def changes(kind: type, which: dict[str, Any], **fields: Any) -> Callable[[History], History]:
    """The history with other values in one record."""
    return lambda history: changed(history, the(history, kind, **which), **fields)


def lacks(kind: type, /, **fields: Any) -> Callable[[History], History]:
    """The history without one record."""
    return lambda history: without(history, the(history, kind, **fields))


def adds(*records: Record) -> Callable[[History], History]:
    """The history with more records."""
    return lambda history: [*history, *records]
