"""Renaming view tables in PostgreSQL while others use them, and what follows the table."""

from __future__ import annotations

import asyncio

import pytest

from journal.contract import Database
from journal.errors import Fenced, SchemaMismatch, Unavailable
from journal.postgres import PostgresDatabase, migrate
from journal.records import Column, OffsetMove, TableSpec
from tests.journal.postgres_store import opened, session, waiting_for_a_lock

COLUMNS = (Column("id", "text"), Column("n", "integer"))
VIEW = TableSpec("shops", "id", COLUMNS, ("n",))
NEXT = TableSpec("shops_g2", "id", COLUMNS, ("n",))
WIDER = TableSpec("shops_g2", "id", (Column("id", "text"), Column("n", "text"), Column("m", "integer")), ("n", "m"))


async def switch(database: Database) -> None:
    """Let the next generation take the view's place, and the view that of the next generation."""
    async with database.transaction() as transaction:
        await transaction.rename_table("shops", "shops_old")
        await transaction.rename_table("shops_g2", "shops")
        await transaction.rename_table("shops_old", "shops_g2")


async def rename_once(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.rename_table("shops", "shops_before")


async def test_indexes_follow_their_table_and_nothing_else_does(postgres_url: str) -> None:
    async with opened(postgres_url) as database, session(postgres_url) as owner:
        await database.create_table(VIEW)
        await owner.execute("CREATE INDEX of_mine ON shops (n, id)")
        await owner.execute("CREATE TABLE made (n serial PRIMARY KEY, m int GENERATED ALWAYS AS IDENTITY)")
        async with database.transaction() as transaction:
            await transaction.rename_table("shops", "shops_before")
            await transaction.rename_table("made", "made_before")
        before = await owner.fetch("SELECT indexname FROM pg_indexes WHERE tablename = 'shops_before' ORDER BY 1")
        await database.create_table(VIEW)
        after = await owner.fetch("SELECT indexname FROM pg_indexes WHERE tablename = 'shops' ORDER BY 1")
        names = [row[0] for row in before]
        assert "of_mine" in names
        assert any(name.startswith("shops_before_n_") for name in names)
        assert len(after) == 2
        await owner.execute("INSERT INTO made_before DEFAULT VALUES; INSERT INTO made_before DEFAULT VALUES")
        assert await owner.fetch("SELECT n, m FROM made_before ORDER BY n") == [(1, 1), (2, 2)]
        async with opened(postgres_url, migrate=False) as application:  # finds all indexes there
            await application.create_table(TableSpec("shops_before", "id", COLUMNS, ("n",)))


async def test_a_long_reader_is_waited_for_a_second_and_then_nothing_has_happened(postgres_url: str) -> None:
    async with opened(postgres_url) as database, session(postgres_url) as reader:
        await database.create_table(VIEW)
        await reader.execute("BEGIN; SELECT * FROM shops")
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable, match="lock"):
            await rename_once(database)
        assert asyncio.get_running_loop().time() - began < 4
        await reader.execute("COMMIT")
        await rename_once(database)
        assert await database.tables_exist(["shops", "shops_before"]) == {"shops_before"}


async def test_a_short_reader_is_waited_for_and_later_ones_find_the_new_table(postgres_url: str) -> None:
    async with opened(postgres_url) as database, opened(postgres_url) as other, session(postgres_url) as reader:
        for table, row in ((VIEW, ("old", 1)), (NEXT, ("new", 2))):
            await database.create_table(table)
            async with database.transaction() as transaction:
                await transaction.put_rows(table, [row])
        await reader.execute("BEGIN; SELECT * FROM shops")
        async with asyncio.TaskGroup() as group:
            switching = group.create_task(switch(database))
            await waiting_for_a_lock(reader)
            finding = group.create_task(_scanned(other))
            await asyncio.wait([finding], timeout=0.05)
            assert not switching.done()
            assert not finding.done()
            await reader.execute("COMMIT")
        assert finding.result() == [("new", 2)]


async def _scanned(database: Database) -> list[tuple[object, ...]]:
    return [row async for row in database.scan(VIEW)]


async def test_a_shorter_limit_of_the_sessions_own_stays(postgres_url: str) -> None:
    async with opened(postgres_url, lock_timeout=0.1) as database:
        await database.create_table(VIEW)
        async with database.transaction() as transaction:
            await transaction.rename_table("shops", "shops_before")
            assert await transaction.fetch("SELECT current_setting('lock_timeout')") == [("100ms",)]
    async with opened(postgres_url) as database:
        async with database.transaction() as transaction:
            await transaction.rename_table("shops_before", "shops")
            assert await transaction.fetch("SELECT current_setting('lock_timeout')") == [("1s",)]
        async with database.transaction() as transaction:
            assert await transaction.fetch("SELECT current_setting('lock_timeout')") == [("5s",)]


async def test_readers_and_writers_go_on_while_tables_of_the_same_columns_take_turns(postgres_url: str) -> None:
    """Every block finds one table or the other; the rows and offsets of a writer stay together throughout."""
    async with opened(postgres_url) as database, opened(postgres_url, pool_size=3) as other:
        for table in (VIEW, NEXT):
            await database.create_table(table)
        await other.offsets.claim("Shops", ["a"], 1)
        done = asyncio.Event()

        async def write() -> int:
            number = 0
            while not done.is_set() or number == 0:
                try:
                    async with other.transaction() as transaction:
                        await transaction.put_rows(VIEW, [(f"k-{number:05}", number)])
                        assert await transaction.get_rows(VIEW, [f"k-{number:05}"])
                        await transaction.move_offsets("Shops", [OffsetMove("a", number, number + 1)], 1)
                    number += 1
                except Unavailable:
                    continue
            return number

        async def read() -> int:
            failures = 0
            while not done.is_set():
                try:
                    await _scanned(other)
                except Unavailable:
                    failures += 1
            return failures

        async with asyncio.TaskGroup() as group:
            writing, reading = group.create_task(write()), group.create_task(read())
            switched = 0
            while switched < 20:
                try:
                    await switch(database)
                    switched += 1
                except Unavailable:
                    continue
            done.set()
        written = [row[1] for table in (VIEW, NEXT) for row in [r async for r in database.scan(table)]]
        assert sorted(written) == list(range(writing.result()))
        assert (await database.offsets.read("Shops"))["a"].offset == writing.result()
        assert reading.result() == 0


async def test_statements_prepared_for_other_columns_fail_once_at_most(postgres_url: str) -> None:
    async with opened(postgres_url) as database, opened(postgres_url, pool_size=1) as other:
        await database.create_table(VIEW)
        await database.create_table(WIDER)

        async def everything() -> list[tuple[object, ...]]:
            async with other.transaction() as transaction:
                return await transaction.fetch("SELECT * FROM shops")

        async def places() -> list[tuple[object, ...]]:
            async with other.transaction() as transaction:
                await transaction.execute("INSERT INTO shops (id) VALUES ($1) ON CONFLICT (id) DO NOTHING", "k")
                return await transaction.fetch("SELECT id FROM shops")

        await places()
        assert {len(row) for row in await everything()} == {2}
        for width in (3, 2):
            await switch(database)
            with pytest.raises(Unavailable, match=r"plan is invalid.*the transaction is rolled back"):
                await everything()
            assert await places() == [("k",)]
            assert {len(row) for row in await everything()} == {width}


async def test_scans_prepared_for_other_columns_read_the_new_ones(postgres_url: str) -> None:
    async with opened(postgres_url) as database, opened(postgres_url, pool_size=1) as other:
        same_names = TableSpec("shops_g2", "id", (Column("id", "text"), Column("n", "text")))
        for table, row in ((VIEW, ("k", 1)), (same_names, ("k", "one"))):
            await database.create_table(table)
            async with database.transaction() as transaction:
                await transaction.put_rows(table, [row])
        for expected in (1, "one", 1):
            assert [row async for row in other.scan(VIEW)] == [("k", expected)]
            await switch(database)


async def test_a_view_that_goes_on_under_the_old_epoch_writes_nothing_to_the_new_table(postgres_url: str) -> None:
    async with opened(postgres_url) as database, opened(postgres_url) as other:
        for table in (VIEW, NEXT):
            await database.create_table(table)
        await other.offsets.claim("Shops", ["a"], 1)
        inside, go_on = asyncio.Event(), asyncio.Event()

        async def stale() -> None:
            async with other.transaction() as transaction:
                inside.set()
                await go_on.wait()
                await transaction.put_rows(VIEW, [("stale", 1)])
                await transaction.move_offsets("Shops", [OffsetMove("a", 0, 1)], 1)

        running = asyncio.ensure_future(stale())
        await inside.wait()
        async with database.transaction() as transaction:
            await transaction.rename_table("shops", "shops_old")
            await transaction.rename_table("shops_g2", "shops")
            await transaction.place_offsets("Shops", {"a": 5})
            go_on.set()
            await asyncio.wait([running], timeout=0.05)
            assert not running.done()
        with pytest.raises(Fenced):
            await running
        assert await _scanned(database) == []


async def test_the_applications_role_cannot_rebuild_and_is_told_so(postgres_url: str) -> None:
    role = f"app_{postgres_url.rpartition('_')[2]}"
    application = f"postgresql://{role}:w0rd@{postgres_url.rpartition('@')[2]}"
    async with session(postgres_url) as owner:
        await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'w0rd'")
        try:
            await migrate(postgres_url, tables=[VIEW, NEXT], application_role=role)
            async with opened(application, migrate=False) as database:
                await _refused_to_rebuild(database)
            async with opened(postgres_url) as database:
                await switch(database)
            async with opened(application, migrate=False) as database:  # rights go with the table
                await database.create_table(VIEW)
                async with database.transaction() as transaction:
                    await transaction.put_rows(VIEW, [("k", 1)])
                assert await _scanned(database) == [("k", 1)]
        finally:
            await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def _refused_to_rebuild(database: PostgresDatabase) -> None:
    await database.offsets.claim("Shops", ["a"], 1)
    async with database.transaction() as transaction:
        await transaction.place_offsets("Shops", {"a": 0})  # replaying needs no more than it has

    async def rename() -> None:
        await rename_once(database)

    async def drop() -> None:
        async with database.transaction() as transaction:
            await transaction.drop_table("shops_g2")

    async def forget() -> None:
        async with database.transaction() as transaction:
            await transaction.forget_offsets("Shops")

    for refused in (rename, drop, forget):
        with pytest.raises(SchemaMismatch, match="the role that owns the tables"):
            await refused()
