"""Commands, answers and errors between the entities of nodes."""

from __future__ import annotations

import math
from typing import Any

from aecorpy.behaviour import Behaviour
from aecorpy.errors import AecorError, Fenced, Overloaded, Rejection
from aecorpy.messages import Answer, Command, Refused
from aecorpy.wire import CommandWire, MessageWire
from journal.errors import BadPayload, JournalError
from journal.metadata import Metadata
from tests.aecorpy.samples import Counter, Negative, TooMuch
from tests.aecorpy.test_wire import Order

_BEHAVIOUR: Behaviour[Any] = Behaviour.of(Counter)
_WIRE = CommandWire(_BEHAVIOUR, lambda: 100.0)
_PLAIN = MessageWire("Shop", (Order,))
_METADATA = Metadata("c-1", extra={"user": "ann"}).encode()


def _command(name: str, *args: Any, **kwargs: Any) -> Command:
    return Command(_BEHAVIOUR.commands[name], args, kwargs, _METADATA, 103.5)


_ASKED = _command("add", 1)
COMMANDS = tuple(_WIRE.pack(one) for one in (_ASKED, _command("add_noted", 3, note="why")))
REPLIES = tuple(
    _WIRE.pack_reply("k", _ASKED, reply)
    for reply in (
        Answer(7),
        Refused(Negative(-1)),
        Refused(TooMuch(5, 3)),
        Refused(Fenced("journal booking shard 3", 4, 5)),
        Refused(Overloaded("shard 3", 100)),
    )
)
PLAIN_MESSAGES = tuple(
    _PLAIN.pack(one) for one in (Order(1, ("a", "b")), "text", [1, 2, {"a": None}], 1.5, b"raw", {"k": [True]})
)
_KINDS = (str, int, float, bool, bytes, list, dict, type(None), Order, Refused)


def commands(data: bytes) -> bool:
    """A command; what is accepted names a command of this type and is over at a time."""
    try:
        command = _WIRE.unpack(data)
    except BadPayload as error:
        _check_text(error)
        return False
    assert command.spec is _BEHAVIOUR.commands[command.spec.name]
    assert not math.isnan(command.expires_at)
    assert Metadata.decode(command.metadata)
    _WIRE.pack(command)
    return True


def replies(data: bytes) -> bool:
    """The answer to a command: a value of the declared type, or an error of ours that can be shown and told again."""
    try:
        reply = _WIRE.unpack_reply(_ASKED, data)
    except BadPayload as error:
        _check_text(error)
        return False
    if type(reply) is Answer:
        assert type(reply.value) is int
        return True
    _check_refused(reply)
    return True


def plain_messages(data: bytes) -> bool:
    """A message of a plain actor: plain values, a declared class, or an error of ours."""
    try:
        message = _PLAIN.unpack(data)
    except BadPayload as error:
        _check_text(error)
        return False
    _check_kinds(message)
    if type(message) is Refused:
        _check_refused(message)
    return True


def _check_refused(refused: Any) -> None:
    assert type(refused) is Refused
    error = refused.error
    assert isinstance(error, AecorError | JournalError | Rejection)
    assert error.__traceback__ is None
    assert error.__cause__ is None
    assert isinstance(str(error), str)
    assert isinstance(repr(error), str)


def _check_kinds(message: Any) -> None:
    level = [message]
    while level:
        assert {type(one) for one in level} <= set(_KINDS)
        level = [inner for one in level if type(one) in (list, dict) for inner in _inner(one)]


def _inner(outer: Any) -> list[Any]:
    return [*outer, *outer.values()] if type(outer) is dict else list(outer)


def _check_text(error: BadPayload) -> None:
    assert len(str(error)) < 2_000, "an error repeats what it was given"
