"""Opening PostgreSQL: options, settings that break *durable*, and the password that nobody may see."""

from __future__ import annotations

import logging
import traceback
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pytest

from journal.database import open_database
from journal.errors import InvalidUrl, JournalError, SchemaMismatch, Unavailable
from journal.postgres import PostgresDatabase, PostgresOptions
from journal.postgres.link import check_server, warn_of_settings
from journal.records import Column, TableSpec
from tests.conformance.samples import append, appending, written
from tests.journal.postgres_store import opened, opened_store, session
from tests.postgres_server import PostgresServer

SECRET = "hidden/w@rd#%"


def with_password(url: str, password: str, user: str | None = None) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user or parts.username}:{password}@{host}"))


async def _failure(url: str, **options: Any) -> JournalError:
    with pytest.raises(JournalError) as refused:
        await PostgresDatabase.open(url, **options)
    return refused.value


@pytest.fixture
def guarded_url(postgres_server: PostgresServer, postgres_url: str) -> str:
    """An empty database on a server that asks for a password."""
    if not postgres_server.owned:
        pytest.skip("the server is somebody else's and may ask for none: POSTGRES_URL is set")
    return postgres_url


async def test_the_password_is_never_shown(guarded_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    urls = [
        with_password(guarded_url, quote(SECRET, safe="")),
        with_password("postgresql://app@nowhere.invalid:5432/tickets", quote(SECRET, safe="")),
        with_password(guarded_url, SECRET),  # not encoded: its parts end up anywhere
        f"postgresql://app:hidden@127.0.0.1:hidden/{SECRET}",
        f"postgresql://app@[::1/{SECRET}",
        f"postgresql://127.0.0.1:1/db?password={quote(SECRET, safe='')}",
        f"postgres:{SECRET}",
        f"mysql://app:{SECRET}@127.0.0.1/db",
    ]
    for url in urls:
        failure = await _failure(url, connect_timeout=2)
        told = "".join(traceback.format_exception(failure)) + repr(failure)
        assert "hidden" not in told
    assert "hidden" not in caplog.text


async def test_an_open_database_does_not_show_it_either(guarded_url: str) -> None:
    password = urlsplit(guarded_url).password or ""
    async with opened_store(guarded_url) as store, opened(guarded_url) as database:
        assert password not in database.url
        for thing in (store, database, database.offsets, vars(database), vars(store)):
            assert password not in repr(thing)
        assert database.url == with_password(guarded_url, "").replace(":@", "@")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:",
        "postgresql://h:port/db",
        "postgresql://h:65536/db",
        "postgresql://h,h:999999999999/db",
        "postgresql://h/db?port=70000",
        "postgres://h/db#part",
        "sqlite:///x",
        "postgresql://h]/db",
    ],
)
async def test_an_url_that_cannot_be_read(url: str) -> None:
    with pytest.raises(InvalidUrl, match="percent-encoded"):
        await PostgresDatabase.open(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:12/hidden@h/db",
        "postgresql://ann:12?a=hidden@h/db",
        "postgresql://ann:x@1/hidden@h/db",
        "postgresql://ann:x@y?a=hidden@h/db",
        "postgresql://ann:12#hidden@h/db",
    ],
)
async def test_a_password_that_is_not_percent_encoded_is_not_taken_for_an_address(url: str) -> None:
    with pytest.raises(InvalidUrl, match="percent-encoded") as refused:
        await PostgresDatabase.open(url)
    assert "hidden" not in str(refused.value)


async def test_a_user_who_may_not_enter(guarded_url: str) -> None:
    assert "authentication failed" in str(await _failure(with_password(guarded_url, "wrong")))
    missing = urlunsplit(urlsplit(guarded_url)._replace(path="/no_such_database"))
    assert "no_such_database" in str(await _failure(missing))


async def test_opened_by_its_url(postgres_url: str) -> None:
    for url in (postgres_url, postgres_url.replace("postgresql://", "postgres://")):
        database = await open_database(url, pool_size=1)
        await database.close()


@pytest.mark.parametrize(
    "options",
    [
        {"pool_size": 0},
        {"append_connections": 0},
        {"lock_timeout": 0},
        {"lock_timeout": 40.0},
        {"command_timeout": 30.0},
        {"connect_timeout": -1},
        {"close_timeout": -1},
    ],
)
async def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"timeout|at least"):
        await PostgresDatabase.open("postgresql://127.0.0.1:1/db", **options)


async def test_an_option_that_does_not_exist() -> None:
    with pytest.raises(TypeError, match="colour"):
        await PostgresDatabase.open("postgresql://127.0.0.1:1/db", colour="red")


async def test_a_commit_weaker_than_durable_is_said_and_not_used(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with session(postgres_url) as owner:
        await owner.execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$"
        )
    async with opened(postgres_url) as database:
        assert "synchronous_commit=off" in caplog.text
        async with database.transaction() as transaction:
            assert await transaction.fetch("SHOW synchronous_commit") == [("on",)]


def _greeting(**changed: Any) -> dict[str, Any]:
    usual = {"version": 16, "encoding": "UTF8", "synchronous_commit": "on", "fsync": "on", "full_page_writes": "on"}
    return {**usual, **changed}


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_can_lose_events_is_said(setting: str, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_settings("here", _greeting())
    assert caplog.text == ""
    warn_of_settings("here", _greeting(**{setting: "off"}))
    assert f"{setting}=off" in caplog.text


@pytest.mark.parametrize("changed", [{"version": 13}, {"encoding": "SQL_ASCII"}])
def test_a_server_that_cannot_hold_the_tables_is_refused(changed: dict[str, Any]) -> None:
    check_server("here", _greeting())
    with pytest.raises(SchemaMismatch, match="here"):
        check_server("here", _greeting(**changed))


async def test_a_standby_is_not_used(postgres_url: str) -> None:
    async with session(postgres_url) as owner:
        await owner.execute(
            "DO $$ BEGIN EXECUTE format("
            "'ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$"
        )
    with pytest.raises(Unavailable):
        await PostgresDatabase.open(postgres_url)


async def test_sessions_carry_their_limits(postgres_url: str) -> None:
    async with opened(postgres_url, lock_timeout=1.5, statement_timeout=2, command_timeout=3) as database:
        async with database.transaction() as transaction:
            shown = [
                await transaction.fetch(f"SHOW {name}")
                for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
            ]
        assert shown == [[("1500ms",)], [("2s",)], [("4s",)]]


async def test_without_prepared_statements_kept_everything_works(postgres_url: str) -> None:
    """For proxies that hand each transaction to another session."""
    table = TableSpec("view", "id", (Column("id", "text"),))
    async with opened_store(postgres_url, statement_cache_size=0) as store:
        for seq_nr in (1, 2):
            await written(store, appending("a", seq_nr))
            await written(store, appending("b", seq_nr), appending("c", seq_nr, shard=1))
        assert type((await append(store, appending("a", 9), appending("d", 1)))[1]).__name__ == "Appended"
        assert len(await store.read_entity("a", 1, 10)) == 2
    async with opened(postgres_url, statement_cache_size=0) as database:
        await database.create_table(table)
        async with database.transaction() as transaction:
            await transaction.put_rows(table, [("a",)])
        assert [row async for row in database.scan(table)] == [("a",)]


def test_times_are_given_to_the_server_in_milliseconds() -> None:
    settings = PostgresOptions(lock_timeout=0.0001).session_settings()
    assert settings["lock_timeout"] == "1"
    assert settings["statement_timeout"] == "30000"
