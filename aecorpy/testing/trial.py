"""Runs one command the way the runtime does, in this thread, and checks what no command may do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aecorpy.behaviour import Behaviour
from aecorpy.command import CommandSpec
from aecorpy.entity import Entity
from aecorpy.errors import AecorError, InvalidDefinition, Rejection
from aecorpy.testing.round_trip import RoundTrip


@dataclass(frozen=True, slots=True)
class Past:
    """Where a command starts: an entity's key, its events so far, and the time."""

    key: str
    events: tuple[Any, ...]
    time: datetime


@dataclass(frozen=True, slots=True)
class Trial:
    """What a command did. Either `error` is None, or there are no `events` and no `reply`.

    Args:
        title: which command, for messages.
        events: what it appended, as they will be read back.
        reply: what its caller gets.
        error: the rejection it raised, or the failure.
        state: the entity's state afterwards.
    """

    title: str
    events: tuple[Any, ...]
    reply: Any
    error: BaseException | None
    state: Any


class _Clock:
    """The part of a runtime that a command can see: the time."""

    def __init__(self, time: datetime) -> None:
        self._time = time

    def clock(self) -> datetime:
        return self._time

    def receive(self, entity: Entity[Any, Any], message: Any, sender: Any) -> None:
        raise AecorError(f"{type(entity).__name__} {entity.key!r} runs in a test without actors: no message reaches it")


def command_spec(behaviour: Behaviour[Any], method: Callable[..., Any]) -> CommandSpec:
    """The command that `method` is, given as `Booking.place` or of a class that `Booking` derives from.

    Raises:
        InvalidDefinition: it is no command of the entity.
    """
    name = getattr(method, "__name__", repr(method))
    spec = behaviour.commands.get(name)
    defined = [vars(cls).get(name) for cls in behaviour.entity.__mro__]
    if spec is None or method not in defined:
        entity = behaviour.entity.__name__
        raise InvalidDefinition(f"{name!r} is no command of {entity}; its commands are {', '.join(behaviour.commands)}")
    return spec


class Attempt:
    """One command, about to run on an entity with a past.

    Args:
        behaviour: what the entity does.
        past: where it starts.
        method, args, kwargs: the command, as `Booking.place`, and its arguments.
    """

    def __init__(
        self,
        behaviour: Behaviour[Any],
        past: Past,
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._behaviour = behaviour
        self._past = past
        self._through = RoundTrip(behaviour)
        self._spec = command_spec(behaviour, method)
        self._title = f"{behaviour.entity.__name__}.{self._spec.name}"
        self._arguments = self._through.arguments(self._spec, args, kwargs)
        self._entity = behaviour.blank(past.key)
        self._entity._runtime = _Clock(past.time)
        # A copy of the state, so that a command that changes it in place does not change what it is compared with.
        self._entity._state, self._entity._seq_nr = self._through.state(self._folded(())), len(past.events)

    def run(self) -> Trial:
        """Run it to its end, in a loop of its own if it awaits.

        Raises:
            DoesNotSurvive: a value cannot be stored or sent.
            AssertionError: the command did what no command may do.
            RuntimeError: it awaits, and this thread runs a loop: use `run_async`.
        """
        if self._spec.suspends and _loop_is_running():
            raise RuntimeError(f"{self._title} awaits, and a loop runs here already: use `await ….when_async(…)`")
        running = self._spec.method(self._entity, **self._arguments)
        try:
            reply = _run_in_new_loop(running) if self._spec.suspends else _run_at_once(running)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this command's outcome
            return self._refused(error)
        finally:
            running.close()
        return self._done(reply)

    async def run_async(self) -> Trial:
        """As `run`, in the running loop."""
        try:
            reply = await self._spec.method(self._entity, **self._arguments)
        except Exception as error:  # noqa: BLE001 - as above
            return self._refused(error)
        return self._done(reply)

    def _done(self, reply: Any) -> Trial:
        appended = tuple(self._entity._appended or ())
        if appended and self._spec.read_only:
            raise AssertionError(f"{self._title} is declared with @query, so it may not append: {appended!r}")
        events = tuple([self._through.event(event) for event in appended])
        state = self._folded(events)
        if self._entity.state != state:
            raise AssertionError(_changed_in_place(self._title, state, self._entity.state))
        return Trial(self._title, events, self._through.reply(self._spec, reply), None, self._through.state(state))

    def _refused(self, error: Exception) -> Trial:
        state = self._folded(self._entity._appended or ())
        if self._entity.state != state:
            raise AssertionError(_changed_in_place(self._title, state, self._entity.state)) from error
        if isinstance(error, Rejection):
            self._through.rejection(self._spec, error)
        return Trial(self._title, (), None, error, self._folded(()))

    def _folded(self, appended: Sequence[Any]) -> Any:
        return self._behaviour.fold.run((*self._past.events, *appended))


def _changed_in_place(title: str, folded: Any, found: Any) -> str:
    return (
        f"{title} changed the state other than by append(): its events lead to {folded!r}, the command left {found!r}"
    )


def _run_at_once(running: Coroutine[Any, Any, Any]) -> Any:
    try:
        running.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the command suspended although its code holds no await")


def _run_in_new_loop(running: Coroutine[Any, Any, Any]) -> Any:
    # With a factory of its own a Runner leaves the thread's current loop, such as a test runner's, alone.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(running)


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
