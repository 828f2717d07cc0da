"""Tables in PostgreSQL: created once whoever comes first, checked against the program, closed to change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from journal.errors import InvalidName, SchemaMismatch, Unavailable, WrongShardCount
from journal.postgres import PostgresDatabase, migrate, migrations, schema
from journal.records import Column, DeadLetter, NewNote, OffsetMove, Snapshot, TableSpec
from tests.conformance.samples import append, appending, log, written
from tests.journal.postgres_store import SHARDS, opened, opened_store, session

NOW = len(migrations.migrations())  # this program's version of the schema
TABLE = TableSpec("view", "id", (Column("id", "text"), Column("n", "integer")), ("n",))


async def test_programs_that_start_at_once_create_everything_once(postgres_url: str) -> None:
    async def start(number: int) -> None:
        async with opened(postgres_url) as database:
            store = await database.journal("booking", SHARDS)
            await database.create_table(TABLE)
            await store.claim(0, number + 1) if number == 0 else None

    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(start(number))
    async with session(postgres_url) as observer:
        steps = [(step.version, step.name) for step in migrations.migrations()]
        assert await observer.fetch("SELECT version, name FROM aecorpy_schema ORDER BY version") == steps
        assert await observer.fetch("SELECT * FROM aecorpy_journal") == [("booking", SHARDS)]
        assert await observer.fetchval("SELECT count(*) FROM booking_shard") == SHARDS
        assert await observer.fetchval("SELECT count(*) FROM pg_indexes WHERE tablename = 'view'") == 2


async def test_a_program_older_than_the_database_says_so(postgres_url: str) -> None:
    async with opened(postgres_url):
        pass
    async with session(postgres_url) as later_program:
        await later_program.execute("INSERT INTO aecorpy_schema VALUES (99, 'later')")
    with pytest.raises(SchemaMismatch, match=r"version 99.*the program is older"):
        await PostgresDatabase.open(postgres_url)


@pytest.fixture
def later_program(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it to make this program one that knows two migrations more."""

    def become() -> None:
        later = (
            *migrations.migrations(),
            migrations.Migration(NOW + 1, "second", "CREATE TABLE {schema}.aecorpy_second (n int);", False),
            migrations.Migration(
                NOW + 2, "third", "ALTER TABLE {schema}.{journal}_snapshot ADD COLUMN third int;", True
            ),
        )
        monkeypatch.setattr(migrations, "migrations", lambda: later)
        monkeypatch.setattr(schema, "migrations", lambda: later)

    return become


async def test_an_older_database_is_upgraded_with_all_its_journals(
    postgres_url: str, later_program: Callable[[], None]
) -> None:
    async with opened_store(postgres_url) as store:
        await written(store, appending("a", 1))
    later_program()
    with pytest.raises(SchemaMismatch, match=rf"has version {NOW}, this program needs {NOW + 2}.*migrate=False"):
        await PostgresDatabase.open(postgres_url, migrate=False)
    await asyncio.gather(*(migrate(postgres_url) for _ in range(4)))
    async with opened(postgres_url, migrate=False) as database, session(postgres_url) as observer:
        assert len(await log(await database.journal("booking", SHARDS))) == 1
        versions = [row[0] for row in await observer.fetch("SELECT version FROM aecorpy_schema ORDER BY version")]
        assert versions == [*range(1, NOW + 3)]
        assert await observer.fetch("SELECT n FROM aecorpy_second") == []
        assert await observer.fetch("SELECT third FROM booking_snapshot") == []


async def test_an_upgrade_that_fails_changes_nothing(postgres_url: str, later_program: Callable[[], None]) -> None:
    async with opened(postgres_url) as database:
        await database.journal("booking", SHARDS)
    async with session(postgres_url) as obstacle:
        await obstacle.execute("ALTER TABLE booking_snapshot ADD COLUMN third text")
        later_program()
        with pytest.raises(Unavailable, match="third"):
            await PostgresDatabase.open(postgres_url)
        assert await obstacle.fetchval("SELECT max(version) FROM aecorpy_schema") == NOW
        assert await obstacle.fetchval("SELECT to_regclass('aecorpy_second')") is None


async def test_letters_of_a_first_version_are_there_after_the_upgrade(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        first = migrations.migrations()[:1]
        earlier.setattr(migrations, "migrations", lambda: first)
        earlier.setattr(schema, "migrations", lambda: first)
        await migrate(postgres_url)
    async with session(postgres_url) as first_program:
        await first_program.execute("INSERT INTO aecorpy_dead_letter VALUES ('view', 'tag', 1, 'a', 1, 'Paid', 'bad')")
    async with opened(postgres_url) as database:
        (letter,) = await database.dead_letters.list("view")
        assert (letter.error, letter.by, letter.asked) == ("bad", None, False)
        assert await database.dead_letters.ask_again("view", "tag", 1)
        assert [each.offset for each in await database.dead_letters.asked("view", ["tag"])] == [1]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE booking_event SET payload = ''",
        "UPDATE booking_event SET payload = '' WHERE false",
        "DELETE FROM booking_event",
        "TRUNCATE booking_event",
    ],
)
async def test_events_are_immutable_for_the_owner_too(postgres_url: str, change: str) -> None:
    async with opened_store(postgres_url) as store, session(postgres_url) as owner:
        await written(store, appending("a", 1))
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="immutable"):
            await owner.execute(change)
        assert len(await log(store)) == 1


async def test_tables_lie_in_the_schema_that_is_named(postgres_url: str) -> None:
    async with opened_store(postgres_url, schema="tickets") as tickets, opened_store(postgres_url) as others:
        await written(tickets, appending("a", 1))
        assert await log(others) == []
        async with session(postgres_url) as observer:
            assert await observer.fetchval("SELECT count(*) FROM tickets.booking_event") == 1
            assert await observer.fetchval("SELECT count(*) FROM public.booking_event") == 0


async def test_sql_of_views_finds_the_schema_that_is_named(postgres_url: str) -> None:
    async with opened(postgres_url, schema="tickets") as database:
        await database.create_table(TABLE)
        async with database.transaction() as transaction:
            await transaction.execute("INSERT INTO view VALUES ('a', 1)")
            await transaction.put_rows(TABLE, [("b", 2)])
        assert [row async for row in database.scan(TABLE)] == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("name", ["", "Tickets", 'x"; DROP TABLE y; --', "pg_catalog", "a" * 41])
async def test_what_cannot_be_a_schema_is_refused(postgres_url: str, name: str) -> None:
    with pytest.raises(InvalidName):
        await PostgresDatabase.open(postgres_url, schema=name)


async def test_a_role_whose_search_path_leads_nowhere(postgres_url: str) -> None:
    async with session(postgres_url) as owner:
        await owner.execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = gone', current_database()); END $$"
        )
    with pytest.raises(SchemaMismatch, match="search_path"):
        await PostgresDatabase.open(postgres_url)


async def test_an_index_that_is_missing_is_added(postgres_url: str) -> None:
    plain = TableSpec("view", "id", TABLE.columns)
    async with opened(postgres_url) as database:
        await database.create_table(plain)
        await database.create_table(TABLE)
        await database.create_table(plain)
    async with session(postgres_url) as observer:
        assert await observer.fetchval("SELECT count(*) FROM pg_indexes WHERE tablename = 'view'") == 2


async def test_a_table_of_somebody_else_is_not_taken_for_a_view(postgres_url: str) -> None:
    async with opened(postgres_url) as database, session(postgres_url) as owner:
        await owner.execute("CREATE TABLE theirs (id text PRIMARY KEY, n int)")
        await owner.execute("CREATE VIEW looks AS SELECT 'a' AS id, 1::bigint AS n")
        for name in ("theirs", "looks"):
            with pytest.raises(SchemaMismatch, match=name):
                await database.create_table(TableSpec(name, "id", TABLE.columns))


async def test_without_leave_to_migrate_nothing_is_created(postgres_url: str) -> None:
    with pytest.raises(SchemaMismatch, match="migrate"):
        await PostgresDatabase.open(postgres_url, migrate=False)
    await migrate(postgres_url)
    async with opened(postgres_url, migrate=False) as database:
        with pytest.raises(SchemaMismatch, match="journal 'booking' does not exist"):
            await database.journal("booking", SHARDS)
        with pytest.raises(SchemaMismatch, match="table 'view'"):
            await database.create_table(TABLE)
    await migrate(postgres_url, journals={"booking": SHARDS}, tables=[TABLE])
    async with opened(postgres_url, migrate=False) as database:
        await database.journal("booking", SHARDS)
        await database.create_table(TABLE)
        with pytest.raises(WrongShardCount):
            await database.journal("booking", SHARDS + 1)


async def test_the_applications_role_needs_no_ddl_and_cannot_touch_events(postgres_url: str) -> None:
    """S11: it appends, reads, claims, keeps snapshots, moves offsets, fills views; it creates and destroys nothing."""
    role = f"app_{postgres_url.rpartition('_')[2]}"
    async with session(postgres_url) as owner:
        await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'w0rd'")
        await owner.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        try:
            await migrate(postgres_url, journals={"booking": SHARDS}, tables=[TABLE], application_role=role)
            head, _, tail = postgres_url.partition("://")
            await _use_everything(f"{head}://{role}:w0rd@{tail.rpartition('@')[2]}")
        finally:
            await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def _use_everything(url: str) -> None:
    async with opened(url, migrate=False) as database:
        store = await database.journal("booking", SHARDS)
        await database.create_table(TABLE)
        await store.claim(0, 1)
        await written(store, appending("a", 1))
        await written(store, appending("a", 2), appending("b", 1))
        await append(store, appending("a", 9), appending("b", 2))
        assert len(await log(store)) == 4
        snapshots = database.snapshots("booking")
        for seq_nr in (1, 2):
            await snapshots.put(0, 1, Snapshot("a", seq_nr, "State", 1, b""))
        await snapshots.delete("a")
        for _ in range(2):
            await database.notes.put([NewNote("control", "view", b"")])
            async with database.transaction() as transaction:
                assert await transaction.get_note("control", "view") is not None
                await transaction.put_note(NewNote("control", "view", b""))
                await transaction.delete_note("control", "other")
        assert [note.revision for note in await database.notes.read(["control"])] == [4]
        await database.notes.delete("control", ["view"])
        for epoch in (1, 2):
            await database.offsets.claim("view", ["tag"], epoch)
        for number in (1, 2):
            async with database.transaction() as transaction:
                await transaction.put_rows(TABLE, [("a", number)])
                await transaction.set_aside(DeadLetter("view", "tag", 1, "a", 1, "Happened", "bad"))
                await transaction.move_offsets("view", [OffsetMove("tag", number - 1, number)], 2)
                await transaction.delete_rows(TABLE, ["b"])
        assert len(await database.dead_letters.list("view")) == 1
        assert await database.dead_letters.ask_again("view", "tag", 1)
        assert len(await database.dead_letters.asked("view", ["tag"])) == 1
        async with database.transaction() as transaction:
            await transaction.read_offsets("view")
            await transaction.place_offsets("view", {"tag": 0, "new": 0})
            assert await transaction.settle_letter("view", "tag", 1)
        assert [row async for row in database.scan(TABLE)] == [("a", 2)]
        with pytest.raises(SchemaMismatch):
            await database.journal("ticket", 1)
    async with session(url) as application:
        for forbidden in (
            "UPDATE booking_event SET payload = ''",
            "DELETE FROM booking_event",
            "TRUNCATE booking_event",
            "DROP TABLE booking_event",
            "ALTER TABLE booking_event DISABLE TRIGGER ALL",
            "CREATE TABLE mine (n int)",
            "DELETE FROM booking_shard",
            "DELETE FROM aecorpy_schema",
            "DELETE FROM aecorpy_offset",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await application.execute(forbidden)
    with pytest.raises(SchemaMismatch, match="may not create"):
        async with opened(url) as database:
            await database.journal("ticket", 1)
