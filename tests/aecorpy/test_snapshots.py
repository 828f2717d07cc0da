"""Snapshots: when they are kept, and that with or without them the state is the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from aecorpy import Entity, EntityRefs, Fold, Next, OutcomeUnknown, Snapshotting, Unavailable, command, query, snapshot
from aecorpy import upcast as upcaster
from journal.contract import Database
from journal.records import Snapshot
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.looking import started, turns
from tests.aecorpy.samples import Added, Saver, Total
from tests.faulty_store import Fails, FaultyDatabase, lost_before, unavailable
from tests.waiting import eventually

Savers = EntityRefs[Saver]


async def kept(database: Database, key: str, journal: str = "saver") -> Snapshot | None:
    """The snapshot of an entity."""
    return await database.snapshots(journal).get(key)


async def kept_at(database: Database, key: str, seq_nr: int) -> Snapshot:
    """The snapshot of an entity, once it has one of that version."""

    async def found() -> Snapshot | None:
        stored = await kept(database, key)
        return stored if stored and stored.seq_nr == seq_nr else None

    stored = await eventually(found)
    assert stored is not None
    return stored


async def test_a_snapshot_is_kept_every_n_events(start_node: StartNode, database: Database) -> None:
    savers = await (await start_node(database)).deploy(Saver)
    await savers("a").add(1)
    await savers("a").add(2)
    assert await kept(database, "a") is None
    await savers("a").add(3)
    snapshot = await kept_at(database, "a", 3)
    codec = savers.behaviour.snapshot_codec
    assert codec is not None
    assert codec.decode(snapshot.type_name, snapshot.version, snapshot.payload) == Total(6, 3)
    await savers("a").add(4)
    await savers("a").add(5)
    assert (await kept_at(database, "a", 3)).seq_nr == 3
    await savers("a").add(6)
    await kept_at(database, "a", 6)


async def test_a_batch_that_jumps_over_the_boundary_makes_a_snapshot_too(
    start_node: StartNode, database: Database
) -> None:
    savers = await (await start_node(database)).deploy(Saver)
    await savers("a").add_all((1, 1))
    await savers("a").add_all((1, 1))
    await kept_at(database, "a", 4)
    await savers("a").add_all((1,) * 8)
    await kept_at(database, "a", 12)


async def test_a_snapshot_and_the_tail_are_the_same_as_all_events(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    savers = await node.deploy(Saver)
    for n in range(1, 12):
        await savers("a").add(n)
    await kept_at(database, "a", 9)
    await node.stop()
    node = await start_node(database)
    assert await (await node.deploy(Saver))("a").get() == Total(66, 11)
    await node.stop()
    await database.snapshots("saver").delete("a")
    node = await start_node(database)
    savers = await node.deploy(Saver)
    assert await savers("a").get() == Total(66, 11)
    assert await savers("a").add(1) == Total(67, 12)


async def test_recovery_reads_only_what_is_behind_the_snapshot(start_node: StartNode, faulty: FaultyDatabase) -> None:
    node = await start_node()
    savers = await node.deploy(Saver)
    await savers("a").add_all((1, 2, 3, 4))
    await savers("a").add(5)
    await kept_at(faulty, "a", 4)
    await node.stop()
    for seq_nr in range(1, 5):
        faulty.corrupt("a", seq_nr, payload=b"nobody reads this")
    savers = await (await start_node()).deploy(Saver)
    assert await savers("a").add(6) == Total(21, 6)


UNREADABLE: list[Snapshot] = [
    Snapshot("a", 2, "Total", 1, b"\xc1"),
    Snapshot("a", 2, "Sum", 1, b"\x80"),
    Snapshot("a", 2, "Total", 9, b"\x80"),
]


@pytest.mark.parametrize("unreadable", UNREADABLE)
async def test_a_snapshot_that_cannot_be_read_is_left_aside(
    start_node: StartNode, faulty: FaultyDatabase, caplog: pytest.LogCaptureFixture, unreadable: Snapshot
) -> None:
    node = await start_node()
    savers = await node.deploy(Saver)
    await savers("a").add_all((1, 2))
    shard = savers.door.tagging.shard_of("a")
    await node.stop()
    await faulty.snapshots("saver").put(shard, 1, unreadable)
    savers = await (await start_node()).deploy(Saver)
    assert await savers("a").get() == Total(3, 2)
    place = f"saver_snapshot: cannot read {unreadable.type_name!r} of entity 'a', seq_nr {unreadable.seq_nr}: "
    assert f"snapshot unreadable, all events are read: {place}" in caplog.text


async def test_an_unavailable_snapshot_store_at_recovery_is_told(start_node: StartNode, faulty: FaultyDatabase) -> None:
    savers = await (await start_node()).deploy(Saver)
    faulty.on("snapshot_get", unavailable())
    with pytest.raises(Unavailable):
        await savers("a").add(1)
    assert await savers("a").add(1) == Total(1, 1)


async def test_no_snapshot_is_made_of_what_is_not_committed(start_node: StartNode, faulty: FaultyDatabase) -> None:
    savers = await (await start_node()).deploy(Saver)
    await savers("a").add_all((1, 2))
    gate = faulty.block("append", unavailable())
    call = await started(savers("a").add(10))
    await gate.reached()
    assert faulty.counts["snapshot_put"] == 0
    gate.release()
    with pytest.raises(Unavailable):
        await call
    faulty.on("append", lost_before())
    with pytest.raises(OutcomeUnknown):
        await savers("a").add(10)
    assert await savers("a").get() == Total(3, 2)
    await turns()
    assert faulty.counts["snapshot_put"] == 0
    await savers("a").add(3)
    snapshot = await kept_at(faulty, "a", 3)
    assert snapshot.seq_nr == 3


async def test_a_pipelined_snapshot_is_of_its_own_version(start_node: StartNode, faulty: FaultyDatabase) -> None:
    savers = await (await start_node()).deploy(Saver)
    gate = faulty.block("append")
    calls = [await started(savers("a").add(1)) for _ in range(5)]
    await gate.reached()
    gate.release()
    for call in calls:
        await call
    snapshot = await kept_at(faulty, "a", 3)
    codec = savers.behaviour.snapshot_codec
    assert codec is not None
    assert codec.decode(snapshot.type_name, snapshot.version, snapshot.payload) == Total(3, 3)


@pytest.mark.parametrize("error", [Unavailable("away"), OutcomeUnknown("lost"), ZeroDivisionError("a bug")])
async def test_a_snapshot_that_cannot_be_kept_harms_nothing(
    start_node: StartNode, faulty: FaultyDatabase, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    savers = await (await start_node()).deploy(Saver)
    faulty.on("snapshot_put", Fails(error))
    assert await savers("a").add_all((1, 2, 3)) == Total(6, 3)
    await eventually(lambda: "a snapshot was not kept" in caplog.text)
    assert await savers("a").add_all((1, 2, 3)) == Total(12, 6)
    await kept_at(faulty, "a", 6)


async def test_snapshots_do_not_pile_up_at_a_slow_store(start_node: StartNode, faulty: FaultyDatabase) -> None:
    savers = await (await start_node()).deploy(Saver)
    gate = faulty.block("snapshot_put")
    faulty.always("snapshot_put", gate)
    for _ in range(50):
        await savers("a").add_all((1, 2, 3))
    assert faulty.counts["snapshot_put"] == 1, "one at a time"
    gate.release()
    await kept_at(faulty, "a", 3)
    await savers("a").add_all((1, 2, 3))
    await kept_at(faulty, "a", 153)


@snapshot("Total", version=2)
@dataclass(frozen=True, slots=True)
class TotalWithMost:
    amount: int
    events: int
    most: int


@upcaster("Total", 1)
def most_is_unknown(raw: Any) -> Any:
    return {**raw, "most": raw["amount"]}


class NewSaver(Entity[TotalWithMost | None, Added]):
    """The saver's next release."""

    journal_name = "saver"
    fold = Fold.optional(
        lambda added: Next(TotalWithMost(added.n, 1, added.n)),
        lambda total, added: Next(
            TotalWithMost(total.amount + added.n, total.events + 1, max(total.most, added.n)),
        ),
    )
    tagging = Saver.tagging
    snapshotting = Snapshotting(3)
    upcasters = (most_is_unknown,)

    @command
    async def add(self, n: int) -> TotalWithMost | None:
        self.append(Added(n))
        return self.state

    @query
    async def get(self) -> TotalWithMost | None:
        return self.state


async def test_a_snapshot_of_an_older_release_is_upcast(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    savers = await node.deploy(Saver)
    await savers("a").add_all((1, 2, 3))
    await kept_at(database, "a", 3)
    await node.stop()
    new = await (await start_node(database)).deploy(NewSaver)
    assert await new("a").add(2) == TotalWithMost(8, 4, 6)


def test_snapshotting_needs_at_least_one_event() -> None:
    with pytest.raises(ValueError, match="use 1 or more"):
        Snapshotting(0)
