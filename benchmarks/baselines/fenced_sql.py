"""Fenced appends through asyncpg with nothing around them: the limit that any journal on this server has.

Own tables in the shape of the journal's, one connection, one statement per append. The shard's row is counter, lock and
fence: when it does not carry the writer's epoch, no row is updated and nothing is inserted.
"""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, NamedTuple

import asyncpg

SHARDS = 64
EPOCH = 1
WARM_UP = 0.3  # seconds

SCHEMA = """
DROP TABLE IF EXISTS bare_shard, bare_event;
CREATE TABLE bare_shard (shard int PRIMARY KEY, epoch bigint NOT NULL, head bigint NOT NULL);
CREATE TABLE bare_event (
    shard int, "offset" bigint, key text NOT NULL, seq_nr bigint NOT NULL, epoch bigint NOT NULL,
    type_name text NOT NULL, version int NOT NULL, payload bytea NOT NULL, metadata bytea NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (shard, "offset"), UNIQUE (key, seq_nr));
INSERT INTO bare_shard SELECT shard, 1, 0 FROM generate_series(0, 63) AS shard;
"""

# The shard's row is locked from the UPDATE to the commit: one shard's appends wait for each other, a takeover for them.
APPEND_BATCH = """
WITH fence AS (UPDATE bare_shard SET head = head + $3 WHERE shard = $1 AND epoch = $2 RETURNING head)
INSERT INTO bare_event
SELECT $1, fence.head - $3 + e.n, e.key, e.seq_nr, $2, e.type_name, e.version, e.payload, e.metadata, clock_timestamp()
FROM fence, unnest($4::text[], $5::bigint[], $6::text[], $7::int[], $8::bytea[], $9::bytea[])
    WITH ORDINALITY AS e (key, seq_nr, type_name, version, payload, metadata, n)
"""

# As above, with a row to lock for every shard that the batch touches. One writer here, so their order cannot deadlock.
APPEND_SPREAD_BATCH = """
WITH fence AS (
    UPDATE bare_shard SET head = head + part.n FROM unnest($1::int[], $3::bigint[]) AS part (shard, n)
    WHERE bare_shard.shard = part.shard AND epoch = $2 RETURNING bare_shard.shard, head - part.n AS before)
INSERT INTO bare_event
SELECT shard, fence.before + e.n, e.key, e.seq_nr, $2, e.type_name, e.version, e.payload, e.metadata, clock_timestamp()
FROM fence JOIN unnest($4::int[], $5::bigint[], $6::text[], $7::bigint[], $8::text[], $9::int[], $10::bytea[],
    $11::bytea[]) AS e (shard, n, key, seq_nr, type_name, version, payload, metadata) USING (shard)
"""

APPEND_ONE = """
WITH fence AS (UPDATE bare_shard SET head = head + 1 WHERE shard = $1 AND epoch = $2 RETURNING head)
INSERT INTO bare_event
SELECT $1, fence.head, $3, $4, $2, $5, $6, $7, $8, clock_timestamp() FROM fence
"""


class Fenced(Exception):
    """The epoch is not the shard's; nothing was inserted."""


class Workload(NamedTuple):
    """What is appended: events of so many entities, each entity's next one as its turn comes, in random order."""

    payload_bytes: int
    entities: int = 10_000
    batch: int = 500

    @property
    def payload(self) -> bytes:
        """The same random bytes every time."""
        return random.Random(self.payload_bytes).randbytes(self.payload_bytes)

    def batches(self) -> Iterator[tuple[list[str], list[int]]]:
        """Keys and sequence numbers of one batch after the other, without end."""
        keys = [f"entity-{number}" for number in range(self.entities)]
        order = random.Random(1)
        seq_nr = 0
        while True:
            seq_nr += 1
            order.shuffle(keys)
            for start in range(0, self.entities - self.batch + 1, self.batch):
                yield keys[start : start + self.batch], [seq_nr] * self.batch


async def batch_events_per_second(url: str, workload: Workload, seconds: float) -> float:
    """Events per second of one connection that appends batches, each to one shard, one shard after the other."""
    rest = _rest(workload)

    def arguments(number: int, keys: list[str], seq_nrs: list[int]) -> tuple[Any, ...]:
        return (number % SHARDS, EPOCH, workload.batch, keys, seq_nrs, *rest)

    return await _append_batches(url, workload, seconds, APPEND_BATCH, arguments)


async def spread_batch_events_per_second(url: str, workload: Workload, seconds: float) -> float:
    """The same with each entity in a shard of its own choice, as in a group commit: a batch touches most shards."""
    rest = _rest(workload)
    shard_of = {f"entity-{number}": number % SHARDS for number in range(workload.entities)}

    def arguments(number: int, keys: list[str], seq_nrs: list[int]) -> tuple[Any, ...]:
        counts: Counter[int] = Counter()
        shards, places = [shard_of[key] for key in keys], []
        for shard in shards:
            counts[shard] += 1
            places.append(counts[shard])
        return ([*counts], EPOCH, [*counts.values()], shards, places, keys, seq_nrs, *rest)

    return await _append_batches(url, workload, seconds, APPEND_SPREAD_BATCH, arguments)


async def append_milliseconds(url: str, workload: Workload, seconds: float) -> float:
    """The p50, in milliseconds, of appending one event on one connection, one after the other."""
    connection = await _connect(url)
    try:
        statement = await connection.prepare(APPEND_ONE)
        payload, seq_nr, taken = workload.payload, 0, []
        began = perf_counter() + WARM_UP
        while (sent := perf_counter()) < began + seconds:
            seq_nr += 1
            await statement.fetch(seq_nr % SHARDS, EPOCH, "entity", seq_nr, "Written", 1, payload, b"")
            if sent >= began:
                taken.append(perf_counter() - sent)
            _check(statement, 1)
        return statistics.median(taken) * 1000
    finally:
        await connection.close()


async def _append_batches(
    url: str,
    workload: Workload,
    seconds: float,
    sql: str,
    arguments: Callable[[int, list[str], list[int]], tuple[Any, ...]],
) -> float:
    connection = await _connect(url)
    try:
        statement = await connection.prepare(sql)
        began, events = perf_counter() + WARM_UP, 0
        for number, (keys, seq_nrs) in enumerate(workload.batches()):
            sent = perf_counter()
            if sent >= began + seconds:
                break
            await statement.fetch(*arguments(number, keys, seq_nrs))
            _check(statement, workload.batch)
            events += workload.batch if sent >= began else 0
        return events / (perf_counter() - began)
    finally:
        await connection.close()


async def _connect(url: str) -> Any:
    connection = await asyncpg.connect(url)
    await connection.execute(SCHEMA)
    return connection


def _rest(workload: Workload) -> tuple[list[str], list[int], list[bytes], list[bytes]]:
    """Type names, versions, payloads and metadata of a batch."""
    size = workload.batch
    return ["Written"] * size, [1] * size, [workload.payload] * size, [b""] * size


def _check(statement: Any, inserted: int) -> None:
    if statement.get_statusmsg() != f"INSERT 0 {inserted}":
        raise Fenced(f"expected {inserted} events to be inserted, got {statement.get_statusmsg()!r}")
