"""What is known of an event besides the event: who caused it, and what the program wants to remember of the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgpack

from journal.errors import BadPayload

MAX_METADATA_BYTES = 16_384
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Metadata:
    """Kept beside each event of a command; the time of recording is the journal's own (`EntityEvent.recorded_at`).

    Args:
        command_id: the command's identity, if the caller gave it one.
        correlation_id: what larger conversation the command belongs to.
        causation_id: what led to the command, such as the event that a process manager reacted to.
        extra: the program's own names and values.
    """

    command_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The bytes to store; empty when there is nothing to say.

        Raises:
            BadPayload: a value is not text, or all together are over 16 KiB.
        """
        named = {"c": self.command_id, "r": self.correlation_id, "a": self.causation_id}
        fields: dict[str, object] = {name: value for name, value in named.items() if value is not None}
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
        if len(packed) > MAX_METADATA_BYTES:
            raise BadPayload(f"metadata has {len(packed)} bytes, at most {MAX_METADATA_BYTES} are kept")
        return packed

    @classmethod
    def decode(cls, data: bytes) -> Metadata:
        """The metadata stored as `data`.

        Raises:
            BadPayload: the bytes are not what `encode` makes.
        """
        if not data:
            return NO_METADATA
        try:
            fields = msgpack.unpackb(data)
            found = cls(fields.get("c"), fields.get("r"), fields.get("a"), fields.get("x", _NONE))
        except (ValueError, AttributeError, msgpack.UnpackException) as error:
            raise BadPayload(f"metadata cannot be read: {error}") from error
        if not found._is_text():
            raise BadPayload(f"metadata cannot be read: {found!r} holds something else than text")
        return found

    def _is_text(self) -> bool:
        ids = (self.command_id, self.correlation_id, self.causation_id)
        if not all(one is None or isinstance(one, str) for one in ids) or not isinstance(self.extra, Mapping):
            return False
        return all(isinstance(name, str) and isinstance(text, str) for name, text in self.extra.items())


NO_METADATA = Metadata()
