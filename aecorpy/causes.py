"""Which process managers' commands an entity has events of, so that a repeated one appends nothing.

What an entity keeps is the newest cause per manager and stream, which costs nothing where there is none, and is enough
to know a new command. One that is not newer is looked for among the entity's events, each of which names its cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgpack

from aecorpy.errors import BadPayload, CommandFailed
from aecorpy.messages import Command
from journal.codec import ValueCodec
from journal.events import EventJournal
from journal.metadata import MAX_REPLY_BYTES, Cause, Metadata
from journal.records import NewEvent

_NEAR = 100  # events


class Newest(NamedTuple):
    """The newest command of one manager and stream, by the event that led to it, and where its events begin."""

    offset: int
    number: int
    seq_nr: int


class Causes:
    """The newest cause of each manager and stream among the events of one entity."""

    __slots__ = ("_looked", "_newest")

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], Newest] = {}
        self._looked: dict[tuple[str, str], int] = {}

    def is_new(self, cause: Cause) -> bool:
        """Whether the entity can have no event of `cause`; False says nothing."""
        newest = self._newest.get(cause[:2])
        return newest is None or cause[2:] > newest[:2]

    def add(self, cause: Cause, seq_nr: int) -> None:
        """The entity's event `seq_nr` has `cause`."""
        if self.is_new(cause):
            self._newest[cause[:2]] = Newest(cause.offset, cause.number, seq_nr)

    def near(self, cause: Cause) -> int:
        """The sequence number from which to look for events of `cause` first."""
        stream = cause[:2]
        newest = self._newest.get(stream)
        if newest is None:
            return 1
        # Repetitions come in order, too, whether it is the last few or a manager that begins anew.
        return newest.seq_nr if cause[2:] == newest[:2] else self._looked.get(stream, max(1, newest.seq_nr - _NEAR))

    def found(self, cause: Cause, seq_nr: int) -> None:
        """The events of `cause` were found to begin at `seq_nr`."""
        self._looked[cause[:2]] = seq_nr

    def pack(self) -> bytes:
        """As bytes, for a snapshot."""
        packed: bytes = msgpack.packb([[*stream, *newest] for stream, newest in self._newest.items()])
        return packed

    @classmethod
    def unpack(cls, data: bytes) -> Causes:
        """What `pack` made `data` of.

        Raises:
            BadPayload: it did not.
        """
        causes = cls()
        try:
            for *cause, seq_nr in msgpack.unpackb(data):
                causes.add(Cause.of(cause), int(seq_nr))
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise BadPayload(f"the causes in a snapshot cannot be read: {error!r}") from error
        return causes


def caused_events(
    journal: EventJournal[Any], command: Command, events: Sequence[Any], value: Any, codec: ValueCodec[Any]
) -> list[NewEvent]:
    """What a command with a cause appends, as it will be stored: each event with the cause, the first with the reply.

    Raises:
        BadPayload: an event or the reply cannot be stored.
    """
    reply = codec.encode(value)
    if len(reply) > MAX_REPLY_BYTES:
        raise BadPayload(
            f"the reply of {command.spec.name!r} has {len(reply)} bytes: what a process manager's command answers is "
            f"kept beside its events, at most {MAX_REPLY_BYTES}"
        )
    rest = replace(Metadata.decode(command.metadata), cause=command.cause)
    first = replace(rest, answered=(command.spec.name, reply))
    return journal.encode(events[:1], first.encode()) + journal.encode(events[1:], rest.encode())


def other_command(entity: str, key: str, command: str, event: str, before: str) -> CommandFailed:
    """The error of `command` where the same event led to the command `before` the last time."""
    text = f"event {event} led to {before!r} here before: what reacts to an event must do the same when it comes again"
    return CommandFailed(entity, key, command, text)
