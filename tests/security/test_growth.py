"""S7: nothing is kept by what a peer chooses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sharding.links.handshake import Refusal
from sharding.links.links import _MOST_REMEMBERED
from sharding.wire import framed
from tests.sharding.links.nodes import SETTINGS, nodes
from tests.sharding.links.wires import dialler, wire_to


async def test_s07_dropped_incarnations_are_remembered_up_to_a_number() -> None:
    async with nodes(SETTINGS) as (a,):
        for incarnation in range(1000, 1000 + 3 * _MOST_REMEMBERED):
            a.links.drop(incarnation)
        assert len(a.links._dropped) == _MOST_REMEMBERED


async def test_s07_names_that_a_refused_peer_makes_up_leave_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    async with nodes(replace(SETTINGS, flush_seconds=0.1)) as (a,):
        for number in range(60):
            wrong = {"cluster": f"c{number}"} if number % 2 else {"wanted": (f"n{number}", number)}
            async with wire_to(a) as wire:
                wire.say(framed(dialler(a, me=(f"x{number}", number), **wrong).hello))
                await wire.closed()
        office = a.links._office
        assert a.links.status()[:3] == ([], [], 0)
        assert set(office.traffic.refused_in) == {Refusal.OTHER_CLUSTER, Refusal.OTHER_INCARNATION}
        assert len(office.complaints._kinds) == 2
        assert len(caplog.records) <= 2
