"""What the benchmark harness reports, and that the baselines measure what they say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from benchmarks.baselines import fenced_sql
from benchmarks.harness import Run, at_least, at_most, closed_loop, interleave, run_benchmark
from tests.postgres_server import PostgresServer

BOUNDS = (at_least(10, "speed", "/s", "how fast"), at_most(5, "lag", "ms", "how late"))


def measured(**values: float) -> Callable[[Run], Awaitable[None]]:
    async def measure(run: Run) -> None:
        for key, value in values.items():
            run.record(key, value)
        run.explain("why", 1.5, "s", "for comparison")

    return measure


@pytest.fixture
def report(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Run], Awaitable[None]]], tuple[int, dict[str, Any]]]:
    """Run a benchmark on the tests' server and return its exit code and its JSON."""
    monkeypatch.setenv("POSTGRES_URL", postgres_server.url)

    def run(measure: Callable[[Run], Awaitable[None]]) -> tuple[int, dict[str, Any]]:
        file = tmp_path / "new" / "figures.json"
        code = run_benchmark("example", BOUNDS, measure, ["--quick", "--json", str(file)])
        document: dict[str, Any] = json.loads(file.read_text())
        return code, document

    return run


@pytest.mark.parametrize(
    ("values", "code", "missed", "unmeasured", "said"),
    [
        ({"speed": 10, "lag": 5}, 0, [], [], "met"),
        ({"speed": 9.99, "lag": 5}, 1, ["speed"], [], "missed: speed"),
        ({"speed": 11, "lag": 5.01}, 1, ["lag"], [], "missed: lag"),
        ({"speed": 11}, 1, [], ["lag"], "not measured: lag"),
        ({"speed": float("nan"), "lag": 1}, 1, ["speed"], [], "missed: speed"),
    ],
)
def test_setup_a_missed_bound_is_seen_on_screen_in_json_and_in_the_exit_code(
    report: Callable[..., tuple[int, dict[str, Any]]],
    capsys: pytest.CaptureFixture[str],
    values: dict[str, float],
    code: int,
    missed: list[str],
    unmeasured: list[str],
    said: str,
) -> None:
    exit_code, document = report(measured(**values))
    assert exit_code == code
    assert document["missed"] == missed
    assert document["not_measured"] == unmeasured
    assert {key for key in ("speed", "lag") if key in document} == set(values)
    assert document["why"] == 1.5
    assert document["environment"]["postgresql"]["fsync"] in {"on", "off"}
    assert document["environment"]["cores"] >= 1
    assert said in capsys.readouterr().out


async def test_setup_contestants_take_turns_in_a_changing_order() -> None:
    order: list[str] = []

    def contestant(name: str, *scores: float) -> Callable[[float], Awaitable[float]]:
        remaining = iter(scores)

        async def run(seconds: float) -> float:
            assert seconds == 2
            order.append(name)
            return next(remaining)

        return run

    rounds = await interleave({"a": contestant("a", 10, 40, 30), "b": contestant("b", 5, 10, 10)}, seconds=6)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert rounds.median("a") == 30
    assert rounds.ratio("a", "b") == 3  # the median of 2, 4 and 3


async def test_setup_closed_loop_counts_answers_and_their_latency() -> None:
    running = most = 0

    async def command(caller: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    load = await closed_loop(8, 0.1, command, warm_up=0.01)
    assert most == 8
    assert load.per_second == len(load.latencies) / load.seconds
    assert 0 < load.percentile_ms(50) <= load.percentile_ms(99) <= load.percentile_ms(100) <= 100


@pytest.mark.parametrize("append", [fenced_sql.batch_events_per_second, fenced_sql.spread_batch_events_per_second])
async def test_setup_bare_batches_are_in_order_without_a_hole(
    postgres_url: str, append: Callable[[str, fenced_sql.Workload, float], Awaitable[float]]
) -> None:
    assert await append(postgres_url, fenced_sql.Workload(100, entities=300, batch=50), 0.2) > 0
    connection = await asyncpg.connect(postgres_url)
    holes = await connection.fetch(
        'SELECT shard, head, count(*), min("offset"), max("offset") FROM bare_shard JOIN bare_event USING (shard) '
        'GROUP BY shard, head HAVING count(*) <> head OR min("offset") <> 1 OR max("offset") <> head'
    )
    lengths = await connection.fetch("SELECT DISTINCT octet_length(payload) FROM bare_event")
    await connection.close()
    assert holes == []
    assert [tuple(row) for row in lengths] == [(100,)]


async def test_setup_bare_appends_are_fenced(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await fenced_sql.append_milliseconds(postgres_url, fenced_sql.Workload(100), 0.1) > 0
    monkeypatch.setattr(fenced_sql, "EPOCH", 0)
    for append in (
        fenced_sql.batch_events_per_second,
        fenced_sql.spread_batch_events_per_second,
        fenced_sql.append_milliseconds,
    ):
        with pytest.raises(fenced_sql.Fenced):
            await append(postgres_url, fenced_sql.Workload(100), 0.1)


def test_setup_the_eventsourcing_library_stores_one_event_per_command(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    pytest.importorskip("eventsourcing", reason="the bench extra is not installed")
    from benchmarks.baselines import eventsourcing_library

    assert eventsourcing_library.commands_per_second(postgres_url, 2, 100, 0.3) > 0
    [(events, largest)] = postgres_server.execute(
        "SELECT count(*), max(octet_length(state)) FROM application_events WHERE topic LIKE '%.Written'", postgres_url
    )
    assert events > 0
    assert largest >= 100
