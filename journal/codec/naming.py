"""The names under which types lie in the journal, so that renaming a class changes nothing stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

C = TypeVar("C", bound=type)

MAX_NAME_BYTES = 200
MAX_VERSION = 2**31 - 1  # what every store has a column for: beyond it, all appends of a batch would fail
_ATTRIBUTE = "__stored_as__"


class StoredAs(NamedTuple):
    """A type's name in the journal, and the version of its shape (1, 2, 3, …)."""

    name: str
    version: int


def event(name: str, *, version: int = 1) -> Callable[[C], C]:
    """Give an event's class its name and version in the journal.

    It only leaves a mark on the class: nothing is registered anywhere. The mark is not inherited.

    Args:
        name: what stands in the journal, for ever; any text of at most 200 bytes.
        version: raise it whenever the class's fields change (see docs/codec.md), and add an upcaster.

    Raises:
        ValueError: the name is empty, too long or not valid text, or the version is none.
        TypeError: it is the class, as where `@event` stands without a name.
    """
    return _mark("event", name, version)


def snapshot(name: str, *, version: int = 1) -> Callable[[C], C]:
    """Give a state's class its name and version among the snapshots. The same mark as `event`.

    Args:
        name: what stands beside the snapshot; any text of at most 200 bytes.
        version: raise it whenever the class's fields change, and add an upcaster.

    Raises:
        ValueError, TypeError: as `event`.
    """
    return _mark("snapshot", name, version)


def stored_as(cls: Any) -> StoredAs | None:
    """The name and version that `event` or `snapshot` gave this very class, or None."""
    marked = vars(cls).get(_ATTRIBUTE) if isinstance(cls, type) else None
    return marked if isinstance(marked, StoredAs) else None


def _mark(decorator: str, name: str, version: int) -> Callable[[C], C]:
    if isinstance(name, type):
        raise TypeError(f"{name.__name__}: give it a name in the journal, @{decorator}({name.__name__!r})")
    stored = StoredAs(_checked(name), version)
    if type(version) is not int or not 1 <= version <= MAX_VERSION:
        raise ValueError(f"version {version!r} of {name!r}: versions are 1, 2, 3, …, at most {MAX_VERSION}")

    def mark(cls: C) -> C:
        if not isinstance(cls, type):
            raise TypeError(f"@{decorator}({name!r}) stands above a class, not above {cls!r}")
        setattr(cls, _ATTRIBUTE, stored)
        return cls

    return mark


def _checked(name: str) -> str:
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"name {name!r}: use text that is not empty and holds no NUL")
    if len(name.encode(errors="replace")) > MAX_NAME_BYTES or not name.isprintable():
        raise ValueError(f"name {name!r}: use at most {MAX_NAME_BYTES} bytes of printable text")
    return name
