"""A batch of appends as the arrays that the statements take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
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

    def note(self, batch: Sequence[Append]) -> None:
        """Remember that `batch` was committed."""
        if len(self.last) + len(batch) > REMEMBERED:
            self.last.clear()
        self.last.update([(append.key, append.seq_nr + len(append.events) - 1) for append in batch])


class WholeBatch:
    """A batch that is to be written as a whole: arguments and answer of append_batch.sql."""

    def __init__(self, batch: Sequence[Append], known: Known) -> None:
        self._batch = batch
        self.fits = True
        counts: dict[int, int] = {}
        epochs: dict[int, int] = {}
        last: dict[str, int] = {}
        unknown_keys: list[str] = []
        unknown_last: list[int] = []
        self._nths: list[int] = []
        shards: list[int] = []
        nths: list[int] = []
        keys: list[str] = []
        seq_nrs: list[int] = []
        events: list[Any] = []
        seen = known.last
        for shard, epoch, key, seq_nr, new in batch:
            before = last.get(key)
            if before is None:
                before = seq_nr - 1
                if before and seen.get(key, 0) < before:
                    unknown_keys.append(key)
                    unknown_last.append(before)
            nth = counts.get(shard, 0)
            if before != seq_nr - 1 or epochs.setdefault(shard, epoch) != epoch:
                self.fits = False
                return
            size = len(new)
            last[key] = before + size
            events += new
            if size == 1:
                nth += 1
                shards.append(shard)
                nths.append(nth)
                keys.append(key)
                seq_nrs.append(seq_nr)
            else:
                shards += [shard] * size
                keys += [key] * size
                seq_nrs += range(seq_nr, seq_nr + size)
                nths += range(nth + 1, nth + size + 1)
                nth += size
            counts[shard] = nth
            self._nths.append(nth)
        type_names, versions, payloads, metadata = [*zip(*events, strict=True)] or [(), (), (), ()]
        self.fits = sum(map(len, payloads)) + sum(map(len, metadata)) <= MOST_BYTES
        self.arguments = (
            _literal([*counts]),
            _literal([*epochs.values()]),
            _literal([*counts.values()]),
            known.server_started,
            unknown_keys,
            _literal(unknown_last),
            _literal(shards),
            _literal(nths),
            keys,
            _literal(seq_nrs),
            type_names,
            _literal(versions),
            payloads,
            metadata,
        )

    def outcomes(self, rows: Sequence[Any]) -> list[Appended | JournalError]:
        """Where each append went, from the answer of append_batch.sql."""
        heads: Mapping[int, int] = dict(rows)
        return [
            Appended(append[0], heads[append[0]] + nth) for append, nth in zip(self._batch, self._nths, strict=True)
        ]


def _literal(numbers: Sequence[int]) -> str:
    return "{" + str([*numbers])[1:-1] + "}"
