"""The PostgreSQL store: its clock, its tables and rights, and trouble on the way to the server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from journal.database import open_database
from sharding.store.errors import (
    ClusterSchemaMismatch,
    ClusterStoreError,
    StoreUnavailable,
)
from sharding.store.postgres import PostgresClusterStore
from sharding.store.postgres.lane import CHANGE
from sharding.store.records import UP, Allocation, Deployment, Seat
from tests.conformance.clusters import PATIENCE, waiting_for_locks
from tests.journal.postgres_store import session
from tests.waiting import eventually

PAGE = Path(__file__).parents[3] / "docs" / "cluster-store.md"
SEAT = Seat("a", "127.0.0.1", 7000)
BOOKING = Deployment("Booking", "entity", 8)
LOCK_CLUSTER = "BEGIN; SELECT FROM aecorpy_cluster_term FOR UPDATE"
LOCK_MEMBERS = "BEGIN; SELECT FROM aecorpy_cluster_member FOR UPDATE"


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[PostgresClusterStore]:
    """The store of the cluster `tickets`."""
    store = await PostgresClusterStore.open(url, "tickets", **{"limit": PATIENCE, **options})
    try:
        yield store
    finally:
        await store.close()


# --- leases


async def test_a_lease_of_real_time_ends(postgres_url: str) -> None:
    async with opened(postgres_url) as store:
        assert (await store.join(SEAT, 0.2)).lease_left > 0

        async def is_over() -> bool:
            return (await store.picture()).members[0].lease_left <= 0

        await eventually(is_over, within=5)
        assert (await store.join(SEAT, 0.2)).incarnation == 2


async def test_a_lease_that_ends_while_a_join_waits_is_over_for_the_join(postgres_url: str) -> None:
    """now() would stand still at the moment the transaction began, before the wait."""
    async with opened(postgres_url) as store, session(postgres_url) as other:
        await store.join(SEAT, 0.3)
        await other.execute(LOCK_CLUSTER)
        join = asyncio.ensure_future(store.join(SEAT, 10))
        await waiting_for_locks(postgres_url)
        over = "SELECT lease_end < clock_timestamp() FROM aecorpy_cluster_member"
        await eventually(lambda: other.fetchval(over), within=5)
        await other.execute("ROLLBACK")
        assert (await join).incarnation == 2


async def test_renewals_wait_for_no_other_call(postgres_url: str) -> None:
    async with opened(postgres_url) as store, session(postgres_url) as other:
        await store.join(SEAT, 10)
        await other.execute(LOCK_CLUSTER)
        busy = [asyncio.ensure_future(store.mark_leaving(1)) for _ in range(4)]
        await waiting_for_locks(postgres_url, 2)
        for _ in range(5):
            assert (await store.renew(1, 10)).members[0].state == UP
        assert not any(call.done() for call in busy)
        await other.execute("ROLLBACK")
        await asyncio.gather(*busy)


# --- tables, rights, secrets


async def test_it_shares_a_database_with_the_journal(postgres_url: str) -> None:
    database = await open_database(postgres_url)
    async with opened(postgres_url) as store, session(postgres_url) as other:
        await database.journal("booking", 4)
        await store.join(SEAT, 10)
        tables = await other.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        ours = {name for (name,) in tables if name.startswith("aecorpy_cluster_")}
        assert ours == {
            f"aecorpy_cluster_{what}" for what in ("schema", "term", "member", "deployment", "hosting", "shard")
        }
    await database.close()


async def test_many_may_create_the_tables_at_once(postgres_url: str) -> None:
    stores = await asyncio.gather(*(PostgresClusterStore.open(postgres_url, "tickets", limit=30) for _ in range(6)))
    joined = await asyncio.gather(*(store.join(SEAT._replace(node=f"n{n}"), 10) for n, store in enumerate(stores)))
    assert sorted(one.incarnation for one in joined) == list(range(1, 7))
    for store in stores:
        await store.close()


async def test_tables_of_a_newer_program_are_left_alone(postgres_url: str) -> None:
    async with opened(postgres_url), session(postgres_url) as other:
        await other.execute("INSERT INTO aecorpy_cluster_schema VALUES (99)")
        with pytest.raises(ClusterSchemaMismatch, match=r"99.*older than the tables"):
            await PostgresClusterStore.open(postgres_url, "tickets")


@pytest.fixture
async def plain_role(postgres_url: str) -> AsyncIterator[str]:
    """The database's URL for a role that may create nothing in it."""
    role = f"plain_{urlsplit(postgres_url).path[-6:]}"
    parts = urlsplit(postgres_url)
    async with session(postgres_url) as owner:
        await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        yield urlunsplit(parts._replace(netloc=f"{role}:s3cret@{parts.netloc.rpartition('@')[2]}"))
        await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_role_that_may_create_nothing_needs_the_tables_and_the_rights_that_the_page_names(
    postgres_url: str, plain_role: str
) -> None:
    with pytest.raises(ClusterSchemaMismatch, match="may create tables"):
        await PostgresClusterStore.open(plain_role, "tickets")
    async with opened(postgres_url), session(postgres_url) as owner:
        (grants,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        await owner.execute(grants.replace("tickets_app", str(urlsplit(plain_role).username)))
        async with opened(plain_role) as store:
            one = (await store.join(SEAT, 10)).incarnation
            assert await store.take_term(one, 0) == 1
            await store.deploy(BOOKING, host=one)
            await store.allocate(1, "Booking", [Allocation(0, one, 1)])
            await store.allocate(1, "Booking", [Allocation(0, one, 2)])
            await store.leave(one)
            await store.forget(1)


async def test_no_error_tells_the_password(postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    host = parts.netloc.rpartition("@")[2]
    wrong = [
        urlunsplit(parts._replace(netloc=f"postgres:s3cret@{host}")),
        urlunsplit(parts._replace(netloc=f"nobody:s3cret@{host}")),
        "postgresql://postgres:s3cret@127.0.0.1:1/x",
        "postgresql://postgres:s3cret@localhost/x?sslmode=s3cret",
        "postgresql://postgres:s3/cret@localhost/x",
    ]
    for url in wrong:
        with pytest.raises(ClusterStoreError) as failed:
            await PostgresClusterStore.open(url, "tickets")
        assert "s3" not in str(failed.value) + repr(failed.value)


async def test_nothing_is_left_in_a_session_for_the_next_user_of_it(postgres_url: str) -> None:
    """Behind a pooler of transactions the sessions are shared with strangers."""
    settings = "SELECT name, setting FROM pg_settings WHERE name ~ 'timeout|search_path|synchronous_commit'"
    prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%aecorpy%'"
    async with opened(postgres_url) as store, session(postgres_url) as other:
        await store.join(SEAT, 10)
        await store.picture()
        connection = store._others._idle[-1]
        assert await connection.fetch(settings) == await other.fetch(settings)
        assert await connection.fetchval(prepared) == 0
        assert await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


async def test_a_replica_is_never_read(postgres_url: str) -> None:
    """What a replica would refuse is what a session that may not write refuses here."""
    async with opened(postgres_url) as store, session(postgres_url) as other:
        await store.join(SEAT, 10)
        name = urlsplit(postgres_url).path[1:]
        await other.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        with pytest.raises(StoreUnavailable):
            await PostgresClusterStore.open(postgres_url, "tickets")


async def test_commits_wait_for_the_disk_whatever_the_database_is_set_to(postgres_url: str) -> None:
    async with opened(postgres_url), session(postgres_url) as other:
        name = urlsplit(postgres_url).path[1:]
        await other.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        async with opened(postgres_url) as store:

            async def look(connection: Any) -> object:
                return await connection.fetchval("SELECT current_setting('synchronous_commit')")

            assert await store._others.transaction(CHANGE, look) == "on"
