"""A history in the forms in which checks look at it, each made once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

from tests.checker.models import after
from tests.checker.records import Event, Record, Sent, Told, Value

R = TypeVar("R")

PROMISES: Final = (
    "durable",
    "single-writer",
    "in-order",
    "one-instance",
    "exactly-once view",
    "kept-alive",
    "balanced",
    "unknown-is-said",
)
WAKING_SECONDS: Final = 0.1
INVARIANTS: Final = ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9")


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken.

    Attributes:
        promise: its name.
        invariant: what of it, by number.
        what: in words.
        record: the first that shows it.
    """

    promise: str
    invariant: str
    what: str
    record: Record

    def __str__(self) -> str:
        return f"{self.promise} ({self.invariant}): {self.what}: {self.record}"


class History:
    """Records in the order of their times; those of one time stay as they came.

    Args:
        records: what happened.
        waking: seconds in which a node that stood still has to stop what it runs.
    """

    def __init__(self, records: Iterable[Record], waking: float = WAKING_SECONDS) -> None:
        self.waking = waking
        self.records: list[Record] = sorted(records, key=lambda record: record.at)
        self._kinds: dict[type, list[Any]] = defaultdict(list)
        for record in self.records:
            self._kinds[type(record)].append(record)

    def of(self, kind: type[R]) -> list[R]:
        """The records of one kind."""
        return self._kinds[kind]

    @cached_property
    def sent(self) -> dict[str, Sent]:
        """Each command's first sending."""
        first: dict[str, Sent] = {}
        for sent in self.of(Sent):
            first.setdefault(sent.command, sent)
        return first

    @cached_property
    def told(self) -> dict[str, list[Told]]:
        """What was told of each command."""
        return grouped(self.of(Told), "command")

    @cached_property
    def by_command(self) -> dict[str, list[Event]]:
        """The events of each command, in order."""
        return {
            command: sorted(events, key=lambda event: (event.key, event.seq_nr))
            for command, events in grouped(self.of(Event), "command").items()
        }

    @cached_property
    def by_key(self) -> dict[str, list[Event]]:
        """The events of each entity, in order."""
        return {
            key: sorted(events, key=lambda event: event.seq_nr)
            for key, events in grouped(self.of(Event), "key").items()
        }

    @cached_property
    def by_shard(self) -> dict[tuple[str, int], list[Event]]:
        """The events of each shard of each journal, in order."""
        found: dict[tuple[str, int], list[Event]] = defaultdict(list)
        for event in self.of(Event):
            found[event.journal, event.shard].append(event)
        return {place: sorted(events, key=lambda event: event.offset) for place, events in found.items()}

    @cached_property
    def values(self) -> dict[str, list[Value]]:
        """The values of each entity: that of version n at place n."""
        return {key: values_of(events) for key, events in self.by_key.items()}

    def values_at(self, key: str) -> list[Value]:
        """The values of an entity, which may have no events."""
        return self.values.get(key, [None])


def values_of(events: Iterable[Event]) -> list[Value]:
    """The values that events lead to, from that before the first."""
    values: list[Value] = [None]
    for event in events:
        values.append(after(values[-1], event.op, event.arg))
    return values


def grouped(records: Iterable[R], field: str) -> dict[Any, list[R]]:
    """Records by the value of one of their fields."""
    found: dict[Any, list[R]] = defaultdict(list)
    for record in records:
        found[getattr(record, field)].append(record)
    return dict(found)
