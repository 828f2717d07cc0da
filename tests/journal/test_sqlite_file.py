"""The SQLite file itself: URLs, what can be wrong with a file, immutable events, the schema's versions."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from journal.database import open_database
from journal.errors import InvalidUrl, SchemaMismatch, Unavailable
from journal.sqlite import SqliteDatabase
from journal.sqlite.connection import SqliteFile
from journal.sqlite.database import file_path
from journal.sqlite.schema import Migration, migrations, upgrade
from tests.conformance.samples import appending, log, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    database = await SqliteDatabase.open(f"sqlite:///{path}")
    yield database
    await database.close()


async def create(path: Path) -> None:
    """Create a file with one journal of two shards and one event, and close it."""
    database = await open_database(f"sqlite:///{path}")
    store = await database.journal("booking", 2)
    await store.claim(0, 1)
    await written(store, appending("a", 1, b"kept"))
    await database.close()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///file.db", "{here}/file.db"),
        ("sqlite:///some/file.db", "{here}/some/file.db"),
        ("sqlite:////abs/file.db", "/abs/file.db"),
        ("sqlite:////abs/with%20space%3F.db", "/abs/with space?.db"),
        ("sqlite:///../up.db", "{above}/up.db"),
    ],
)
def test_the_path_in_a_url(url: str, path: str) -> None:
    here = Path.cwd()
    assert file_path(url) == path.format(here=here, above=here.parent)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite://file.db",
        "sqlite:///:memory:",
        "sqlite:///a.db?mode=ro",
        "sqlite:///a/",
    ],
)
async def test_a_url_that_names_no_file(url: str) -> None:
    with pytest.raises(InvalidUrl, match="sqlite:///"):
        await open_database(url)


async def test_a_relative_path_stays_where_it_was_when_the_program_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = await open_database("sqlite:///journal.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store = await database.journal("booking", 1)
    assert len(await store.heads()) == 1
    await database.close()
    assert os.listdir() == []


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"missing does not exist"):
        await open_database(f"sqlite:///{tmp_path}/missing/journal.db")


async def test_a_path_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be opened"):
        await open_database(f"sqlite:///{tmp_path}")


@pytest.fixture
def diary(path: Path) -> Iterator[Path]:
    """A file that is something else, and stays so."""
    path.write_bytes(b"Dear diary, " * 1000)
    yield path
    assert path.read_bytes() == b"Dear diary, " * 1000


async def test_a_file_that_is_something_else(diary: Path) -> None:
    with pytest.raises(Unavailable, match="not a SQLite database"):
        await open_database(f"sqlite:///{diary}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written(path: Path) -> None:
    asyncio.run(create(path))
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        with pytest.raises(Unavailable, match="written"):
            asyncio.run(create(path))
    finally:
        path.parent.chmod(0o755)


async def test_an_unknown_option(path: Path) -> None:
    with pytest.raises(TypeError, match="colour"):
        await open_database(f"sqlite:///{path}", colour="red")


async def test_a_failed_start_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with pytest.raises(Unavailable):
        await open_database(f"sqlite:///{tmp_path}/missing/journal.db")
    assert set(threading.enumerate()) <= before


async def test_commits_are_flushed_to_the_disk(database: SqliteDatabase, path: Path) -> None:
    await database.journal("booking", 1)
    modes = await database._access.writer.submit(
        lambda connection: [
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        ]
    )
    assert modes == ["wal", 2]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE booking_event SET payload = x'00'",
        "UPDATE booking_event SET seq_nr = seq_nr + 100",
        "DELETE FROM booking_event",
        "REPLACE INTO booking_event SELECT shard, offset, key, seq_nr, 9, 'T', 1, x'', x'', 0 FROM booking_event",
        "INSERT OR REPLACE INTO booking_event SELECT 1, 99, key, seq_nr, 9, 'T', 1, x'', x'', 0 FROM booking_event",
    ],
)
async def test_events_are_immutable_to_whatever_program_comes(path: Path, sql: str) -> None:
    await create(path)
    with closing(sqlite3.connect(path)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="events are immutable"):
            connection.execute(sql)
        assert connection.execute("SELECT payload FROM booking_event").fetchall() == [(b"kept",)]


async def test_a_table_of_somebody_elses_in_the_journals_place(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE booking_event (id INTEGER)")
    database = await open_database(f"sqlite:///{path}")
    with pytest.raises(SchemaMismatch, match="booking_event"):
        await database.journal("booking", 4)
    store = await database.journal("ticket", 4)
    assert len(await store.heads()) == 4
    await database.close()


def stepped(*steps: tuple[str, bool]) -> list[Migration]:
    """The real migrations and some that a later version could bring."""
    real = migrations()
    later = [
        Migration(len(real) + number, f"later_{number}", sql, each_journal)
        for number, (sql, each_journal) in enumerate(steps, 1)
    ]
    return [*real, *later]


def upgraded(path: Path, steps: list[Migration]) -> None:
    """Do what opening by a program with `steps` does to the schema."""
    file = SqliteFile(str(path), 5.0)
    with closing(file.connect()) as connection:
        upgrade(connection, file, steps)


async def test_a_file_of_a_newer_program_is_refused_and_left_alone(path: Path) -> None:
    await create(path)
    upgraded(path, stepped(("CREATE TABLE news (id INTEGER);", False)))
    newest = len(migrations())
    expected = rf"version {newest + 1}, and this program knows versions up to {newest}: the program is older"
    with pytest.raises(SchemaMismatch, match=expected):
        await open_database(f"sqlite:///{path}")


async def test_a_file_of_an_older_program_is_upgraded_with_all_its_journals(path: Path) -> None:
    await create(path)
    database = await open_database(f"sqlite:///{path}")
    await database.journal("ticket", 1)
    await database.close()
    steps = stepped(
        ("ALTER TABLE \"{journal}_shard\" ADD COLUMN mood TEXT DEFAULT 'fine';", True),
        ("CREATE TABLE news (id INTEGER);\nINSERT INTO news VALUES (1);\n", False),
    )
    upgraded(path, steps)
    upgraded(path, steps)  # nothing left to do
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT mood FROM booking_shard").fetchall() == [("fine",), ("fine",)]
        assert connection.execute("SELECT mood FROM ticket_shard").fetchall() == [("fine",)]
        assert connection.execute("SELECT id FROM news").fetchall() == [(1,)]
        assert connection.execute("SELECT payload FROM booking_event").fetchall() == [(b"kept",)]
        versions = connection.execute("SELECT version, name FROM aecorpy_schema ORDER BY version").fetchall()
    assert versions == [(step.version, step.name) for step in steps]


async def test_letters_of_a_first_version_are_there_after_the_upgrade(path: Path) -> None:
    upgraded(path, migrations()[:1])
    with closing(sqlite3.connect(path)) as first_program:
        first_program.execute("INSERT INTO aecorpy_dead_letter VALUES ('view', 'tag', 1, 'a', 1, 'Paid', 'bad', 0)")
        first_program.commit()
    database = await open_database(f"sqlite:///{path}")
    (letter,) = await database.dead_letters.list("view")
    assert (letter.error, letter.by, letter.asked) == ("bad", None, False)
    assert await database.dead_letters.ask_again("view", "tag", 1)
    assert [each.offset for each in await database.dead_letters.asked("view", ["tag"])] == [1]
    await database.close()


async def test_an_upgrade_that_fails_changes_nothing(path: Path) -> None:
    await create(path)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        upgraded(path, stepped(("CREATE TABLE news (id INTEGER);", False), ("INSERT INTO nowhere VALUES (1);", False)))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'news'").fetchall() == []
    database = await open_database(f"sqlite:///{path}")
    assert len(await log(await database.journal("booking", 2))) == 1
    await database.close()


async def test_programs_that_upgrade_at_once_do_it_once(path: Path) -> None:
    steps = stepped(("CREATE TABLE news (id INTEGER);", False))
    await asyncio.gather(*(asyncio.to_thread(upgraded, path, steps) for _ in range(4)))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM aecorpy_schema").fetchone() == (len(steps),)


def test_migrations_are_numbered_without_a_hole(tmp_path: Path) -> None:
    assert [step.version for step in migrations()] == list(range(1, len(migrations()) + 1))
    (tmp_path / "0001_first.sql").write_text("SELECT 1;")
    (tmp_path / "0002_second.each_journal.sql").write_text("SELECT 2;")
    assert migrations(tmp_path) == [
        Migration(1, "first", "SELECT 1;", False),
        Migration(2, "second", "SELECT 2;", True),
    ]
    (tmp_path / "0002_second.each_journal.sql").rename(tmp_path / "0003_third.sql")
    migrations.cache_clear()
    with pytest.raises(ValueError, match="0003_third"):
        migrations(tmp_path)
