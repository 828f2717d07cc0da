"""What is known of an event besides the event: who caused it, and what the program wants to remember of the command."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgpack

from journal.errors import BadPayload

MAX_METADATA_BYTES = 16_384  # without the reply
MAX_REPLY_BYTES = 16_384
_NONE: Mapping[str, str] = {}
_CAUSE = "e"
_CAUSE_FIRST: bytes = msgpack.packb(_CAUSE)


class Cause(NamedTuple):
    """The event that led to a command: what makes a process manager's command have its effect once.

    Args:
        consumer: the process manager's name.
        tag, offset: the event's place.
        number: the how-manyth command that the event leads to at the same entity, from 1.
    """

    consumer: str
    tag: str
    offset: int
    number: int

    @classmethod
    def of(cls, parts: Any) -> Cause:
        """The cause made of `parts`, as they come out of msgpack.

        Raises:
            BadPayload: they are no cause.
        """
        if not isinstance(parts, list | tuple) or [type(part) for part in parts] != [str, str, int, int]:
            raise BadPayload(f"{reprlib.repr(parts)} is no cause of a command")
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Metadata:
    """Kept beside each event of a command; the time of recording is the journal's own (`EntityEvent.recorded_at`).

    Args:
        command_id: the command's identity, if the caller gave it one.
        correlation_id: what larger conversation the command belongs to.
        causation_id: what led to the command, such as the event that a process manager reacted to.
        extra: the program's own names and values.
        cause: the event that led to the command, if a process manager sent it.
        answered: with a cause, on the first event of a command: the command's name and its reply, encoded.
    """

    command_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    cause: Cause | None = None
    answered: tuple[str, bytes] | None = None

    def encode(self) -> bytes:
        """The bytes to store; empty when there is nothing to say.

        Raises:
            BadPayload: a value is not text, the reply is over 16 KiB, or all else together is.
        """
        # The cause stands first, so that whoever looks for one sees at the third byte that there is none.
        named = {"c": self.command_id, "r": self.correlation_id, "a": self.causation_id, "p": self.answered}
        fields: dict[str, object] = {} if self.cause is None else {_CAUSE: self.cause}
        fields.update({name: value for name, value in named.items() if value is not None})
        if not self._is_text():
            raise BadPayload(f"metadata {self!r}: all names and values must be text")
        if self.extra:
            fields["x"] = dict(self.extra)
        if not fields:
            return b""
        try:
            packed: bytes = msgpack.packb(fields)
        except (UnicodeEncodeError, ValueError) as error:
            raise BadPayload(f"metadata {self!r} cannot be encoded: {error}") from error
        self._check_sizes(len(packed))
        return packed

    def _check_sizes(self, size: int) -> None:
        reply = 0 if self.answered is None else len(self.answered[1])
        if reply > MAX_REPLY_BYTES:
            raise BadPayload(f"the reply in metadata has {reply} bytes, at most {MAX_REPLY_BYTES} are kept")
        if size - reply > MAX_METADATA_BYTES:
            raise BadPayload(f"metadata has {size - reply} bytes, at most {MAX_METADATA_BYTES} are kept")

    @classmethod
    def decode(cls, data: bytes) -> Metadata:
        """The metadata stored as `data`.

        Raises:
            BadPayload: the bytes are not what `encode` makes.
        """
        if not data:
            return NO_METADATA
        if len(data) > MAX_METADATA_BYTES + MAX_REPLY_BYTES:
            raise BadPayload(f"metadata has {len(data)} bytes, at most {MAX_METADATA_BYTES} and a reply are kept")
        try:
            fields = msgpack.unpackb(data, max_ext_len=0)
            cause, answered = fields.get(_CAUSE), fields.get("p")
            found = cls(
                fields.get("c"),
                fields.get("r"),
                fields.get("a"),
                fields.get("x", _NONE),
                None if cause is None else Cause.of(cause),
                None if answered is None else _answered(*answered),
            )
        except (ValueError, AttributeError, TypeError, msgpack.UnpackException) as error:
            raise BadPayload(f"metadata cannot be read: {str(error) or type(error).__name__}") from None
        if not found._is_text():  # what it holds may be long, and is nobody's text: it is not repeated
            raise BadPayload("metadata cannot be read: it holds something else than text")
        found._check_sizes(len(data))
        return found

    def _is_text(self) -> bool:
        ids = (self.command_id, self.correlation_id, self.causation_id)
        if not all(one is None or isinstance(one, str) for one in ids) or not isinstance(self.extra, Mapping):
            return False
        return all(isinstance(name, str) and isinstance(text, str) for name, text in self.extra.items())


def has_cause(data: bytes) -> bool:
    """Whether the metadata stored as `data` names a cause; costs next to nothing."""
    return data[1:3] == _CAUSE_FIRST


def _answered(command: str, reply: bytes) -> tuple[str, bytes]:
    if not isinstance(command, str) or not isinstance(reply, bytes):
        raise TypeError(f"{command!r} and {reply!r} are no command and its reply")
    return command, reply


NO_METADATA = Metadata()
