"""Clusters of real nodes under faults, and moving in order. More seeds: `make simulate`."""

from __future__ import annotations

import asyncio
from typing import get_args

import pytest

from tests.checker import records
from tests.checker.records import ANSWERED
from tests.simulation.cluster_scenarios import faulty, moving
from tests.simulation.clusters import ClusterRun
from tests.simulation.faults import cuts, slow_paths, store_slow
from tests.simulation.ready import Order
from tests.simulation.recording import RecordedWorld


@pytest.mark.parametrize("order", list(Order), ids=lambda order: order.name)
@pytest.mark.parametrize("seed", range(3))
def test_a_cluster_under_faults_keeps_its_promises_and_serves_again(seed: int, order: Order) -> None:
    ran, broken = faulty(1_000 + seed, order=order)
    assert not broken
    assert ran.told[ANSWERED] > 100


@pytest.mark.parametrize("order", list(Order), ids=lambda order: order.name)
@pytest.mark.parametrize("seed", range(2))
def test_no_command_is_lost_while_nodes_join_and_leave_in_order(seed: int, order: Order) -> None:
    ran, broken = moving(1_000 + seed, order=order)
    assert not broken
    assert ran.told[ANSWERED] > 100


def test_the_same_seed_gives_the_same_run() -> None:
    assert faulty(7)[0].digest == faulty(7)[0].digest


def test_another_seed_gives_another_run() -> None:
    assert faulty(7)[0].digest != faulty(8)[0].digest


def test_a_run_has_records_of_every_kind_that_its_checks_need() -> None:
    kinds = {type(record) for record in faulty(7)[0].records} | {type(record) for record in moving(7)[0].records}
    of_faults = {records.Buried, records.Leftover, records.Paused, records.Resumed}
    assert kinds | of_faults == set(get_args(records.Record))


def test_a_node_that_joins_anew_is_not_taken_for_dead_by_who_hears_of_it_first() -> None:
    assert not faulty(1_001, kinds=(cuts, slow_paths))[1]


def test_an_append_queued_behind_a_failed_one_does_not_follow_one_that_came_late() -> None:
    assert not faulty(20_094)[1]
    assert not faulty(1_017, kinds=(store_slow,))[1]


def test_what_others_asked_of_a_shard_is_answered_although_the_node_that_gave_it_up_leaves() -> None:
    assert not moving(5_080)[1]


def test_a_node_at_another_machines_loopback_is_not_taken_for_dead(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    async def scenario(run: ClusterRun, world: RecordedWorld) -> None:
        await world.start("a")
        await asyncio.sleep(1)  # it coordinates
        await world.start("b")
        for _ in range(6):
            await asyncio.sleep(5)
            told.append(await run.call(world, "a", "1", "k0"))
        await run.stop_all(world)

    run = ClusterRun(5, ("a", "b"), loopback=True)
    ran = run.run(scenario)
    assert told == [ANSWERED] * 6
    assert sorted(run.log.lives.values()) == ["a", "b"], "nobody had to join anew"
    assert not [record for record in ran.records if isinstance(record, records.Buried)]
    assert "let it listen where others reach it" in caplog.text
