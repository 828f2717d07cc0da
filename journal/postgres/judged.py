"""Appending a batch of which something is wrong: each append is judged on its own, with the shards locked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from journal.admission import Admission
from journal.errors import InvalidName, JournalError
from journal.postgres.batch import MOST_BYTES, Known
from journal.postgres.link import Link
from journal.records import Append, Appended, ShardHead, checked_key

Outcomes = list[Appended | JournalError]


async def judge_and_write(
    link: Link, journal: str, shard_count: int, sql: Callable[[str], str], batch: Sequence[Append], known: Known
) -> Outcomes:
    """Write what may be written of `batch`, in the transaction that is open on `link`."""
    shards = {append.shard for append in batch if 0 <= append.shard < shard_count}
    rows = await link.fetch(sql("lock_shards"), sorted(shards))
    if rows:
        link.server_started = rows[0]["server_started"]  # behind a proxy it may be another than at first
        known.on(link.server_started)
    keys = {append.key for append in batch if _can_be_key(append.key)}
    last_seq_nrs: dict[str, int] = dict(await link.fetch(sql("last_seq_nrs"), sorted(keys)))
    admission = Admission(journal, {row[0]: ShardHead(*row[:3]) for row in rows}, lambda key: last_seq_nrs.get(key, 0))
    outcomes = [admission.admit(append) for append in batch]
    for part in _parts(_rows(batch, outcomes)):
        await link.fetch(sql("insert_events"), *zip(*part, strict=True))
    await link.fetch(sql("move_heads"), list(admission.heads), list(admission.heads.values()))
    return outcomes


def _can_be_key(key: str) -> bool:
    try:
        checked_key(key)
    except InvalidName:
        return False
    return True


def _rows(batch: Sequence[Append], outcomes: Outcomes) -> Iterator[tuple[Any, ...]]:
    for append, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, Appended):
            first = outcome.last_offset - len(append.events) + 1
            for place, event in enumerate(append.events):
                yield append.shard, first + place, append.epoch, append.key, append.seq_nr + place, *event


def _parts(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """Cut `rows` where their payloads and metadata would exceed what one message should carry."""
    sent = 0

    def part(row: tuple[Any, ...]) -> int:
        nonlocal sent
        sent += len(row[-1]) + len(row[-2])
        return sent // MOST_BYTES

    for _, members in groupby(rows, part):
        yield list(members)
