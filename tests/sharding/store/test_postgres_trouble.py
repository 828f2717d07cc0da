"""The PostgreSQL store in trouble: locks that are held, answers that never come, sessions and servers that end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from sharding.store.errors import (
    StoreOutcomeUnknown,
    StoreUnavailable,
)
from sharding.store.postgres import PostgresClusterStore
from sharding.store.postgres.lane import CHANGE
from sharding.store.records import Deployment, Seat
from tests.conformance.clusters import waiting_for_locks
from tests.journal.postgres_store import Cable, prepares, session, stopped_in_exchange
from tests.postgres_server import PostgresServer
from tests.sharding.store.test_postgres_store import opened
from tests.waiting import eventually

SEAT = Seat("a", "127.0.0.1", 7000)
BOOKING = Deployment("Booking", "entity", 8)
LOCK_CLUSTER = "BEGIN; SELECT FROM aecorpy_cluster_term FOR UPDATE"
LOCK_MEMBERS = "BEGIN; SELECT FROM aecorpy_cluster_member FOR UPDATE"


async def works_again(store: PostgresClusterStore) -> None:
    """Wait until the store answers."""

    async def answers() -> bool:
        try:
            await store.picture()
        except StoreUnavailable:
            return False
        return True

    await eventually(answers, within=30)


# --- limits


@pytest.mark.parametrize(
    ("lock", "call"),
    [(LOCK_CLUSTER, lambda store: store.take_term(1, 0)), (LOCK_MEMBERS, lambda store: store.renew(1, 10))],
)
async def test_a_call_that_waits_for_a_lock_ends_in_time(
    postgres_url: str, lock: str, call: Callable[[PostgresClusterStore], Awaitable[object]]
) -> None:
    async with opened(postgres_url, limit=1.0) as store, session(postgres_url) as other:
        await store.join(SEAT, 10)
        await other.execute(lock)
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="nothing happened"):
            await call(store)
        assert 0.8 < time.monotonic() - started < 5
        await other.execute("ROLLBACK")
        await store.renew(1, 10)
        assert await store.take_term(1, 0) == 1


async def test_a_server_that_says_nothing_any_more_holds_nobody_up(postgres_url: str) -> None:
    async with Cable(postgres_url) as cable, opened(cable.url, limit=1.0) as store:
        await store.join(SEAT, 10)
        await store.renew(1, 10)
        cable.deliver.clear()
        calls = (store.renew(1, 10), store.picture(), store.take_term(1, 0))
        answers = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
        assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
        cable.deliver.set()
        await works_again(store)


async def test_a_client_that_stops_in_a_transaction_loses_its_locks(postgres_url: str) -> None:
    """A process that is paused after it took the cluster's lock must not keep the others from working for ever."""
    async with Cable(postgres_url) as cable, opened(cable.url) as stopped, opened(postgres_url) as other:
        await stopped.join(SEAT, 10)
        work = asyncio.Event()

        async def lock_and_stop(connection: Any) -> None:
            await connection.execute("SELECT FROM aecorpy_cluster_term FOR UPDATE")
            work.set()
            cable.deliver.clear()
            await asyncio.Event().wait()

        call = asyncio.ensure_future(stopped._others.transaction(CHANGE, lock_and_stop, limit=0.4))
        await work.wait()
        assert await other.take_term(1, 0) == 1
        with pytest.raises(StoreUnavailable):
            await call
        cable.deliver.set()


async def test_a_client_that_stops_while_a_statement_is_prepared_loses_its_locks(postgres_url: str) -> None:
    """The server is in the middle of an exchange then, and its limit for idle transactions does not count."""
    async with Cable(postgres_url) as cable, opened(cable.url) as stopped, opened(postgres_url, limit=0.5) as other:
        await stopped.join(SEAT, 10)

        async def lock_and_stop(connection: Any) -> None:
            await connection.execute("SELECT FROM aecorpy_cluster_term FOR UPDATE")
            cable.stop_after = prepares
            await connection.fetch("SELECT 1 + $1::int", 1)

        call = asyncio.ensure_future(stopped._others.transaction(CHANGE, lock_and_stop, limit=20))
        async with session(postgres_url) as observer:
            await stopped_in_exchange(observer)
        with pytest.raises(StoreUnavailable):
            await other.take_term(1, 0)

        async def is_taken() -> bool:
            try:
                return await other.take_term(1, 0) == 1
            except StoreUnavailable:
                return False

        await eventually(is_taken, within=10)
        with pytest.raises(StoreUnavailable):
            await call


async def test_more_calls_than_connections_take_turns(postgres_url: str) -> None:
    async with opened(postgres_url) as store, session(postgres_url) as other:
        joined = await asyncio.gather(*(store.join(SEAT._replace(node=f"n{n}"), 10) for n in range(20)))
        assert sorted(one.incarnation for one in joined) == list(range(1, 21))
        await store.renew(1, 10)
        ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'aecorpy cluster' AND datname = $1"
        assert await other.fetchval(ours, urlsplit(postgres_url).path[1:]) == 3


# --- connections lost


async def test_a_session_ended_during_a_call_is_said_and_replaced(postgres_url: str) -> None:
    async with opened(postgres_url) as store, session(postgres_url) as other:
        await store.join(SEAT, 10)
        await other.execute(LOCK_CLUSTER)
        call = asyncio.ensure_future(store.take_term(1, 0))
        (pid,) = await waiting_for_locks(postgres_url)
        await other.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(StoreUnavailable, match="nothing happened"):
            await call
        await other.execute("ROLLBACK")
        assert await store.take_term(1, 0) == 1


async def test_sessions_ended_while_idle_are_replaced_unnoticed(postgres_url: str) -> None:
    async with opened(postgres_url) as store, session(postgres_url) as other:
        await store.join(SEAT, 10)
        await store.renew(1, 10)
        await other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = 'aecorpy cluster' AND datname = current_database()"
        )
        await store.renew(1, 10)
        assert await store.take_term(1, 0) == 1


WRITES: dict[str, Callable[[PostgresClusterStore], Awaitable[object]]] = {
    "join": lambda store: store.join(SEAT._replace(node="b"), 10),
    "renew": lambda store: store.renew(1, 10),
    "take_term": lambda store: store.take_term(1, 0),
    "deploy": lambda store: store.deploy(BOOKING, host=1),
    "leave": lambda store: store.leave(1),
}


@pytest.mark.parametrize("write", [*WRITES])
async def test_a_lost_answer_to_commit_is_an_unknown_outcome(postgres_url: str, write: str) -> None:
    async with Cable(postgres_url) as cable, opened(cable.url) as store:
        await store.join(SEAT, 10)
        cable.swallow = lambda answer: b"COMMIT\0" in answer
        with pytest.raises(StoreOutcomeUnknown, match="look before"):
            await WRITES[write](store)
        cable.swallow = lambda answer: False
        picture = await store.picture()
        happened = {
            "join": len(picture.members) == 2,
            "renew": picture.members[0].lease_left > 0,
            "take_term": picture.term == 1,
            "deploy": (await store.deployments())[0] == [BOOKING],
            "leave": picture.members[0].lease_left <= 0,
        }
        assert happened[write]


async def test_a_commit_that_is_not_answered_in_time_is_an_unknown_outcome(postgres_url: str) -> None:
    async with Cable(postgres_url) as cable, opened(cable.url, limit=1.0) as store:
        await store.join(SEAT, 10)

        def hold_back(answer: bytes) -> bool:
            if b"UPDATE 1\0" in answer:
                cable.deliver.clear()  # this one still passes; the next would be that to COMMIT
            return False

        cable.swallow = hold_back
        with pytest.raises(StoreOutcomeUnknown, match="no answer in time"):
            await store.take_term(1, 0)
        cable.swallow = lambda answer: False
        cable.deliver.set()
        assert (await store.picture()).term == 1


async def test_an_answer_lost_before_commit_means_that_nothing_happened(postgres_url: str) -> None:
    async with Cable(postgres_url) as cable, opened(cable.url) as store:
        await store.join(SEAT, 10)
        cable.swallow = lambda answer: b"UPDATE" in answer
        with pytest.raises(StoreUnavailable, match="nothing happened"):
            await store.take_term(1, 0)
        cable.swallow = lambda answer: b"COMMIT\0" in answer
        with pytest.raises(StoreUnavailable):
            await store.picture()  # nothing of it was to be committed
        cable.swallow = lambda answer: False
        assert (await store.picture()).term == 0


async def test_a_server_that_is_away_is_said_at_once_and_used_again_when_it_is_back(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    async with opened(postgres_url) as store:
        await store.join(SEAT, 100)
        await asyncio.to_thread(postgres_server.stop_immediate)
        for call in (store.renew(1, 100), store.picture(), store.take_term(1, 0)):
            with pytest.raises(StoreUnavailable):
                await call
        with pytest.raises(StoreUnavailable):
            await PostgresClusterStore.open(postgres_url, "tickets")
        await asyncio.to_thread(postgres_server.start)
        await works_again(store)
        assert (await store.renew(1, 100)).members[0].node == "a"


async def test_a_call_given_up_while_it_waits_changes_nothing(postgres_url: str) -> None:
    async with opened(postgres_url) as store, session(postgres_url) as other:
        await store.join(SEAT, 10)
        await other.execute(LOCK_CLUSTER)
        call = asyncio.ensure_future(store.take_term(1, 0))
        await waiting_for_locks(postgres_url)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await other.execute("ROLLBACK")
        assert (await store.picture()).term == 0
        assert await store.take_term(1, 0) == 1


async def test_a_closed_store_says_so(postgres_url: str) -> None:
    async with opened(postgres_url) as store:
        last = asyncio.ensure_future(store.join(SEAT, 10))
        await asyncio.sleep(0)
        await store.close()
        await asyncio.wait([last])
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.renew(1, 10)
