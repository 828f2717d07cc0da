"""What can go wrong with events at rest, as types.

A caller tells three things apart by class: *no* (`Conflict`, `Fenced`, `BadPayload`, …: do not repeat as it is),
*not now* (`Unavailable`, `Overloaded`: nothing happened, try again) and *unknown* (`OutcomeUnknown`: it may have
happened).
"""

from __future__ import annotations


class JournalError(Exception):
    """Root of every error this package raises on purpose."""


class Conflict(JournalError):
    """An append expected another sequence number than the entity has. Nothing was written.

    Reload the entity and decide again; the events were decided on a stale state.
    """

    def __init__(self, journal: str, key: str, expected: int, found: int | None = None) -> None:
        seen = "" if found is None else f"; the entity's last is {found}"
        super().__init__(
            f"{journal}: event {expected} of entity {key!r} was taken or would leave a hole{seen}: "
            "reload and decide again"
        )
        self.journal, self.key, self.expected, self.found = journal, key, expected, found


class Fenced(JournalError):
    """The writer's epoch is not the current one: another holder took over. Nothing was written.

    Final for this holder: it must stop what it runs under that epoch.
    """

    def __init__(self, what: str, epoch: int, current: int | None = None) -> None:
        newer = "a newer one exists" if current is None else f"the current one is {current}"
        super().__init__(f"{what}: epoch {epoch} is fenced, {newer}: stop this holder")
        self.what, self.epoch, self.current = what, epoch, current


class Unavailable(JournalError):
    """The store could not be reached, or refused, before anything happened. Safe to try again."""


class Overloaded(Unavailable):
    """The bounded queue in front of the store is full. Nothing happened; slow down and try again."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"{what}: queue is full ({limit} waiting): slow down and try again")
        self.what, self.limit = what, limit


class OutcomeUnknown(JournalError):
    """The connection was lost, or the deadline passed, while a commit was in flight: it may have happened.

    Read back what was to be written before repeating it.
    """


class BadPayload(JournalError):
    """A value cannot be encoded, or stored bytes cannot be decoded. The message says which, where and why."""


class CorruptRecord(BadPayload):
    """A stored record cannot be read back into its type.

    Carries the place: table, shard, offset, entity key, sequence number and type name. A snapshot's has no shard and no
    offset.
    """

    def __init__(
        self,
        table: str,
        shard: int | None,
        offset: int | None,
        key: str,
        seq_nr: int,
        type_name: str,
        reason: str,
    ) -> None:
        place = "" if shard is None else f" (shard {shard}, offset {offset})"
        super().__init__(f"{table}: cannot read {type_name!r} of entity {key!r}, seq_nr {seq_nr}{place}: {reason}")
        self.table, self.shard, self.offset = table, shard, offset
        self.key, self.seq_nr, self.type_name, self.reason = key, seq_nr, type_name, reason


class WrongShardCount(JournalError):
    """The journal was created with another number of shards, which is fixed for its life."""

    def __init__(self, journal: str, stored: int, asked: int) -> None:
        super().__init__(
            f"journal {journal!r} was created with {stored} shards, this program asks for {asked}: "
            f"the count is fixed when a journal is created; use {stored}"
        )
        self.journal, self.stored, self.asked = journal, stored, asked


class SchemaMismatch(JournalError):
    """The database's schema and this program do not fit each other. The message says which is older."""


class NoSuchDatabase(JournalError):
    """There is no database of this package where one was to be opened without creating anything."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where}: no journal there: check the URL")
        self.where = where


class InvalidName(JournalError, ValueError):
    """A journal, table or column name, or an entity key, is not one that this package accepts."""


class InvalidUrl(JournalError, ValueError):
    """A database's URL names no store that this package knows. The message never shows more than its scheme."""
