"""The rejections that an event's commands raised, kept so that the event takes the same way when it comes again.

A rejected command appends nothing, so its entity does not know it again, and might accept it the next time, when a
manager has long done what it does on a rejection. So a manager stores a rejection before its `on_event` hears of it,
and for good: a manager that is set back to its first event is to change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgpack

from aecorpy.behaviour import Behaviour
from aecorpy.causes import other_command
from aecorpy.errors import BadPayload, Rejection
from journal.records import Column, TableSpec

TABLE = TableSpec("process_manager_rejection", "event", (Column("event", "text", False), Column("rejections", "bytes")))


@dataclass(slots=True)
class RejectionsKept:
    """Those of one event, each with the entity, its key, the number of the command among those to it, and its name.

    Args:
        event: the manager's name and the event's place, `BookingProcess/booking-7/12`.
    """

    event: str
    _rejections: list[list[Any]] = field(default_factory=list)

    @classmethod
    def of_row(cls, event: str, row: tuple[Any, ...] | None) -> RejectionsKept:
        """What is stored for an event; nothing, if `row` is None.

        Raises:
            BadPayload: the row cannot be read.
        """
        try:
            return cls(event, [] if row is None else msgpack.unpackb(row[1]))
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise BadPayload(f"table {TABLE.name!r}, row {event!r} cannot be read: {error!r}") from error

    def row(self) -> tuple[Any, ...]:
        """As a row of `TABLE`."""
        return self.event, msgpack.packb(self._rejections)

    def add(self, behaviour: Behaviour[Any], key: str, number: int, command: str, rejection: Rejection) -> None:
        """One more.

        Raises:
            BadPayload: the rejection cannot be stored.
        """
        try:
            stored = behaviour.rejections.encode(rejection)
        except BadPayload as error:
            text = f"{rejection!r} cannot be kept: declare it in {behaviour.entity.__name__}.rejections ({error})"
            raise BadPayload(text) from error
        self._rejections.append([behaviour.name, key, number, command, *stored])

    def rejection(self, behaviour: Behaviour[Any], key: str, number: int, command: str) -> Rejection | None:
        """How the `number`-th command to an entity was rejected, or None.

        Raises:
            CommandFailed: it was another command.
            BadPayload: it cannot be read any more.
        """
        for name, entity_key, place, sent, *stored in self._rejections:
            if (name, entity_key, place) == (behaviour.name, key, number):
                if sent != command:
                    raise other_command(behaviour.entity.__name__, key, command, self.event, sent)
                rejection: Rejection = behaviour.rejections.decode(*stored)
                return rejection
        return None
