"""Old payloads made new, before any class sees them.

An upcaster works on the raw payload (what msgpack gives: dicts, lists and plain values) of one version of one name.
Chained, they lead from any version ever stored to the one this program has a class for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from journal.codec.errors import BadUpcasters, MissingUpcaster, NewerVersion, UnknownType, UpcastFailed
from journal.codec.shapes import exception_text, shown

Upcast = Callable[[Any], Any]


class Upcaster(NamedTuple):
    """One step: takes the raw payload of `name` in `version` to `to_name` in `to_version`. Made by `upcast`."""

    name: str
    version: int
    function: Upcast
    to_name: str
    to_version: int


def upcast(
    name: str, version: int, *, to: str | None = None, to_version: int | None = None
) -> Callable[[Upcast], Upcaster]:
    """Make a function the upcaster from `version` of `name` to the next.

    The function gets the raw payload, which it may change, and returns the new one. It may also return
    `(other_name, raw)` when the payload itself decides what the event is now called; the version is then still
    `to_version`.

    Args:
        name: the name in the journal as it was stored, even if no class has it any more.
        version: the version it starts from.
        to: the name it leads to, where the event was renamed; the same name by default.
        to_version: the version it leads to; the next by default.
    """

    def step(function: Upcast) -> Upcaster:
        return Upcaster(name, version, function, to or name, version + 1 if to_version is None else to_version)

    return step


class Upcasting:
    """All upcasters of one codec.

    Args:
        upcasters: the steps, in any order.
        current: the version of each name that this program has a class for.

    Raises:
        BadUpcasters: two start from the same version of a name, some form a cycle, or a chain misses the version that
            this program has a class for.
    """

    def __init__(self, upcasters: Iterable[Upcaster], current: Mapping[str, int]) -> None:
        self._current = current
        self._steps: dict[tuple[str, int], Upcaster] = {}
        for step in upcasters:
            if (step.name, step.version) in self._steps:
                raise BadUpcasters(f"two upcasters start from version {step.version} of {step.name!r}")
            self._steps[step.name, step.version] = step
        for step in self._steps.values():
            self._follow(step)

    def check(self, name: str, version: int) -> None:
        """Refuse a name and version from which no step leads on, before the payload is looked at.

        Raises:
            UnknownType, NewerVersion, MissingUpcaster: which of them it is.
        """
        if (name, version) not in self._steps and self._current.get(name) != version:
            raise self._no_way_on(name, version)

    def apply(self, name: str, version: int, plain: Any) -> tuple[str, Any]:
        """Take a raw payload to a name and version that this program has a class for; the name, and the new payload.

        Raises:
            UnknownType, NewerVersion, MissingUpcaster: no step leads on.
            UpcastFailed: a step raised, or returned no payload.
        """
        # More steps than there are upcasters can only come from names that upcasters choose by the payload.
        for _ in range(len(self._steps) + 1):
            if self._current.get(name) == version:
                return name, plain
            self.check(name, version)
            name, version, plain = _taken(self._steps[name, version], plain)
        raise UpcastFailed(name, version, "the upcasters lead in a circle")

    def _follow(self, start: Upcaster) -> None:
        """Check that the declared steps from `start` on lead to a class."""
        self._check_start(start)
        passed, step = [start], start
        while self._current.get(step.to_name) != step.to_version:
            following = self._steps.get((step.to_name, step.to_version))
            if following is None:
                return self._check_end(step)
            passed.append(following)
            if following in passed[:-1]:
                circle = " → ".join(f"{one.name!r} {one.version}" for one in passed)
                raise BadUpcasters(f"the upcasters lead in a circle: {circle}")
            step = following
        return None

    def _check_start(self, start: Upcaster) -> None:
        known = self._current.get(start.name)
        if known is not None and start.version >= known:
            raise BadUpcasters(
                f"an upcaster starts from version {start.version} of {start.name!r}, "
                f"but its class is in version {known}: raise the version of the class"
            )

    def _check_end(self, last: Upcaster) -> None:
        # Unknown names are another codec's: a program may hand all its upcasters to each.
        if last.to_name in self._current:
            raise BadUpcasters(
                f"the upcasters end at version {last.to_version} of {last.to_name!r}: "
                f"{self._no_way_on(last.to_name, last.to_version)}"
            )

    def _no_way_on(self, name: str, version: int) -> UnknownType | NewerVersion | MissingUpcaster:
        known = self._current.get(name)
        if known is not None and version > known:
            return NewerVersion(name, version, known)
        if known is None and not any(step.name == name for step in self._steps.values()):
            return UnknownType(f"type {shown(name)} (version {version})", self._current)
        return MissingUpcaster(name, version)


def _taken(step: Upcaster, plain: Any) -> tuple[str, int, Any]:
    try:
        result = step.function(plain)
    except Exception as error:  # the user's function may raise anything; it becomes the reason
        raise UpcastFailed(step.name, step.version, exception_text(error)) from error
    name, payload = result if isinstance(result, tuple) and len(result) == 2 else (step.to_name, result)
    if not isinstance(name, str) or (payload is None and plain is not None):
        raise UpcastFailed(step.name, step.version, f"it returned {type(payload).__name__}: return the new payload")
    return name, step.to_version, payload
