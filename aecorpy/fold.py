"""State from events. `Fold` and `Folded` are Aecor's: a fold that cannot follow an event says so, and names both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from aecorpy.errors import ImpossibleEvent

S = TypeVar("S")
T = TypeVar("T")
E = TypeVar("E")


@dataclass(slots=True)  # not frozen: it is made once per event of every recovery, and frozen ones take thrice the time
class Next(Generic[S]):
    """The event follows; this is the state after it."""

    state: S


@dataclass(frozen=True, slots=True)
class Impossible:
    """The event cannot follow the state: a bug in a command, or a journal that belongs to other code."""

    reason: str


Folded: TypeAlias = Next[S] | Impossible


@dataclass(frozen=True)  # no slots: with both, `Fold[int, Added](…)` raises
class Fold(Generic[S, E]):
    """How an entity's state follows from its events.

    Args:
        initial: the state before the first event.
        reduce: the state after one more event, as `Next`, or `Impossible` with the reason. It must be a pure function.
    """

    initial: S
    reduce: Callable[[S, E], Folded[S]]

    @staticmethod
    def optional(create: Callable[[E], Folded[T]], update: Callable[[T, E], Folded[T]]) -> Fold[T | None, E]:
        """A fold whose state is None until the first event.

        Args:
            create: the state after the first event.
            update: the state after a later one.
        """

        def reduce(state: T | None, event: E) -> Any:
            return create(event) if state is None else update(state, event)

        return Fold(None, reduce)

    def after(self, state: S, event: E) -> S:
        """The state after `event`.

        Raises:
            ImpossibleEvent: the event cannot follow; names both.
        """
        folded = self.reduce(state, event)
        if type(folded) is Next:
            return folded.state
        if isinstance(folded, Impossible):
            raise ImpossibleEvent(event, state, folded.reason)
        raise ImpossibleEvent(event, state, f"the fold returned {folded!r}, neither Next nor Impossible")

    def run(self, events: Iterable[E]) -> S:
        """The state after `events`, from the initial one.

        Raises:
            ImpossibleEvent: one of them cannot follow.
        """
        state = self.initial
        for event in events:
            state = self.after(state, event)
        return state
