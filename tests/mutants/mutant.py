"""A mutant: one deliberate fault in the real code, put in while a simulation runs and taken out again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.simulation.faults import Draw

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """See above.

    Attributes:
        name: what is wrong with it.
        promise: which promise it breaks; only a violation of that counts as found.
        patch: puts the fault in.
        bound: the number of seeds within which it has to be found.
        play: in which scenario.
        kinds: of the faults, when not some of all.
    """

    name: str
    promise: str
    patch: Patch
    bound: int
    play: str = "faults"
    kinds: tuple[Draw, ...] = ()

    @property
    def scenario(self) -> str:
        """In words."""
        kinds = ", ".join(kind.__name__.replace("_", " ") for kind in self.kinds)
        return f"{self.play}: {kinds}" if kinds else self.play

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The code has the fault while the block runs."""
        with pytest.MonkeyPatch.context() as patches:
            self.patch(patches)
            yield


def replaced(owner: Any, name: str, changed: Callable[[Any], Any]) -> Patch:
    """A patch that puts `changed(original)` in the place of an attribute."""

    def patch(patches: pytest.MonkeyPatch) -> None:
        patches.setattr(owner, name, changed(getattr(owner, name)))

    return patch


def both(*some: Patch) -> Patch:
    """Several patches as one."""

    def patch(patches: pytest.MonkeyPatch) -> None:
        for one in some:
            one(patches)

    return patch
