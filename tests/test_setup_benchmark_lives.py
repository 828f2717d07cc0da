"""What the benchmark of projections makes of journals, rows and looks: a fault of each kind is found, and no other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aecorpy.processing.process import ProcessContext
from benchmarks import life_spans
from benchmarks.filled_journal import filled_journal
from benchmarks.life_spans import BEGAN, ENDED, LifeJournal, Record, Span, Step
from benchmarks.view_speed import Sights
from tests.cluster.notes import keys_by_shard
from tests.postgres_server import PostgresServer

JOB = ("Jobs", "job-0")


def record(process: str, epoch: int, what: str, at: float) -> Record:
    return Record(process, *JOB, epoch, what, at)


def lives(*records: Record, ends: Sequence[tuple[str, float]] = ()) -> list[Span]:
    return life_spans.spans(records, ends).get(JOB, [])


def test_setup_an_instance_lives_until_it_says_so_or_its_program_is_killed_or_frozen() -> None:
    killed = record("a.1", 1, BEGAN, 1.0), record("a.2", 3, BEGAN, 9.0)
    told = record("b.1", 2, BEGAN, 5.0), record("b.1", 2, ENDED, 8.0)
    assert lives(*killed, *told, ends=[("a.1", 4.0), ("b.1", 20.0)]) == [
        Span("a.1", 1, 1.0, 4.0),
        Span("b.1", 2, 5.0, 8.0),
        Span("a.2", 3, 9.0, math.inf),
    ]


def test_setup_a_frozen_instance_ends_with_the_freeze_whatever_it_does_when_it_wakes() -> None:
    records = [record("a.1", 1, BEGAN, 1.0), record("a.1", 1, ENDED, 12.0), record("a.1", 3, BEGAN, 13.0)]
    assert lives(*records, ends=[("a.1", 4.0)]) == [Span("a.1", 1, 1.0, 4.0), Span("a.1", 3, 13.0, math.inf)]


@pytest.mark.parametrize(
    ("some", "count"),
    [
        ([Span("a", 1, 0.0, 2.0), Span("b", 2, 2.0, math.inf)], 0),
        ([Span("a", 1, 0.0, 2.1), Span("b", 2, 2.0, math.inf)], 1),
        ([Span("a", 1, 0.0, 9.0), Span("b", 2, 2.0, 3.0), Span("b", 3, 4.0, 5.0)], 2),
        ([Span("a", 1, 0.0, math.inf), Span("a", 1, 1.0, 2.0)], 1),
    ],
)
def test_setup_two_instances_that_lived_at_once_are_a_double_run(some: list[Span], count: int) -> None:
    found = life_spans.faults_of_lives({JOB: some, ("Jobs", "job-1"): [Span("a", 1, 0.0, 9.0)]})
    assert len(found.double_runs) == count
    assert found.skipped == found.repeated == []


def test_setup_restarts_are_within_one_epoch_of_one_program() -> None:
    records = [
        record("a.1", 1, BEGAN, 1.0),
        record("a.1", 1, ENDED, 2.0),
        record("a.1", 1, BEGAN, 2.25),
        record("a.1", 1, ENDED, 3.0),
        record("b.1", 2, BEGAN, 3.5),
        record("b.1", 2, ENDED, 4.0),
        record("b.1", 3, BEGAN, 5.0),
    ]
    assert life_spans.restart_ms(records) == [250.0]


def test_setup_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    database = None
    context = ProcessContext("Jobs", "job-0", 0, "a", 7, database)  # type: ignore[arg-type]
    journal = LifeJournal(tmp_path, "a.1")
    with pytest.raises(RuntimeError, match="fails"), journal.life(context):
        raise RuntimeError("fails")
    with journal.life(context):
        began, ended, again = life_spans.read_lives(tmp_path)
    assert began[:5] == again[:5] == ("a.1", "Jobs", "job-0", 7, BEGAN)
    assert ended[:5] == ("a.1", "Jobs", "job-0", 7, ENDED)
    assert began.at <= ended.at <= again.at


@pytest.mark.parametrize(
    ("steps", "cursor", "wanted"),
    [
        ([Step(1, 1), Step(2, 1), Step(3, 2)], 3, (0, 0, 0)),
        ([Step(1, 1), Step(3, 2)], 3, (0, 1, 0)),
        ([Step(1, 1), Step(2, 1)], 3, (0, 1, 0)),
        ([Step(1, 1), Step(2, 1), Step(2, 2)], 2, (0, 0, 1)),
        ([Step(1, 1), Step(2, 1)], 1, (0, 0, 1)),
        ([Step(1, 1), Step(2, 2), Step(3, 1)], 3, (1, 0, 0)),
        ([], 1, (0, 1, 0)),
    ],
)
def test_setup_faults_of_steps(steps: list[Step], cursor: int, wanted: tuple[int, int, int]) -> None:
    found = life_spans.faults_of_steps({JOB: steps}, {JOB: cursor})
    assert tuple(map(len, found)) == wanted


@pytest.mark.parametrize(
    ("rows", "total", "head", "wanted"),
    [
        (Counter({1: 1, 2: 1}), 2, 2, (0, 0, 0)),
        (Counter({1: 1}), 1, 2, (0, 2, 0)),
        (Counter({1: 1, 2: 1}), 1, 2, (0, 1, 0)),
        (Counter({1: 2, 2: 1}), 3, 2, (0, 0, 2)),
        (Counter({1: 1, 2: 1, 3: 1}), 2, 2, (0, 0, 1)),
        (Counter({1: 2}), 2, 2, (0, 1, 1)),
    ],
)
def test_setup_faults_of_rows(rows: Counter[int], total: int, head: int, wanted: tuple[int, int, int]) -> None:
    found = life_spans.faults_of_rows({0: rows}, {0: total}, {0: head, 1: 0})
    assert tuple(map(len, found)) == wanted
    assert tuple(map(len, life_spans.all_of([found, found]))) == tuple(2 * count for count in wanted)


def test_setup_lag_ends_with_the_first_look_that_has_the_event() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    sights = Sights()
    for offset, milliseconds in ((0, 0), (3, 10), (3, 20), (5, 30)):
        sights.add(0, offset, began + timedelta(milliseconds=milliseconds))
    assert [sights.lag_ms(0, offset, began) for offset in (1, 3, 4, 5)] == [10, 10, 30, 30]
    assert sights.reach({0: 5, 1: 0})
    assert not sights.reach({0: 6})
    assert not sights.reach({0: 5, 1: 1})


async def test_setup_a_journal_is_filled_with_ten_events_of_each_note(postgres_url: str) -> None:
    async with filled_journal(postgres_url, 4) as filled:
        await filled.fill(200, 100)
        await filled.append([keys[0] for keys in keys_by_shard(4)], "more")
        heads = [head for _, _, head in await filled.journal.store.heads()]
        assert filled.heads == heads
        assert sum(heads) == 204
        events = [event async for event in filled.journal.read("note-7")]
    assert [event.seq_nr for event in events][:10] == [*range(1, 11)]
    assert {len(event.payload.id) for event in events[:10]} == {100}


def test_setup_the_eventsourcing_librarys_view_has_each_event_once(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    pytest.importorskip("eventsourcing", reason="the bench extra is not installed")
    from benchmarks.baselines import eventsourcing_projection

    assert eventsourcing_projection.events_per_second(postgres_url, 100, 1_000) > 0
    [(notes, least, most, largest)] = postgres_server.execute(
        "SELECT count(*), min(written), max(written), max(length(text)) FROM note_row", postgres_url
    )
    assert (notes, least, most, largest) == (100, 10, 10, 100)
    [(tracked, last)] = postgres_server.execute(
        "SELECT (SELECT max(notification_id) FROM notes_tracking WHERE application_name = 'Notes'), "
        "(SELECT max(notification_id) FROM notes_events)",
        postgres_url,
    )
    assert tracked == last
