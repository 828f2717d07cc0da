"""Which stream an event belongs to: the shard of its entity, by a hash that is the same everywhere and for ever."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from journal.errors import InvalidName
from journal.records import checked_key, checked_name

MAX_SHARDS = 65_536
_SHARD = re.compile("[0-9]{1,6}")


def stable_hash(key: str) -> int:
    """A 64-bit hash of `key` that does not change with process, machine or version (BLAKE2b, first 8 bytes)."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")


@lru_cache(maxsize=16_384)  # callers name the same busy entities again and again
def _hash_of_key(key: str) -> int:
    return stable_hash(checked_key(key))


@dataclass(frozen=True, slots=True)
class EventTag:
    """The stream of one shard of a journal; written `booking-7` in offsets, logs and the command line."""

    journal: str
    shard: int

    def __str__(self) -> str:
        return f"{self.journal}-{self.shard}"

    @classmethod
    def parse(cls, text: str) -> EventTag:
        """The tag written as `text`.

        Raises:
            InvalidName: it is not a journal's name, a hyphen and a shard's number.
        """
        journal, hyphen, shard = text.rpartition("-")
        if not hyphen or not _SHARD.fullmatch(shard):
            raise InvalidName(f"tag {text[:60]!r}: expected NAME-SHARD, such as booking-7")
        return cls(checked_name(journal), int(shard))


@dataclass(frozen=True, slots=True)
class Tagging:
    """How an entity type's events are divided into streams. Aecor's word; a partition is a shard here.

    The number of shards is fixed when the journal is created, so choose several times the nodes you will ever have.
    """

    shard_count: int

    def __post_init__(self) -> None:
        if type(self.shard_count) is not int or not 1 <= self.shard_count <= MAX_SHARDS:
            raise ValueError(f"shard_count is {self.shard_count!r}: use a number from 1 to {MAX_SHARDS}")

    @classmethod
    def partitioned(cls, shard_count: int) -> Tagging:
        """One stream per shard: entities are spread over `shard_count` of them by their key."""
        return cls(shard_count)

    @classmethod
    def const(cls) -> Tagging:
        """One stream for all entities of the type: one order of everything, no spreading."""
        return cls(1)

    def shard_of(self, key: str) -> int:
        """The shard, 0 to `shard_count - 1`, of the entity `key`.

        Raises:
            InvalidName: `key` cannot be a key, see `journal.records.checked_key`.
        """
        return _hash_of_key(key if type(key) is str else checked_key(key)) % self.shard_count

    def tags(self, journal: str) -> tuple[EventTag, ...]:
        """All streams of `journal`, in order of their shards."""
        return tuple(EventTag(journal, shard) for shard in range(self.shard_count))
