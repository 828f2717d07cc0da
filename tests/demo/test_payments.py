"""Payments from a file reach their bookings, each once, whatever is killed when."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest

from aecorpy import ClusterNode, EntityRefs, Retry
from aecorpy.demo.booking import Booking, BookingPaid, BookingStatus, Ticket
from aecorpy.demo.payments import PAYMENTS, Payment, SetAsideLine, payments, read_up_to, set_aside
from aecorpy.management.look import look
from aecorpy.processing.states import ProcessState
from aecorpy.processing.worker import Patience
from journal.contract import Database
from journal.memory import MemoryDatabase
from tests.demo.stage import A1, PRICE, becomes, box_office, now
from tests.faulty_store import Fault, FaultyDatabase, lost_after, lost_before, unavailable
from tests.waiting import eventually

PATIENCE = Patience(pauses=Retry(0.001, 0.01))


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at often, and what waits is sent again at once."""
    monkeypatch.setattr("aecorpy.demo.payments.process.LOOK_SECONDS", 0.005)
    monkeypatch.setattr("aecorpy.demo.payments.process.PAUSES", Retry(0.001, 0.01))


@pytest.fixture
def faulty() -> FaultyDatabase:
    return FaultyDatabase(MemoryDatabase(clock=now))


@pytest.fixture
async def node(faulty: FaultyDatabase) -> AsyncIterator[ClusterNode]:
    async with box_office(faulty) as node:
        yield node
        faulty.heal()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "payments.jsonl"


async def confirmed(bookings: EntityRefs[Booking], *ids: str) -> None:
    """Bookings that wait for their payments."""
    for booking_id in ids:
        await bookings(booking_id).place("c-1", "x-1", (A1,))
        await bookings(booking_id).confirm((Ticket(A1, PRICE),))


async def reading(node: ClusterNode, path: Path) -> EntityRefs[Booking]:
    """Let the node take payments."""
    bookings = node.refs(Booking)
    await node.processing.start(PAYMENTS, [payments(bookings, path, lambda: 0.5)], patient=False, patience=PATIENCE)
    return bookings


def write(path: Path, *lines: bytes | Payment) -> None:
    """Append to the file."""
    with path.open("ab") as file:
        file.writelines(line.line() if isinstance(line, Payment) else line for line in lines)


def truncate(path: Path) -> None:
    """Empty the file."""
    path.write_bytes(b"")


async def said_of(database: Database) -> ProcessState:
    """What the process's node said of it last."""

    async def said() -> ProcessState | None:
        seen = await look(database, PAYMENTS)
        return None if seen is None else seen.processes[0].said

    found = await eventually(said)
    assert found is not None
    return found


def size_of(path: Path) -> int:
    """Of the file, in bytes."""
    return path.stat().st_size


async def done(database: Database, path: Path) -> None:
    """Return when all of the file is read and done with."""

    async def read() -> bool:
        return await read_up_to(database, path) == size_of(path)

    await eventually(read)


async def paid(node: ClusterNode, ids: Iterable[str]) -> dict[str, list[str]]:
    """The payments of bookings that have any."""
    found = {}
    for one in ids:
        payloads = [event.payload async for event in node.journal(Booking).read(one)]
        if ids_of := [payload.payment_id for payload in payloads if isinstance(payload, BookingPaid)]:
            found[one] = ids_of
    return found


async def test_payments_settle_bookings_once(node: ClusterNode, faulty: FaultyDatabase, path: Path) -> None:
    bookings = await reading(node, path)
    await confirmed(bookings, "b-1", "b-2")
    write(path, Payment("p-1", "b-1"), Payment("p-1", "b-1"), Payment("p-2", "b-2"))
    await done(faulty, path)
    write(path, Payment("p-1", "b-1"))
    await done(faulty, path)
    assert await paid(node, ["b-1", "b-2"]) == {"b-1": ["p-1"], "b-2": ["p-2"]}
    (event,) = [event async for event in node.journal(Booking).read("b-1") if isinstance(event.payload, BookingPaid)]
    assert event.metadata.command_id == "payment/p-1"
    assert await set_aside(faulty, path) == []


async def test_what_is_no_payment_or_is_refused_is_set_aside_and_said(
    node: ClusterNode, faulty: FaultyDatabase, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bookings = await reading(node, path)
    await confirmed(bookings, "b-1", "b-2")
    await bookings("b-2").cancel("ill")
    other = Payment("p-2", "b-1").line()
    with caplog.at_level(logging.WARNING):
        write(path, Payment("p-1", "b-1"))
        await done(faulty, path)
        begin = size_of(path)
        write(path, b"pay!\n", other, Payment("p-3", "b-2"), Payment("p-4", "b-9"))
        await done(faulty, path)
    aside = await set_aside(faulty, path)
    assert aside[0] == SetAsideLine(
        f"payments.jsonl@{begin:012}",
        path.name,
        b"pay!",
        None,
        "it is no JSON: Expecting value: line 1 column 1 (char 0)",
    )
    assert [(line.payment_id, line.reason) for line in aside[1:]] == [
        ("p-2", "p-2 was refused: BookingIsPaid"),
        ("p-3", "p-3 was refused: BookingIsCancelled"),
        ("p-4", "p-4 was refused: BookingNotFound"),
    ]
    assert aside[1].text + b"\n" == other
    assert [f"{line.place} is set aside: {line.reason}" for line in aside] == [
        record.getMessage() for record in caplog.records if "set aside" in record.getMessage()
    ]
    assert await paid(node, ["b-1", "b-2"]) == {"b-1": ["p-1"]}


async def test_a_last_line_without_its_end_is_waited_for_also_by_the_next_instance(
    faulty: FaultyDatabase, path: Path
) -> None:
    line = Payment("p-2", "b-2").line()
    async with box_office(faulty) as node:
        await confirmed(await reading(node, path), "b-1", "b-2", "b-3")
        write(path, Payment("p-1", "b-1"), line[:20])
        await becomes(node.refs(Booking), "b-1", BookingStatus.SETTLED)
        before = len(Payment("p-1", "b-1").line())
        await eventually(lambda: read_is(faulty, path, before))
    write(path, line[20:30])
    async with box_office(faulty) as node:
        bookings = await reading(node, path)
        write(path, line[30:], Payment("p-3", "b-3"))
        await done(faulty, path)
        assert await paid(node, ["b-1", "b-2", "b-3"]) == {"b-1": ["p-1"], "b-2": ["p-2"], "b-3": ["p-3"]}
        assert await bookings("b-2").status() is BookingStatus.SETTLED
        assert await set_aside(faulty, path) == []


async def read_is(database: Database, path: Path, position: int) -> bool:
    return await read_up_to(database, path) == position


@pytest.mark.parametrize("operation", ["append", "commit", "begin"])
@pytest.mark.parametrize("fault", [unavailable, lost_before, lost_after])
async def test_whatever_the_store_does_each_payment_counts_once(
    node: ClusterNode, faulty: FaultyDatabase, path: Path, fault: Callable[[], Fault], operation: str
) -> None:
    ids = [f"b-{number}" for number in range(20)]
    await confirmed(node.refs(Booking), *ids)
    faulty.on(operation, *[make() for _ in range(3) for make in (fault, Fault, fault, Fault)])
    await reading(node, path)
    for one in ids:
        write(path, Payment(f"p of {one}", one), b"no payment\n", Payment(f"p of {one}", one))
        await done(faulty, path)
    faulty.heal()
    assert await paid(node, ids) == {one: [f"p of {one}"] for one in ids}
    aside = await set_aside(faulty, path)
    assert [line.text for line in aside] == [b"no payment"] * 20


async def test_a_crash_between_the_payment_and_the_cursor(faulty: FaultyDatabase, path: Path) -> None:
    async with box_office(faulty) as node:
        bookings = await reading(node, path)
        await confirmed(bookings, "b-1", "b-2")
        gate = faulty.block("commit")
        write(path, Payment("p-1", "b-1"), b"no payment\n")
        await gate.reached()
        await becomes(bookings, "b-1", BookingStatus.SETTLED)
    assert await read_up_to(faulty, path) == 0
    async with box_office(faulty) as node:
        await reading(node, path)
        write(path, Payment("p-2", "b-2"))
        await done(faulty, path)
        assert await paid(node, ["b-1", "b-2"]) == {"b-1": ["p-1"], "b-2": ["p-2"]}
        assert len(await set_aside(faulty, path)) == 1


async def test_a_file_that_shrank_is_said(node: ClusterNode, faulty: FaultyDatabase, path: Path) -> None:
    await confirmed(await reading(node, path), "b-1")
    write(path, Payment("p-1", "b-1"))
    await done(faulty, path)
    truncate(path)

    async def shrank() -> bool:
        return "FileShrank" in str((await said_of(faulty)).error)

    await eventually(shrank)


async def test_another_node_reads_on(tmp_path: Path, path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    async with box_office(url, node="one") as one:
        await reading(one, path)
        async with box_office(url, node="two") as two:
            bookings = await reading(two, path)
            await confirmed(bookings, "b-1", "b-2")
            write(path, Payment("p-1", "b-1"), b"no payment\n")
            await done(two.database, path)
            first = (await said_of(two.database)).node
            other, last = (one, two) if first == "one" else (two, one)
            await other.stop()
            write(path, Payment("p-2", "b-2"))
            await done(last.database, path)
            assert await paid(last, ["b-1", "b-2"]) == {"b-1": ["p-1"], "b-2": ["p-2"]}
            assert len(await set_aside(last.database, path)) == 1

            async def moved() -> bool:
                said = await said_of(last.database)
                return (said.node, said.state) == (last.node, "running")

            await eventually(moved)
