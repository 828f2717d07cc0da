"""The values that go into a journal and come out of it, still as bytes.

Everything here is plain data. Typed payloads are the codec's matter (`journal.codec`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from journal.errors import InvalidName

MAX_KEY_BYTES = 512
MAX_OFFSET = 2**63 - 1
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class NewEvent(NamedTuple):
    """One event to be written: its name and version in the journal, and its bytes."""

    type_name: str
    version: int
    payload: bytes
    metadata: bytes = b""


class Append(NamedTuple):
    """The events of one command: all of them are committed together, or none.

    `seq_nr` is that of the first event; `epoch` the one the writer holds for `shard`.
    """

    shard: int
    epoch: int
    key: str
    seq_nr: int
    events: Sequence[NewEvent]

    @property
    def last_seq_nr(self) -> int:
        """Sequence number of the last event of this append."""
        return self.seq_nr + len(self.events) - 1


class Appended(NamedTuple):
    """Where the events of an `Append` went: the last of their contiguous offsets within the shard."""

    shard: int
    last_offset: int


@dataclass(slots=True)
class StoredEvent:
    """An event as it lies in the journal.

    `offset` counts 1, 2, 3, … within the shard; `seq_nr` within the entity. `recorded_at` is the database's clock, UTC.
    """

    shard: int
    offset: int
    key: str
    seq_nr: int
    epoch: int
    type_name: str
    version: int
    payload: bytes
    metadata: bytes
    recorded_at: datetime


class ShardHead(NamedTuple):
    """A shard's row: the epoch that may append and the offset of the last event (0: none yet)."""

    shard: int
    epoch: int
    head: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An entity's state as of `seq_nr`, encoded; `type_name` and `version` are the state's in the codec."""

    key: str
    seq_nr: int
    type_name: str
    version: int
    payload: bytes


class OffsetMove(NamedTuple):
    """A consumer's step on one tag: it had handled up to `before`, and now up to `after`."""

    tag: str
    before: int
    after: int


class ConsumerOffset(NamedTuple):
    """Where a consumer is on one tag, and the epoch that may move it (0: never claimed)."""

    tag: str
    offset: int
    epoch: int


def offset_on(offsets: Mapping[str, ConsumerOffset], tag: str) -> int:
    """Where a consumer is on a tag, of those on which it was ever claimed; 0 on another."""
    return offsets[tag].offset if tag in offsets else 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a projection could not handle and set aside, or that somebody had it skip, with the reason.

    `recorded_at` is set by the store. `by` is who skipped it; None: the projection's own policy. `asked`: somebody
    asked for it to be handled again, and it has not been yet; the store sets that, too.
    """

    consumer: str
    tag: str
    offset: int
    key: str
    seq_nr: int
    type_name: str
    error: str
    recorded_at: datetime | None = None
    by: str | None = None
    asked: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", _storable(self.error))
        if self.by is not None:
            object.__setattr__(self, "by", _storable(self.by))


def _storable(text: str) -> str:
    # An exception's text may hold what no database stores as text; a letter must never fail for that.
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


class NewNote(NamedTuple):
    """A small document to be kept under its kind and name; `epoch` is that of who writes it, 0 where nobody minds."""

    kind: str
    name: str
    payload: bytes
    epoch: int = 0


class Note(NamedTuple):
    """A note as it is kept: `revision` counts 1, 2, 3, … with each writing, `written_at` is the store's clock, UTC."""

    kind: str
    name: str
    payload: bytes
    epoch: int
    revision: int
    written_at: datetime


class Column(NamedTuple):
    """A column of a view's table. `kind` is one of text, integer, real, boolean, bytes, time (with zone), decimal."""

    name: str
    kind: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A view's table with one text column as its key: what a store needs to create, read and write it.

    `columns` includes the key column. `indexes` names columns that get an index of their own.
    """

    name: str
    key: str
    columns: tuple[Column, ...]
    indexes: tuple[str, ...] = ()


def checked_name(name: str) -> str:
    """Return `name` if it may become part of a table's name.

    Raises:
        InvalidName: it is not 1 to 40 of a-z, 0-9 and _, starting with a letter.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidName(f"name {name!r}: use 1 to 40 of a-z, 0-9 and _, starting with a letter")
    return name


def checked_offset(consumer: str, tag: str, offset: int) -> int:
    """Return `offset` if a consumer can be set to it.

    Raises:
        ValueError: it is less than 0, or has more than 64 bits.
    """
    if not 0 <= offset <= MAX_OFFSET:
        raise ValueError(f"consumer {consumer!r}, tag {tag!r}: an offset is 0 to {MAX_OFFSET}, not {offset}")
    return offset


def checked_key(key: str, what: str = "entity key") -> str:
    """Return `key` if it can be an entity's key: a non-empty string of at most 512 bytes of UTF-8, without NUL.

    Args:
        key: the key.
        what: what it is called in messages.

    Raises:
        InvalidName: it cannot.
    """
    if not isinstance(key, str):
        raise InvalidName(f"{what} {key!r} is of type {type(key).__name__}: keys are strings")
    if not key or "\0" in key:
        raise InvalidName(f"{what} {key!r}: keys are not empty and hold no NUL")
    try:
        size = len(key) if key.isascii() else len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidName(f"{what} {key!r} is not valid Unicode text: {error.reason}") from None
    if size > MAX_KEY_BYTES:
        raise InvalidName(f"{what} {key[:40]!r}… has {size} bytes: at most {MAX_KEY_BYTES}")
    return key
