"""Clusters of real nodes under faults, and moving in order. More seeds: `make simulate`."""

from __future__ import annotations

import dataclasses

import pytest

from journal.records import StoredEvent
from tests.simulation.cluster_check import broken
from tests.simulation.cluster_scenarios import faulty, moving
from tests.simulation.clusters import History, Owned, Sent
from tests.simulation.ready import Order


@pytest.mark.parametrize("order", list(Order), ids=lambda order: order.name)
@pytest.mark.parametrize("seed", range(3))
def test_a_cluster_under_faults_keeps_its_promises_and_serves_again(seed: int, order: Order) -> None:
    history, faults = faulty(1_000 + seed, order=order)
    assert not faults
    assert history.told["ok"] > 100


@pytest.mark.parametrize("order", list(Order), ids=lambda order: order.name)
@pytest.mark.parametrize("seed", range(2))
def test_no_command_is_lost_while_nodes_join_and_leave_in_order(seed: int, order: Order) -> None:
    history, faults = moving(1_000 + seed, order=order)
    assert not faults
    assert history.told["ok"] > 100


def test_the_same_seed_gives_the_same_run() -> None:
    assert faulty(7)[0].digest == faulty(7)[0].digest


def test_another_seed_gives_another_run() -> None:
    assert faulty(7)[0].digest != faulty(8)[0].digest


# --- the check has to find what is broken


@pytest.fixture(scope="module")
def sound() -> History:
    return faulty(11)[0]


def test_an_answered_command_that_is_lost_is_found(sound: History) -> None:
    history = _copy(sound)
    history.sent.append(Sent("k1", 1, 1_000_000, "ok"))
    assert "durable" in broken(history)[0]


def test_an_event_that_is_there_twice_is_found(sound: History) -> None:
    history = _copy(sound)
    history.events.append(history.events[-1])
    assert any("2 times" in fault for fault in broken(history))


def test_a_refused_command_that_happened_is_found(sound: History) -> None:
    history = _copy(sound)
    first = next(sent for sent in history.sent if sent.told == "ok")
    history.sent[history.sent.index(first)] = Sent(first.key, first.caller, first.number, "no")
    assert "unknown-is-said" in broken(history)[0]


def test_two_owners_of_one_epoch_are_found(sound: History) -> None:
    history = _copy(sound)
    one = history.owned[0]
    history.owned.append(Owned("another", one.shard, one.epoch, one.since))
    assert "single-writer" in broken(history)[0]


def test_an_event_under_an_old_epoch_is_found(sound: History) -> None:
    history = _copy(sound)
    late = max(history.events, key=lambda event: (event.epoch, event.offset))
    history.events.remove(late)
    history.events.append(_under(late, 0))
    assert any("old epoch" in fault for fault in broken(history))


def _copy(history: History) -> History:
    return History(list(history.sent), list(history.owned), list(history.events))


def _under(event: StoredEvent, epoch: int) -> StoredEvent:
    return dataclasses.replace(event, epoch=epoch)
