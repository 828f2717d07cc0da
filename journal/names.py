"""Which names of journals and tables every store accepts, beyond the letters that `records.checked_name` allows."""

from __future__ import annotations

from collections.abc import Iterable

from journal.errors import InvalidName
from journal.records import checked_name
from journal.tagging import MAX_SHARDS

RESERVED_PREFIXES = ("aecorpy", "sqlite", "pg_")
JOURNAL_PARTS = ("event", "shard", "snapshot")  # the tables of a journal


def unreserved_name(name: str) -> str:
    """Return `name` if a journal or a table can have it.

    Raises:
        InvalidName: it is not a name, or it begins like the databases' own tables or ours.
    """
    if checked_name(name).startswith(RESERVED_PREFIXES):
        raise InvalidName(f"name {name!r}: names that begin with {', '.join(RESERVED_PREFIXES)} are taken")
    return name


def checked_view(name: str, journals: Iterable[str]) -> str:
    """Return `name` if it can be a view table's in a database that has `journals`.

    Raises:
        InvalidName: it is not a name, or that of somebody else's table.
    """
    owner = owner_of(name, journals)
    if owner is not None:
        raise InvalidName(f"table {name!r} belongs to the journal {owner!r}, and is no view's")
    return unreserved_name(name)


def owner_of(table: str, journals: Iterable[str]) -> str | None:
    """The one of `journals` that has `table` among its own, or None."""
    parts = {f"{journal}_{part}": journal for journal in journals for part in JOURNAL_PARTS}
    return parts.get(table)


def checked_journal(name: str, shard_count: int) -> str:
    """Return `name` if a journal with `shard_count` shards can have it.

    Raises:
        InvalidName: the name cannot be a journal's.
        ValueError: the count is not 1 to 65,536.
    """
    if not 1 <= shard_count <= MAX_SHARDS:
        raise ValueError(f"journal {name!r}: the number of shards is 1 to {MAX_SHARDS}, not {shard_count}")
    return unreserved_name(name)
