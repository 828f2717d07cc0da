"""S8, S11: text of others in the database, and a role that can neither create nor change what happened."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from aecorpy import ClusterNode
from journal.contract import Database
from journal.database import open_database
from journal.postgres import PostgresDatabase, migrate
from journal.records import Append, DeadLetter, NewEvent, OffsetMove, Snapshot
from sharding.store.postgres import PostgresClusterStore
from tests.aecorpy.samples import Counter
from tests.journal.postgres_store import session

INJECTED = "x'); DROP TABLE booking_event; DELETE FROM aecorpy_offset; --\" $1 ? %s {0} \\"
GRANTS = Path(__file__).parents[2] / "docs" / "cluster-store.md"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database in which SQL is run."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/journal.db"


async def test_s08_sql_in_keys_names_payloads_and_tags_is_text(database_url: str) -> None:
    database = await open_database(database_url)
    try:
        await _write_everywhere(database)
        store = await database.journal("booking", 1)
        events = await store.read_entity(INJECTED, 1, 10)
        assert [(event.key, event.type_name, event.payload) for event in events] == [
            (INJECTED, INJECTED, INJECTED.encode())
        ]
        assert (await database.snapshots("booking").get(INJECTED)) is not None
        [letter] = await database.dead_letters.list(INJECTED)
        assert (letter.key, letter.error) == (INJECTED, INJECTED)
        assert await database.offsets.claim(INJECTED, [INJECTED], 2)
    finally:
        await database.close()


async def _write_everywhere(database: Database) -> None:
    store = await database.journal("booking", 1)
    await store.claim(0, 1)
    event = NewEvent(INJECTED, 1, INJECTED.encode())
    await store.append([Append(shard=0, epoch=1, key=INJECTED, seq_nr=1, events=[event])])
    await database.snapshots("booking").put(0, 1, Snapshot(INJECTED, 1, INJECTED, 1, b""))
    await database.offsets.claim(INJECTED, [INJECTED], 1)
    async with database.transaction() as transaction:
        await transaction.set_aside(DeadLetter(INJECTED, INJECTED, 1, INJECTED, 1, INJECTED, INJECTED))
        await transaction.move_offsets(INJECTED, [OffsetMove(INJECTED, 0, 1)], 1)


@pytest.fixture
async def plain_role(postgres_url: str) -> AsyncIterator[str]:
    """The database's URL for a role that may create nothing; tables are made, rights given as the pages say."""
    parts = urlsplit(postgres_url)
    role = f"node_{parts.path[-6:]}"
    async with session(postgres_url) as owner:
        await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        try:
            await migrate(postgres_url, journals={"counter": 4}, application_role=role)
            await (await PostgresClusterStore.open(postgres_url, "tickets")).close()
            (grants,) = re.findall(r"```sql\n(.*?)```", GRANTS.read_text(encoding="utf-8"), re.DOTALL)
            await owner.execute(grants.replace("tickets_app", role))
            yield urlunsplit(parts._replace(netloc=f"{role}:s3cret@{parts.netloc.rpartition('@')[2]}"))
        finally:
            await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_s11_a_whole_node_works_under_a_role_that_can_neither_create_nor_change_events(plain_role: str) -> None:
    database = await PostgresDatabase.open(plain_role, migrate=False)
    try:
        async with ClusterNode("tickets", journal=database, store=plain_role, entities=[Counter]) as node:
            counters = node.refs(Counter)
            assert await counters("a").add(2) == 2
            assert await counters("a").add(3) == 5
    finally:
        await database.close()
    async with session(plain_role) as application:
        assert await application.fetchval("SELECT count(*) FROM counter_event") == 2
        for forbidden in (
            "UPDATE counter_event SET payload = ''",
            "DELETE FROM counter_event",
            "TRUNCATE counter_event",
            "ALTER TABLE counter_event DISABLE TRIGGER ALL",
            "DROP TABLE aecorpy_cluster_member",
            "DELETE FROM aecorpy_cluster_shard",
            "DELETE FROM aecorpy_cluster_term",
            "CREATE TABLE mine (n int)",
            "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE SCHEMA mine",
            "CREATE ROLE another",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await application.execute(forbidden)
