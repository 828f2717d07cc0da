"""Where a test of a behaviour begins: `scenario(Booking).given(events).when(command, arguments)`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from aecorpy.behaviour import Behaviour
from aecorpy.entity import Entity
from aecorpy.errors import ImpossibleEvent
from aecorpy.testing.differences import difference
from aecorpy.testing.outcome import Outcome
from aecorpy.testing.round_trip import RoundTrip
from aecorpy.testing.trial import Attempt, Past
from journal.records import checked_key

S = TypeVar("S")
E = TypeVar("E")
R = TypeVar("R")
P = ParamSpec("P")

START = datetime(2024, 1, 1, 12, tzinfo=UTC)
"""What `Entity.now()` says in a scenario that does not set another time."""


def scenario(entity: type[Entity[S, E]], key: str = "key-1") -> Scenario[S, E]:
    """A scenario in which nothing has happened yet.

    Args:
        entity: the class.
        key: the entity's key.

    Raises:
        InvalidDefinition: the class cannot work as it is; says what to change.
        InvalidName: `key` cannot be a key.
    """
    return Scenario(Behaviour.of(entity), Past(checked_key(key), (), START))


@dataclass(frozen=True, slots=True)
class Scenario(Generic[S, E]):
    """An entity with a past, at a time. It never changes: each method returns another one.

    Args:
        behaviour: what the entity does.
        past: its key, its events, and the time.
    """

    behaviour: Behaviour[Any]
    past: Past

    def at(self, time: datetime) -> Self:
        """The same at another time, which commands see as `self.now()`.

        Raises:
            ValueError: `time` has no zone.
        """
        if time.tzinfo is None:
            raise ValueError(f"time {time!r} has no zone: give it one, such as datetime.UTC")
        return replace(self, past=replace(self.past, time=time.astimezone(UTC)))

    def given(self, *events: E) -> Self:
        """The same, after `events` more.

        Raises:
            DoesNotSurvive: one of them cannot be stored, or would be read back as another.
            ImpossibleEvent: the fold says that one of them cannot follow.
        """
        through = RoundTrip(self.behaviour)
        stored = self.after(tuple([through.event(event) for event in events]))
        through.state(stored.state)
        return stored

    def after(self, events: tuple[E, ...]) -> Self:
        """The same, after `events` which have been through the codec already."""
        return replace(self, past=replace(self.past, events=(*self.past.events, *events)))

    @property
    def events(self) -> tuple[E, ...]:
        """All events so far."""
        return self.past.events

    @property
    def state(self) -> S:
        """The state after all events so far.

        Raises:
            ImpossibleEvent: the fold says that one of them cannot follow.
        """
        return self.behaviour.fold.run(self.past.events)  # type: ignore[no-any-return]  # the fold's state is S

    def when(
        self, command: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs
    ) -> Outcome[S, E, R]:
        """Run a command, such as `Booking.place`, with its arguments. One that awaits runs in a loop of its own.

        Raises:
            InvalidDefinition: it is no command of this entity.
            DoesNotSurvive: an argument, event, reply, rejection or state cannot be stored or sent.
            AssertionError: the command did what no command may do: a query appended, or the state was changed other
                than by events.
            RuntimeError: it awaits, and this thread runs a loop: use `when_async`.
        """
        return Outcome(self, Attempt(self.behaviour, self.past, command, args, kwargs).run())

    async def when_async(
        self, command: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs
    ) -> Outcome[S, E, R]:
        """As `when`, in the running loop, for commands that await something of it."""
        return Outcome(self, await Attempt(self.behaviour, self.past, command, args, kwargs).run_async())

    def expect_state(self, state: S) -> Self:
        """The events so far lead to `state`.

        Raises:
            AssertionError: they lead to another.
        """
        __tracebackhide__ = True
        if self.state != state:
            raise AssertionError(difference(f"{self._name}: the state", state, self.state))
        return self

    def expect_impossible(self, *events: E) -> Self:
        """Each of `events` alone cannot follow, as the fold says.

        Raises:
            AssertionError: one of them can.
        """
        __tracebackhide__ = True
        for event in events:
            try:
                after = self.behaviour.fold.after(self.state, event)
            except ImpossibleEvent:
                continue
            raise AssertionError(f"{self._name}: {event!r} should be impossible after {self.state!r}; gave {after!r}")
        return self

    @property
    def _name(self) -> str:
        return self.behaviour.entity.__name__
