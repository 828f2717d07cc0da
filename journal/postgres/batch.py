"""A batch of appends as the arrays that the statements take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from journal.errors import JournalError
from journal.records import Append, Appended

MOST_BYTES = 32 * 1024 * 1024  # of payloads in one message; PostgreSQL ends at 1 GiB for all arguments together
REMEMBERED = 100_000


class Known:
    """Last sequence numbers that this program has itself seen committed, on one run of one server.

    Events are never deleted, so what was seen stays true: an append right behind it can leave no hole. It stops being
    certain when another server answers (a promoted standby may lack the last events), so all is forgotten then.
    """

    def __init__(self) -> None:
        self.server_started: datetime | None = None
        self.last: dict[str, int] = {}

    def on(self, server_started: datetime) -> None:
        """Forget everything if it is another server, or another run of it."""
        if server_started != self.server_started:
            self.last.clear()
            self.server_started = server_started

    def note(self, last: Mapping[str, int]) -> None:
        """Remember that events were committed, up to a `last` one of each entity."""
        if len(self.last) + len(last) > REMEMBERED:
            self.last.clear()
        self.last.update(last)


class WholeBatch:
    """A batch that is to be written as a whole: arguments and answer of append_batch.sql.

    `fits` is False if that statement cannot serve: something is wrong within the batch, or it is too large. `last` is
    the last sequence number that each entity will have.
    """

    def __init__(self, batch: Sequence[Append], known: Known) -> None:
        self._shards, epochs, keys, seq_nrs, news = zip(*batch, strict=True)
        sizes = [*map(len, news)]
        self._held: dict[int, int] = {}
        self._counts: dict[int, int] = {}
        self._ends: list[int] = []
        self._unknown: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.fits = self._look_through(zip(self._shards, epochs, keys, seq_nrs, sizes, strict=True), known.last)
        if self.fits:
            type_names, versions, payloads, metadata = zip(*chain.from_iterable(news), strict=True)
            self.fits = sum(map(len, payloads)) + sum(map(len, metadata)) <= MOST_BYTES
            self.arguments = (
                *map(_literal, (self._held, self._held.values(), self._counts.values())),
                known.server_started,
                [*self._unknown],
                _literal(self._unknown.values()),
                *_events(self._shards, self._ends, keys, seq_nrs, sizes),
                type_names,
                _literal(versions),
                payloads,
                metadata,
            )

    def _look_through(self, appends: Iterable[tuple[int, int, str, int, int]], seen: Mapping[str, int]) -> bool:
        """Count the events of each shard; say if the appends of each entity and each shard go together."""
        held, counts, last = self._held, self._counts, self.last
        for shard, epoch, key, seq_nr, size in appends:
            before = seq_nr - 1
            if key not in last:
                if seen.get(key, 0) < before:
                    self._unknown[key] = before
                last[key] = before
            # For entities that are not looked at, UNIQUE (key, seq_nr) says whether the number was taken: it must be
            # one that can be, and there must be an event to meet it.
            if last[key] != before or before < 0 or not size or held.setdefault(shard, epoch) != epoch:
                return False
            last[key] = before + size
            counts[shard] = end = counts.get(shard, 0) + size
            self._ends.append(end)
        return True

    def outcomes(self, rows: Sequence[Any]) -> list[Appended | JournalError]:
        """Where each append went, from the answer of append_batch.sql."""
        heads: Mapping[int, int] = dict(rows)
        return [Appended(shard, heads[shard] + end) for shard, end in zip(self._shards, self._ends, strict=True)]


def _events(
    shards: Sequence[int], ends: Sequence[int], keys: Sequence[str], seq_nrs: Sequence[int], sizes: Sequence[int]
) -> tuple[str, str, Sequence[str], str]:
    """Shard, place within it, key and sequence number of each event, from those of each append."""
    if any(size != 1 for size in sizes):
        shards = [shard for shard, size in zip(shards, sizes, strict=True) for _ in range(size)]
        ends = [end - back for end, size in zip(ends, sizes, strict=True) for back in range(size - 1, -1, -1)]
        keys = [key for key, size in zip(keys, sizes, strict=True) for _ in range(size)]
        seq_nrs = [first + place for first, size in zip(seq_nrs, sizes, strict=True) for place in range(size)]
    return _literal(shards), _literal(ends), keys, _literal(seq_nrs)


def _literal(numbers: Iterable[int]) -> str:
    return "{" + str([*numbers])[1:-1] + "}"
