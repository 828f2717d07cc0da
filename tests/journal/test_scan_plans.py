"""A scan up to a value, in the order of an indexed column, reads the index and not the table, however large that is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal.database import open_database
from journal.postgres.view_tables import ViewStatements
from journal.records import Column, TableSpec
from journal.scans import Scan
from journal.sqlite.tables import table_of
from tests.journal.postgres_store import opened, session

NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)
TABLE = TableSpec("timers", "id", (Column("id", "text"), Column("due", "time"), Column("n", "integer")), ("due", "n"))
ROWS = [(f"k-{number}", NOON + timedelta(seconds=number), number) for number in range(20_000)]


def _scans() -> list[Scan]:
    """The first page of a scan of what is due, and a further one."""
    bound = ("due", NOON + timedelta(seconds=2_000))
    first, further = Scan(TABLE, None, bound, "due", 100), Scan(TABLE, None, bound, "due", None)
    further.passed(ROWS[: further.size], [])
    return [first, further]


@pytest.mark.parametrize("plan", ["force_generic_plan", "force_custom_plan"])
async def test_postgres_reads_the_index(postgres_url: str, plan: str) -> None:
    async with opened(postgres_url) as database, session(postgres_url) as other:
        await database.create_table(TABLE)
        async with database.transaction() as transaction:
            await transaction.put_rows(TABLE, ROWS)
        await other.execute(f"ANALYZE timers; SET plan_cache_mode = {plan}")
        for number, scan in enumerate(_scans()):
            sql = ViewStatements("public").page(TABLE, scan.shape)
            await other.execute(f"PREPARE page{number} AS {sql}")
            values = ", ".join(f"'{value}'" for value in (scan.size, *scan.arguments))
            lines = [row[0] for row in await other.fetch(f"EXPLAIN EXECUTE page{number} ({values})")]
            assert any("timers_due" in line for line in lines), lines
            assert any("Index Cond" in line and "due <=" in line for line in lines), lines
            assert not any("Seq Scan" in line for line in lines), lines


async def test_sqlite_reads_the_index(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/journal.db")
    await database.create_table(TABLE)
    await database.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        for scan in _scans():
            sql = f"EXPLAIN QUERY PLAN {table_of(TABLE).page(scan.shape)}"
            lines = [row[3] for row in connection.execute(sql, [*map(str, scan.arguments), scan.size])]
            assert any("USING INDEX timers__due" in line and "due<?" in line for line in lines), lines
