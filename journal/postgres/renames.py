"""Renaming and deleting view tables, in the transaction that is open on a link."""

from __future__ import annotations

from collections.abc import Iterable

from journal.names import checked_view, unreserved_name
from journal.postgres.link import Link
from journal.postgres.migrations import journals
from journal.postgres.statements import quoted, statement
from journal.postgres.view_tables import index_name


async def existing(link: Link, schema: str, names: Iterable[str]) -> set[str]:
    """Those of `names` under which there is a table.

    Raises:
        InvalidName: a name cannot be a view table's.
    """
    wanted = [unreserved_name(name) for name in names]
    return {row[0] for row in await link.fetch(statement("tables_exist", schema), schema, wanted)}


async def rename(link: Link, schema: str, old: str, new: str) -> None:
    """Give a table another name, and the indexes that we made on it the names they have under that.

    Raises:
        InvalidName: a name cannot be a view table's.
        asyncpg.PostgresError: the table is not there, in use, or somebody else's; or the name is taken.
    """
    known = await journals(link, schema)
    names = {"{old}": checked_view(old, known), "{new}": checked_view(new, known)}
    await link.fetch(statement("short_lock_wait", schema))
    await _change(link, statement("rename_table", schema), names)
    indexes = {row[0] for row in await link.fetch(statement("table_indexes", schema), schema, new)}
    for column, *_ in await link.fetch(statement("table_columns", schema), schema, new):
        if index_name(old, column) in indexes:
            followed = {"{old}": index_name(old, column), "{new}": index_name(new, column)}
            await _change(link, statement("rename_index", schema), followed)


async def drop(link: Link, schema: str, name: str) -> None:
    """Delete a table, if there is one.

    Raises:
        InvalidName: the name cannot be a view table's.
        asyncpg.PostgresError: it is in use, or somebody else's.
    """
    names = {"{table}": checked_view(name, await journals(link, schema))}
    await link.fetch(statement("short_lock_wait", schema))
    await _change(link, statement("drop_table", schema), names)


async def _change(link: Link, sql: str, names: dict[str, str]) -> None:
    for place, name in names.items():
        sql = sql.replace(place, quoted(name))
    await link.connection.execute(sql)
