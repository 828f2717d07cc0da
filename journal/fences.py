"""The words in which stores say that a holder is fenced."""

from __future__ import annotations

from journal.errors import Fenced
from journal.records import ConsumerOffset


def fenced_shard(journal: str, shard: int, epoch: int, current: int | None) -> Fenced:
    """The error for a holder of a journal's shard whose epoch is not the current one."""
    return Fenced(f"journal {journal!r}, shard {shard}", epoch, current)


def fenced_offset(consumer: str, tag: str, epoch: int, row: ConsumerOffset | None, before: int | None = None) -> Fenced:
    """The error for a holder of a consumer's tag whose epoch, or whose idea of the offset, is not the stored one."""
    what = f"consumer {consumer!r}, tag {tag!r}"
    if row is not None and row.epoch == epoch and before is not None:
        what += f" (at offset {row.offset}, not {before})"
    return Fenced(what, epoch, row.epoch if row else 0)
