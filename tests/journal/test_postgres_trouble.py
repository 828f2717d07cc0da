"""unknown-is-said, and service resumes by itself: lost connections, a server that restarts, answers that never come."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Coroutine
from typing import Any

import asyncpg
import pytest

from journal.errors import JournalError, OutcomeUnknown, Overloaded, Unavailable
from journal.postgres import PostgresDatabase
from journal.postgres.journal_store import PostgresJournal
from journal.records import Appended, Column, OffsetMove, Snapshot, TableSpec
from tests.conformance.samples import append, appending, log, written
from tests.journal.postgres_store import SHARDS, Cable, opened, opened_store, session, waiting_for_a_lock
from tests.postgres_server import PostgresServer
from tests.waiting import eventually

TABLE = TableSpec("view", "id", (Column("id", "text"), Column("n", "integer")))


async def written_in_the_end(store: PostgresJournal, key: str) -> None:
    """Append event 1 of `key`, again and again while the store is away."""

    async def attempt() -> bool:
        try:
            (outcome,) = await append(store, appending(key, 1))
        except JournalError:
            return False
        return isinstance(outcome, Appended)

    await eventually(attempt, within=30)


async def test_a_session_killed_in_the_middle_of_an_append_is_an_unknown_outcome(postgres_url: str) -> None:
    async with opened_store(postgres_url) as store, session(postgres_url) as holder:
        for number, batch in enumerate(([appending("a", 1)], [appending("a", 1), appending("b", 1)])):
            await holder.execute("BEGIN; SELECT * FROM booking_shard WHERE shard = 0 FOR UPDATE")
            cut = asyncio.ensure_future(store.append(batch))
            pid = await waiting_for_a_lock(holder)
            await holder.execute("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises((OutcomeUnknown, Unavailable)):
                await cut
            await holder.execute("ROLLBACK")
            assert await store.read_entity("a", 1, 10) == []
            await written(store, appending(f"after {number}", 1))


async def test_an_answer_that_is_lost_is_an_unknown_outcome_and_the_events_are_there(postgres_url: str) -> None:
    async with Cable(postgres_url) as cable, opened_store(cable.url) as store:
        for key, batch in {"a": [appending("a", 1)], "b": [appending("b", 1), appending("c", 1)]}.items():
            await written(store, appending(f"{key} before", 1))
            await written(store, appending(f"{key} before", 2), appending(f"{key} and before", 1))
            cable.swallow = lambda answer: True
            with pytest.raises(OutcomeUnknown, match="read back"):
                await store.append(batch)
            cable.swallow = lambda answer: False
            assert len(await store.read_entity(key, 1, 10)) == 1


async def test_a_lost_answer_to_each_other_write_is_an_unknown_outcome(postgres_url: str) -> None:
    async with Cable(postgres_url) as cable, opened(cable.url, pool_size=1) as database:
        store = await database.journal("booking", SHARDS)
        snapshots, offsets = database.snapshots("booking"), database.offsets
        state = Snapshot("a", 1, "State", 1, b"")
        await store.claim(0, 1)
        await offsets.claim("view", ["tag"], 1)

        def write(what: int, step: int) -> Coroutine[Any, Any, object]:
            writes = (
                snapshots.put(0, 1, state),
                snapshots.delete("a"),
                offsets.commit("view", [OffsetMove("tag", step, step + 1)], 1),
                store.claim(0, step + 2),
            )
            for other in writes[:what] + writes[what + 1 :]:
                other.close()
            return writes[what]

        for what in range(4):
            await write(what, 0)  # so that its statement is prepared
            cable.swallow = lambda answer: True
            with pytest.raises(OutcomeUnknown):
                await write(what, 1)
            cable.swallow = lambda answer: False
        assert (await store.heads())[0].epoch == 3
        assert (await offsets.read("view"))["tag"].offset == 2


async def test_a_lost_answer_to_a_read_is_only_a_read_that_failed(postgres_url: str) -> None:
    async with Cable(postgres_url) as cable, opened_store(cable.url) as store:
        await store.heads()
        cable.swallow = lambda answer: True
        with pytest.raises(Unavailable):
            await store.heads()
        cable.swallow = lambda answer: False
        assert len(await store.heads()) == SHARDS


async def test_a_lost_answer_to_commit_is_an_unknown_outcome(postgres_url: str) -> None:
    async with Cable(postgres_url) as cable, opened(cable.url) as database:
        await database.create_table(TABLE)

        async def block() -> None:
            async with database.transaction() as transaction:
                await transaction.put_rows(TABLE, [("a", 1)])
                cable.swallow = lambda answer: True

        with pytest.raises(OutcomeUnknown):
            await block()
        cable.swallow = lambda answer: False
        assert [row async for row in database.scan(TABLE)] == [("a", 1)]


async def test_a_session_lost_while_a_relaxed_block_begins_is_no_error_of_its_own(postgres_url: str) -> None:
    async with Cable(postgres_url) as cable, opened(cable.url) as database:
        cable.swallow = lambda answer: b"SET\0" in answer
        with pytest.raises(Unavailable):
            async with database.relaxed().transaction():
                pass


async def test_a_call_whose_connection_opens_after_the_database_was_closed_does_nothing(postgres_url: str) -> None:
    async with Cable(postgres_url) as cable, opened_store(postgres_url) as bystander:
        database = await PostgresDatabase.open(cable.url)
        store = await database.journal("booking", SHARDS)
        cable.deliver.clear()
        dials = asyncio.Event()

        def dialled(question: bytes) -> bool:
            dials.set()
            return False

        cable.stop_after = dialled
        call = asyncio.ensure_future(store.append([appending("a", 1)]))
        await dials.wait()
        await database.close()
        cable.deliver.set()
        with pytest.raises(Unavailable, match="was closed"):
            await call
        assert await log(bystander) == []


async def test_a_session_lost_inside_a_block_rolls_it_back(postgres_url: str) -> None:
    async with opened(postgres_url) as database, session(postgres_url) as other:
        await database.create_table(TABLE)
        for again in (True, False):

            async def block(again: bool = again) -> None:
                async with database.transaction() as transaction:
                    await transaction.put_rows(TABLE, [("a", 1)])
                    ((pid,),) = await transaction.fetch("SELECT pg_backend_pid()")
                    await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
                    if again:
                        await transaction.put_rows(TABLE, [("b", 1)])

            with pytest.raises(Unavailable):
                await block()
        assert [row async for row in database.scan(TABLE)] == []


async def test_no_answer_in_time_is_an_unknown_outcome(postgres_url: str) -> None:
    """The server hangs, or the network swallows: the caller hears within its deadline."""
    async with (
        Cable(postgres_url) as cable,
        opened_store(cable.url, lock_timeout=0.2, statement_timeout=0.3, command_timeout=0.5) as store,
    ):
        await written(store, appending("warm", 1))
        cable.deliver.clear()
        with pytest.raises(OutcomeUnknown, match="time limit"):
            await asyncio.wait_for(append(store, appending("a", 1)), 5)
        cable.deliver.set()
        assert len(await store.read_entity("a", 1, 10)) == 1
        await written(store, appending("b", 1))


async def test_a_statement_that_takes_too_long_has_a_known_outcome(postgres_url: str) -> None:
    async with opened(postgres_url, statement_timeout=0.3, lock_timeout=0.2) as database:
        with pytest.raises(Unavailable, match="statement timeout"):
            async with database.transaction() as transaction:
                await transaction.fetch("SELECT pg_sleep(30)")


@pytest.mark.parametrize("stop", ["stop", "stop_immediate"])
async def test_the_server_restarts_under_load(postgres_server: PostgresServer, postgres_url: str, stop: str) -> None:
    """durable: what was answered is there; the others heard a typed error; service resumes by itself."""
    if not postgres_server.owned:
        pytest.skip("the server is somebody else's: POSTGRES_URL is set")
    async with opened_store(postgres_url) as store:
        answered: list[str] = []
        going = True

        async def write(number: int) -> None:
            step = 0
            while going:
                step += 1
                key = f"{number}-{step}"
                try:
                    (outcome,) = await append(store, appending(key, 1, shard=number))
                except (Unavailable, OutcomeUnknown):
                    continue
                assert isinstance(outcome, Appended)
                answered.append(key)

        async with asyncio.TaskGroup() as group:
            for number in range(SHARDS):
                group.create_task(write(number))
            await eventually(lambda: len(answered) > 50)
            await asyncio.to_thread(getattr(postgres_server, stop))
            before = len(answered)
            await asyncio.to_thread(postgres_server.start)
            await eventually(lambda: len(answered) > before + 50, within=30)
            going = False
        found = {event.key for shard in range(SHARDS) for event in await log(store, shard)}
        assert set(answered) <= found
        assert len(found) == sum(row.head for row in await store.heads())


async def test_attempts_to_reconnect_come_slower_and_slower(
    postgres_server: PostgresServer, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    if not postgres_server.owned:
        pytest.skip("the server is somebody else's: POSTGRES_URL is set")
    caplog.set_level(logging.INFO, "journal.postgres")
    async with opened_store(postgres_url) as store:
        await asyncio.to_thread(postgres_server.stop)
        clock = asyncio.get_running_loop().time
        took = []
        for _ in range(6):
            begin = clock()
            with pytest.raises(Unavailable):
                await store.heads()
            took.append(clock() - begin)
        assert took[-1] > took[1]
        assert sum(took) < 10
        assert caplog.text.count("cannot be reached") == 1
        await asyncio.to_thread(postgres_server.start)
        await written_in_the_end(store, "a")
        assert len(await store.heads()) == SHARDS
        assert "reached again" in caplog.text


async def test_a_promoted_server_that_lacks_events_is_noticed(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """What a program saw committed counts for the server that committed it: on another one it leaves no hole."""
    if not postgres_server.owned:
        pytest.skip("the server is somebody else's: POSTGRES_URL is set")
    async with opened_store(postgres_url) as store:
        await written(store, appending("a", 1), appending("a", 2), appending("b", 1))
        async with session(postgres_url) as loss:
            await loss.execute(
                "ALTER TABLE booking_event DISABLE TRIGGER ALL; UPDATE booking_shard SET head = 2 WHERE shard = 0;"
                "DELETE FROM booking_event WHERE key = 'a' AND seq_nr = 2;"
                'UPDATE booking_event SET "offset" = 2 WHERE "offset" = 3'
            )
        await asyncio.to_thread(postgres_server.restart)
        await written_in_the_end(store, "fresh")
        outcomes = await append(store, appending("a", 3), appending("b", 2))
        assert [type(outcome).__name__ for outcome in outcomes] == ["Conflict", "Appended"]
        assert [event.seq_nr for event in await store.read_entity("a", 1, 10)] == [1]


async def test_a_database_that_is_away_at_start_is_named_without_its_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}/tickets") as refused:
        await PostgresDatabase.open(f"postgresql://app:hidden-word@127.0.0.1:{port}/tickets")
    assert "hidden" not in str(refused.value)


async def test_a_host_that_never_answers_is_given_up(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Cable(postgres_url) as cable:
        cable.deliver.clear()
        with pytest.raises(Unavailable, match="time limit"):
            await PostgresDatabase.open(cable.url, connect_timeout=0.3)
    assert "no answer within the time limit" in caplog.text


async def test_all_connections_busy_is_unavailable(postgres_url: str) -> None:
    async with opened(postgres_url, pool_size=1, wait_limit=0.2) as database:
        async with database.transaction():
            with pytest.raises(Unavailable, match="busy"):
                await database.offsets.read("view")
        assert await database.offsets.read("view") == {}


async def test_who_waits_for_a_connection_is_bounded(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("journal.postgres.connections.MOST_WAITING", 3)
    async with opened(postgres_url, pool_size=1) as database:
        async with database.transaction():
            waiting = [asyncio.ensure_future(database.offsets.read("view")) for _ in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await database.offsets.read("view")
        assert await asyncio.gather(*waiting) == [{}, {}, {}]


async def test_appends_cancelled_at_any_point_leave_no_session_behind(postgres_url: str) -> None:
    async with opened_store(postgres_url) as store, session(postgres_url) as holder:
        await holder.execute("BEGIN; SELECT * FROM booking_shard WHERE shard = 0 FOR UPDATE")
        for number in range(5):
            stuck = asyncio.ensure_future(append(store, appending(f"k{number}", 1)))
            await waiting_for_a_lock(holder)
            stuck.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stuck

            async def gone() -> bool:
                await holder.execute("SELECT pg_stat_clear_snapshot()")
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                return bool(await holder.fetchval(f"{waiting} AND datname = current_database()") == 0)

            await eventually(gone, within=20)
        await holder.execute("ROLLBACK")
        await written(store, appending("last", 1))
        assert [event.key for event in await log(store)] == ["last"]


async def test_wrong_sql_of_a_user_comes_back_as_it_is(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        await database.create_table(TABLE)

        async def block(sql: str, *arguments: object) -> None:
            async with database.transaction() as transaction:
                await transaction.put_rows(TABLE, [("a", 1)])
                await transaction.execute(sql, *arguments)

        with pytest.raises(asyncpg.UndefinedTableError):
            await block("SELECT * FROM nowhere")
        with pytest.raises(asyncpg.UniqueViolationError):
            await block("INSERT INTO view (id) VALUES ($1)", "a")
        with pytest.raises(asyncpg.DataError):
            await block("INSERT INTO view (id, n) VALUES ('b', $1)", "text")
        with pytest.raises(RuntimeError, match="COMMIT"):
            await block("ROLLBACK")
        assert [row async for row in database.scan(TABLE)] == []


async def test_a_block_that_swallows_an_error_of_sql_does_not_pretend_to_commit(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        await database.create_table(TABLE)

        async def block() -> None:
            async with database.transaction() as transaction:
                await transaction.put_rows(TABLE, [("a", 1)])
                with pytest.raises(asyncpg.UndefinedTableError):
                    await transaction.execute("SELECT * FROM nowhere")

        with pytest.raises(Unavailable, match="rolled back"):
            await block()
        assert [row async for row in database.scan(TABLE)] == []


async def test_a_block_may_use_savepoints_of_its_own(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        await database.create_table(TABLE)
        async with database.transaction() as transaction:
            await transaction.put_rows(TABLE, [("a", 1)])
            await transaction.execute("SAVEPOINT attempt")
            with pytest.raises(asyncpg.UndefinedTableError):
                await transaction.execute("SELECT * FROM nowhere")
            await transaction.execute("ROLLBACK TO attempt")
        assert [row async for row in database.scan(TABLE)] == [("a", 1)]


async def test_a_transaction_is_of_no_use_after_its_block(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        async with database.transaction() as transaction:
            pass
        with pytest.raises(RuntimeError, match="ended"):
            await transaction.execute("SELECT 1")
