"""Sends values through the codec and back, and says what does not come back as it was."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from aecorpy.behaviour import Behaviour
from aecorpy.command import CommandSpec
from aecorpy.errors import Rejection
from journal.codec import ValueCodec
from journal.errors import BadPayload

V = TypeVar("V")


class DoesNotSurvive(AssertionError):
    """A value could not be stored or sent, or would come back as another. The message names it and says why."""


class RoundTrip:
    """The way through storage and network of everything that one behaviour handles.

    Args:
        behaviour: whose codecs.
    """

    def __init__(self, behaviour: Behaviour[Any]) -> None:
        self._behaviour = behaviour
        self._name = behaviour.entity.__name__

    def event(self, event: V) -> V:
        """`event` as recovery and projections will read it.

        Raises:
            DoesNotSurvive: it cannot be stored, or is not equal to what is read back.
        """
        codec, what = self._behaviour.events, f"{self._name}: event {event!r}"
        try:
            back = codec.decode(*codec.encode(event))
        except BadPayload as error:
            raise DoesNotSurvive(f"{what} cannot be stored: {error}") from error
        return _same(what, event, back)

    def arguments(self, spec: CommandSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a command as an entity on another node gets them, by parameter.

        Raises:
            DoesNotSurvive: they cannot be sent, or are not equal to what arrives.
        """
        codec, what = self._behaviour.arguments[spec.name], f"{self._name}.{spec.name}: its arguments"
        try:
            back = codec.decode(codec.encode(*args, **kwargs))
        except BadPayload as error:
            raise DoesNotSurvive(f"{what} cannot be sent: {error}") from error
        given = dict(inspect.signature(spec.method).bind(None, *args, **kwargs).arguments)
        given.pop(next(iter(inspect.signature(spec.method).parameters)))
        return _same(what, given, back)

    def reply(self, spec: CommandSpec, reply: V) -> V:
        """A command's reply as its caller gets it.

        Raises:
            DoesNotSurvive: it cannot be sent, or is not equal to what arrives.
        """
        return _through(self._behaviour.replies[spec.name], f"{self._name}.{spec.name}: its reply {reply!r}", reply)

    def rejection(self, spec: CommandSpec, rejection: Rejection) -> Rejection:
        """A command's rejection as its caller gets it.

        Raises:
            DoesNotSurvive: it is not declared, cannot be sent, or is not equal to what arrives.
        """
        entity, kind = self._behaviour.entity, type(rejection).__name__
        what = f"{self._name}.{spec.name}: its rejection {rejection!r}"
        if type(rejection) not in entity.rejections:
            raise DoesNotSurvive(f"{what} is not declared: add {kind} to {self._name}.rejections") from rejection
        codec = self._behaviour.rejections
        try:
            back = codec.decode(*codec.encode(rejection))
        except BadPayload as error:
            raise DoesNotSurvive(f"{what} cannot be sent: {error}") from error
        return _same(what, rejection, back)

    def state(self, state: V) -> V:
        """A state as a snapshot gives it back, or, without snapshots, as its type can be encoded.

        Raises:
            DoesNotSurvive: it cannot be stored, or is not equal to what is read back.
        """
        what, codec = f"{self._name}: state {state!r}", self._behaviour.snapshot_codec
        if codec is None or state is None:
            return _through(self._behaviour.state, what, state)
        try:
            back = codec.decode(*codec.encode(state))
        except BadPayload as error:
            raise DoesNotSurvive(f"{what} cannot be stored: {error}") from error
        return _same(what, state, back)


def _through(codec: ValueCodec[Any], what: str, value: V) -> V:
    try:
        back = codec.decode(codec.encode(value))
    except BadPayload as error:
        raise DoesNotSurvive(f"{what} cannot be encoded: {error}") from error
    return _same(what, value, back)


def _same(what: str, value: V, back: Any) -> V:
    if back != value:
        raise DoesNotSurvive(
            f"{what} comes back as {back!r}, which is not equal to it: what differs is not stored, or its class "
            "compares by identity (a frozen dataclass compares by its fields)"
        )
    return back  # type: ignore[no-any-return]  # equal to `value`, and of its type by the codec
