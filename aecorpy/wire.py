"""Commands, answers and errors as bytes between nodes. All of it is msgpack, in types that the program declared."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from typing import Any, Final

import msgpack

from aecorpy import errors
from aecorpy.behaviour import Behaviour
from aecorpy.messages import Answer, Command, Refused
from journal.codec import PayloadCodec
from journal.errors import BadPayload, JournalError
from journal.metadata import Cause, Metadata

_ANSWER, _REJECTION, _ERROR = range(3)
_INTS: Final = range(-(2**63), 2**64)  # msgpack's

# Every error of ours that a caller may be told; what crosses the wire can name no other class.
_ERRORS: Final[dict[str, type[Exception]]] = {
    name: kind
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type) and issubclass(kind, errors.AecorError | JournalError)
}


class CommandWire:
    """The commands of one entity type and their answers.

    Args:
        behaviour: with the codecs.
        time: the loop's.
    """

    def __init__(self, behaviour: Behaviour[Any], time: Callable[[], float]) -> None:
        self._behaviour = behaviour
        self._time = time

    def pack(self, command: Command) -> bytes:
        """A command; its deadline goes as what is left of it.

        A cause is one part more, so that a node which knows of none refuses the command instead of running it twice.

        Raises:
            BadPayload: an argument does not fit its annotation.
        """
        name = command.spec.name
        arguments = self._behaviour.arguments[name].encode(*command.args, **command.kwargs)
        cause = () if command.cause is None else (command.cause,)
        return _packed((name, command.expires_at - self._time(), command.metadata, arguments, *cause))

    def unpack(self, payload: bytes) -> Command:
        """The command in `payload`.

        Raises:
            BadPayload: it is none of this type's.
        """
        parts = _parts(payload)
        if [type(part) for part in parts[:4]] != [str, float, bytes, bytes] or len(parts) > 5:
            raise _unreadable()
        name, left, metadata, arguments, *rest = parts
        cause = Cause.of(rest[0]) if rest else None
        spec = self._behaviour.commands.get(name)
        if spec is None:
            raise BadPayload(f"{self._behaviour.name} has no command {reprlib.repr(name)} on this node")
        if math.isnan(left):
            raise BadPayload(f"{self._behaviour.name}.{name}: its deadline is no number")
        Metadata.decode(metadata)  # it is kept beside the events, and must be readable there
        kwargs = self._behaviour.arguments[name].decode(arguments)
        return Command(spec, (), kwargs, metadata, self._time() + left, cause)

    def pack_reply(self, key: str, asked: Command, reply: Any) -> bytes:
        """What the entity `key` answered to `asked`."""
        if type(reply) is Answer:
            try:
                return _packed((_ANSWER, self._behaviour.replies[asked.spec.name].encode(reply.value)))
            except BadPayload as error:
                reply = Refused(self._untold(key, asked, error))
        if type(reply) is not Refused:
            raise BadPayload(f"{self._behaviour.name} answered {asked.spec.name!r} with {reply!r}")
        if not isinstance(reply.error, errors.Rejection):
            return pack_error(reply.error)
        try:
            return _packed((_REJECTION, *self._behaviour.rejections.encode(reply.error)))
        except BadPayload as error:
            what = errors.repr_of(reply.error, errors.LONGEST_VALUE)
            why = f"{what}, which cannot be sent: declare it in `rejections` ({error})"
            entity = self._behaviour.entity.__name__
            return pack_error(errors.CommandFailed(entity, key, asked.spec.name, f"it was rejected with {why}"))

    def _untold(self, key: str, asked: Command, error: BadPayload) -> Exception:
        """What is told instead of a reply that cannot be sent: "no" only where nothing can have been appended.

        A manager's command is among these, because what it appends is kept together with its reply, or not at all.
        """
        entity, name = self._behaviour.entity.__name__, asked.spec.name
        if asked.spec.read_only or asked.cause is not None:
            return errors.CommandFailed(entity, key, name, str(error))
        return errors.OutcomeUnknown(f"{entity} {key!r}: {name!r} was done, and what it appended is kept, but {error}")

    def unpack_reply(self, asked: Command, payload: bytes) -> Answer | Refused:
        """The answer to `asked` in `payload`.

        Raises:
            BadPayload: it is none.
        """
        kind, *rest = _parts(payload)
        if kind == _ANSWER and len(rest) == 1:
            return Answer(self._behaviour.replies[asked.spec.name].decode(rest[0]))
        return Refused(unpack_error(kind, rest, self._behaviour.rejections))


class MessageWire:
    """The messages of a plain actor class: plain values, and those of the classes that it declares.

    Args:
        name: the actor class's, for errors.
        messages: the classes.
    """

    def __init__(self, name: str, messages: tuple[type, ...]) -> None:
        self._name = name
        self._codec: PayloadCodec[Any] = PayloadCodec(messages, class_names=True)

    def pack(self, message: Any) -> bytes:
        """A message.

        Raises:
            BadPayload: it is neither plain nor of a declared class.
        """
        if type(message) in (str, int, float, bool, bytes, list, tuple, dict, type(None)):
            return _packed((_ANSWER, message))
        try:
            return _packed((_REJECTION, *self._codec.encode(message)))
        except BadPayload as error:
            raise BadPayload(
                f"{self._name}: {type(message).__name__} cannot be sent to another node: {error}; "
                f"declare it as a dataclass in {self._name}.messages"
            ) from error

    def unpack(self, payload: bytes) -> Any:
        """The message in `payload`.

        Raises:
            BadPayload: it is none.
        """
        kind, *rest = _parts(payload)
        if kind == _ANSWER and len(rest) == 1:
            return rest[0]
        if kind == _REJECTION and len(rest) == 3:
            return self._codec.decode(*rest)
        return Refused(unpack_error(kind, rest, self._codec))

    def pack_reply(self, key: str, asked: Any, reply: Any) -> bytes:
        """What the actor sent back."""
        return pack_error(reply.error) if type(reply) is Refused else self.pack(reply)

    def unpack_reply(self, _: Any, payload: bytes) -> Any:
        """What the actor sent back."""
        return self.unpack(payload)


def pack_error(error: BaseException) -> bytes:
    """An error as its class's name, text and plain fields.

    Texts that are very long, or not valid Unicode, are told as well as they can be: who waits must hear of the error.
    """
    name = next((kind.__name__ for kind in type(error).__mro__ if _ERRORS.get(kind.__name__) is kind), "AecorError")
    return _packed((_ERROR, name, _text(error), {field: _field(value) for field, value in vars(error).items()}))


def _text(error: BaseException) -> str:
    try:
        return errors.tellable(str(error))
    except Exception:  # noqa: BLE001 - a user's class: that it has no text must not hide that it was raised
        return type(error).__name__


def _field(value: Any) -> Any:
    if isinstance(value, str):
        return errors.tellable(value)
    plain = value in _INTS if isinstance(value, int) else isinstance(value, float | None)
    return value if plain else errors.repr_of(value)


def unpack_error(kind: Any, rest: list[Any], rejections: PayloadCodec[Any]) -> Exception:
    """The error in the parts of an answer.

    Raises:
        BadPayload: it is none.
    """
    if kind == _REJECTION and len(rest) == 3:
        rejection = rejections.decode(*rest)
        if isinstance(rejection, errors.Rejection):
            return rejection
    if kind == _ERROR and len(rest) == 3:
        name, text, fields = rest
        known = _ERRORS.get(name) if isinstance(name, str) else None
        if known is not None and isinstance(text, str) and isinstance(fields, dict):
            error = known.__new__(known)
            error.args = (text,)
            vars(error).update({str(field): value for field, value in fields.items()})
            return error
    raise _unreadable()


def _packed(value: Any) -> bytes:
    try:
        packed: bytes = msgpack.packb(value)
    except (ValueError, OverflowError, TypeError) as error:
        raise BadPayload(f"it cannot be sent to another node: {error}") from error
    return packed


def _parts(payload: bytes) -> list[Any]:
    try:
        parts = msgpack.unpackb(payload, strict_map_key=False, max_ext_len=0)
    except (ValueError, TypeError) as error:  # msgpack's own kinds among them, some of which hold all that was read
        raise BadPayload(f"bytes from another node cannot be read: {type(error).__name__}") from None
    if not isinstance(parts, list) or not parts:
        raise _unreadable()
    return parts


def _unreadable() -> BadPayload:
    return BadPayload("bytes from another node are no message of this type")
