"""Which appends of a batch may be written: the journal's rules, for stores that decide while nobody else can write."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from journal.errors import Conflict, InvalidName, JournalError
from journal.fences import fenced_shard
from journal.records import Append, Appended, ShardHead, checked_key


class Admission:
    """Judges the appends of one batch in their order, each on top of those admitted before it.

    Args:
        journal: the journal's name, for messages.
        shards: the rows of the shards that occur in the batch, as they are before it.
        last_seq_nr: looks up the last sequence number of an entity before the batch, 0 if it has no events.
    """

    def __init__(self, journal: str, shards: Mapping[int, ShardHead], last_seq_nr: Callable[[str], int]) -> None:
        self._journal = journal
        self._shards = shards
        self._look_up = last_seq_nr
        self._last_seq_nrs: dict[str, int] = {}
        self._failed: set[str] = set()
        self.heads = {shard: row.head for shard, row in shards.items()}

    def admit(self, append: Append) -> Appended | JournalError:
        """Say where an append's events go, or why they may not be written."""
        refusal = self._refusal(append)
        if refusal is not None:
            self._failed.add(append.key)
            return refusal
        self._last_seq_nrs[append.key] = append.last_seq_nr
        self.heads[append.shard] += len(append.events)
        return Appended(append.shard, self.heads[append.shard])

    def _refusal(self, append: Append) -> JournalError | None:
        shard = self._shards.get(append.shard)
        if shard is None or shard.epoch != append.epoch:
            return fenced_shard(self._journal, append.shard, append.epoch, shard.epoch if shard else None)
        try:
            checked_key(append.key)
        except InvalidName as error:
            return error
        found = self._last_seq_nr(append.key)
        if append.seq_nr != found + 1 or append.key in self._failed:
            return Conflict(self._journal, append.key, append.seq_nr, found)
        return None

    def _last_seq_nr(self, key: str) -> int:
        if key not in self._last_seq_nrs:
            self._last_seq_nrs[key] = self._look_up(key)
        return self._last_seq_nrs[key]
