"""The SQLite store: its clock, its file, trouble with it, and several processes on it, some of them killed."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sharding.store.errors import ClusterSchemaMismatch, StoreOutcomeUnknown, StoreUnavailable
from sharding.store.records import DOWN, Allocation, Seat
from sharding.store.sqlite import SqliteClusterStore
from sharding.store.sqlite.moment import Moment, lease_left, machine_moment
from tests.waiting import eventually

SEAT = Seat("a", "127.0.0.1", 7000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cluster.db"


def holder(path: Path) -> sqlite3.Connection:
    """Another process's connection, which has the file's write lock."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


# --- the clock


def test_the_machines_time_goes_on_and_is_not_the_wall_clock() -> None:
    one, two = machine_moment(), machine_moment()
    assert one.boot == two.boot
    assert one.seconds <= two.seconds < time.time() - 1_000_000_000


async def test_setting_the_wall_clock_touches_no_lease(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SqliteClusterStore.open(path, "tickets")
    await store.join(SEAT, 10)
    for wrong in (0.0, 4e9):
        monkeypatch.setattr(time, "time", lambda wrong=wrong: wrong)
        assert 0 < (await store.picture()).members[0].lease_left <= 10
    await store.close()


async def test_a_lease_of_real_time_ends(path: Path) -> None:
    store = await SqliteClusterStore.open(path, "tickets")
    assert (await store.join(SEAT, 0.2)).lease_left > 0

    async def is_over() -> bool:
        return (await store.picture()).members[0].lease_left <= 0

    await eventually(is_over, within=5)
    assert (await store.join(SEAT, 0.2)).incarnation == 2
    await store.close()


async def test_leases_are_over_when_the_machine_has_started_anew(path: Path) -> None:
    now = Moment("first", 1_000.0)
    store = await SqliteClusterStore.open(path, "tickets", clock=lambda: now)
    await store.join(SEAT, 10)
    now = Moment("second", 1_001.0)
    assert (await store.picture()).members[0].lease_left <= 0
    assert (await store.join(SEAT, 10)).incarnation == 2
    await store.close()


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (Moment("b", 5.0), 10.0),
        (Moment("b", 15.0), 0.0),
        (Moment("b", 16.0), -1.0),
        (Moment("c", 6.0), 0.0),
        (Moment("b", 4.9), 0.0),
    ],
)
def test_what_is_left_of_a_lease(now: Moment, left: float) -> None:
    assert lease_left("b", 5.0, 15.0, now) == left


# --- the file


async def test_what_was_answered_is_written_through_to_the_disk(path: Path) -> None:
    store = await SqliteClusterStore.open(path, "tickets")
    ((synchronous,),) = await store._thread.read(lambda connection: connection.execute("PRAGMA synchronous").fetchall())
    ((mode,),) = await store._thread.read(lambda connection: connection.execute("PRAGMA journal_mode").fetchall())
    assert (synchronous, mode) == (2, "wal")
    await store.close()


async def test_a_file_of_a_newer_program_is_left_alone(path: Path) -> None:
    await (await SqliteClusterStore.open(path, "tickets")).close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO aecorpy_cluster_schema VALUES (99)")
    connection.commit()
    connection.close()
    with pytest.raises(ClusterSchemaMismatch, match=r"99.*older than the tables"):
        await SqliteClusterStore.open(path, "tickets")


async def test_many_may_create_the_file_at_once(path: Path) -> None:
    stores = await asyncio.gather(*(SqliteClusterStore.open(path, "tickets", busy_timeout=30) for _ in range(6)))
    joined = await asyncio.gather(*(store.join(SEAT._replace(node=f"n{n}"), 10) for n, store in enumerate(stores)))
    assert sorted(one.incarnation for one in joined) == list(range(1, 7))
    for store in stores:
        await store.close()


async def test_a_file_that_cannot_be_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, and long enough to be seen as one that is none" * 20)
    for wrong in (tmp_path / "missing" / "x.db", tmp_path, tmp_path / "text"):
        with pytest.raises(StoreUnavailable, match="SQLite file"):
            await SqliteClusterStore.open(wrong, "tickets")


async def test_waiting_for_other_writers_ends_and_the_loop_goes_on(path: Path) -> None:
    store = await SqliteClusterStore.open(path, "tickets", busy_timeout=0.2)
    await store.join(SEAT, 10)
    other = holder(path)
    started, call = time.monotonic(), asyncio.ensure_future(store.renew(1, 10))
    turns = 0
    while not call.done():
        turns += 1
        await asyncio.sleep(0.005)
    with pytest.raises(StoreUnavailable, match="locked for too long"):
        await call
    assert 0.2 <= time.monotonic() - started < 5
    assert turns > 2
    assert len((await store.picture()).members) == 1  # who only reads waits for nobody
    other.execute("ROLLBACK")
    other.close()
    await store.renew(1, 10)
    await store.close()


async def test_a_call_given_up_before_it_began_does_nothing(path: Path) -> None:
    store = await SqliteClusterStore.open(path, "tickets")
    other = holder(path)
    waits = asyncio.ensure_future(store.join(SEAT, 10))
    queued = asyncio.ensure_future(store.join(SEAT._replace(node="b"), 10))
    await asyncio.sleep(0)
    for call in (queued, waits):
        call.cancel()
    await asyncio.wait([waits, queued])
    other.execute("ROLLBACK")
    other.close()
    assert [one.node for one in (await store.picture()).members] in ([], ["a"])  # the first may have begun
    await store.close()


async def test_a_closed_store_says_so(path: Path) -> None:
    store = await SqliteClusterStore.open(path, "tickets")
    last = asyncio.ensure_future(store.join(SEAT, 10))
    await asyncio.sleep(0)
    await store.close()
    assert (await last).incarnation == 1
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.picture()


async def test_a_commit_that_failed_in_writing_is_an_unknown_outcome(path: Path) -> None:
    store = await SqliteClusterStore.open(path, "tickets")

    class Broken:
        """A connection whose disk fails as the transaction is committed."""

        def __init__(self, connection: sqlite3.Connection) -> None:
            self._connection = connection
            self.in_transaction = True

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise error
            return self._connection.execute(sql, *values)

        def close(self) -> None:
            self._connection.close()

    await store.join(SEAT, 10)
    connection = store._thread._connection
    assert connection is not None
    store._thread._connection = Broken(connection)  # type: ignore[assignment]
    with pytest.raises(StoreOutcomeUnknown, match="look before"):
        await store.renew(1, 10)
    await store.renew(1, 10)  # on a new connection
    await store.close()


# --- several processes


async def node_program(path: Path, node: str, rounds: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.sharding.store.sqlite_node", str(path), node, str(rounds),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_processes_that_fight_for_the_term_never_share_one(path: Path) -> None:
    programs = [await node_program(path, f"n{number}", 20) for number in range(3)]
    outputs = [(await program.communicate())[0].decode().splitlines() for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0]
    terms = [line for lines in outputs for line in lines if line.startswith("term")]
    epochs = [line for lines in outputs for line in lines if line.startswith("epoch")]
    assert sorted(terms) == sorted(f"term {number + 1}" for number in range(len(terms)))
    assert sorted(epochs) == sorted(f"epoch {number + 1}" for number in range(len(epochs)))
    store = await SqliteClusterStore.open(path, "tickets")
    picture = await store.picture()
    assert picture.term == len(terms)
    assert [one.state for one in picture.members] == [DOWN] * 3
    assert {one.epoch for one in await store.allocations("Booking")} == {len(epochs)}
    await store.close()


async def test_a_process_killed_in_the_middle_leaves_all_of_a_change_or_nothing(path: Path) -> None:
    store = await SqliteClusterStore.open(path, "tickets")
    told = 0
    for number in range(3):
        program = await node_program(path, f"n{number}", 1_000_000)

        async def went_on(beyond: int = told + 5 * (number + 1)) -> bool:
            return any(one.epoch > beyond for one in await store.allocations("Booking"))

        await eventually(went_on, within=30)
        program.kill()
        output, _ = await program.communicate()
        lines = [line.split() for line in output.decode().split("\n")[:-1]]
        told = max(int(value) for word, value in lines if word == "epoch")
        stored = await store.allocations("Booking")
        assert {one.epoch for one in stored} in ({told}, {told + 1})
        assert len({one.owner for one in stored}) == 1
    picture = await store.picture()
    mine = (await store.join(SEAT, 10)).incarnation
    term = await store.take_term(mine, picture.term, evidence=True)
    assert term == picture.term + 1
    await store.allocate(term, "Booking", [Allocation(0, mine, told + 10)])
    await store.close()
