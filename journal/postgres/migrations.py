"""Creating and upgrading what a PostgreSQL schema holds, by numbered migrations.

Files are called `0002_what_it_does.sql`, or `0002_what_it_does.each_journal.sql` when they run once for every journal
that is there, with its name for `{journal}`. New journals are made from `sql/journal.sql`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources.abc import Traversable
from typing import NamedTuple

from journal.errors import SchemaMismatch
from journal.postgres.link import Link
from journal.postgres.statements import SQL, filled, statement


class Migration(NamedTuple):
    """One step from a version of the schema to the next."""

    version: int
    name: str
    sql: str
    each_journal: bool


@cache
def migrations(folder: Traversable = SQL / "migrations") -> tuple[Migration, ...]:
    """The migrations in a folder, by version.

    Raises:
        ValueError: their numbers are not 1, 2, 3, …
    """
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    steps = tuple(_migration(file) for file in found)
    if [step.version for step in steps] != list(range(1, len(steps) + 1)):
        raise ValueError(f"migrations are numbered 1, 2, 3, …; found {[file.name for file in found]}")
    return steps


def _migration(file: Traversable) -> Migration:
    number, _, rest = file.name.partition("_")
    name = rest.removesuffix(".sql")
    each_journal = name.endswith(".each_journal")
    return Migration(int(number), name.removesuffix(".each_journal"), file.read_text(encoding="utf-8"), each_journal)


async def stored_version(link: Link, schema: str) -> int:
    """The version of `schema`; 0 where there is nothing of ours.

    Raises:
        SchemaMismatch: it is newer than this program.
    """
    if not await link.fetch(statement("find_tables", schema), schema, ["aecorpy_schema"]):
        return 0
    ((version,),) = await link.fetch(statement("stored_version", schema))
    newest = len(migrations())
    if version > newest:
        raise SchemaMismatch(
            f"PostgreSQL schema {schema!r} has version {version}, and this program knows versions up to {newest}: "
            "the program is older than the database; run a newer one"
        )
    return int(version)


async def upgrade(link: Link, schema: str) -> None:
    """Bring `schema` to this program's version, in the transaction open on `link` that holds the migration lock.

    Raises:
        SchemaMismatch: it is newer than this program.
    """
    await link.connection.execute(statement("create_schema", schema))
    for step in migrations()[await stored_version(link, schema) :]:
        for journal in await journals(link, schema) if step.each_journal else [""]:
            await link.connection.execute(filled(step.sql, schema, journal))
        await link.fetch(statement("migration_applied", schema), step.version, step.name)


async def journals(link: Link, schema: str) -> dict[str, int]:
    """The journals there are, with their number of shards."""
    return dict(await link.fetch(statement("journals", schema)))
