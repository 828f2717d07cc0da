"""The nodes of a run, for `aecorpy node tests.faults.hosting:node`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aecorpy import ClusterNode, ClusterSettings
from aecorpy.demo.permits import ActivityCounts, PermitApplication, PermitCases
from aecorpy.projection.distributed import ranges
from tests.checker.files import Recorder
from tests.checker.records import Started, Stopped
from tests.cluster.program import die_with_parent
from tests.faults.bells import Ringing
from tests.faults.burials import record_members
from tests.faults.concerts import LINES, PROCESSES, STEPS, BookingSteps, Concert, ConcertLines
from tests.faults.leases import record_leases
from tests.faults.setting import BOOKING, CLUSTER, PERMITS, Setting, given, now

ENTITIES: dict[str, type] = {BOOKING: Concert, PERMITS: PermitApplication}
CASES, ACTIVITIES = "PermitCases", "PermitActivities"
ENTITY_NAMES = ("concert", "permit_application")


def node(name: str) -> ClusterNode:
    """The node `name`, as the environment says."""
    die_with_parent()
    setting = given()
    Concert.by = setting.life
    if setting.mutant:
        _mutate(setting.mutant)
    record = Recorder(setting.file("history"))
    record_leases(record, setting.life)
    record_members(setting)
    return Hosting(setting, record).new_node(name)


def _mutate(name: str) -> None:
    import pytest  # only here: nodes as they are need no test runner

    from tests.mutants.catalogue import MUTANTS

    next(one for one in MUTANTS if one.name == name).patch(pytest.MonkeyPatch())


def client(setting: Setting, **more: Any) -> ClusterNode:
    """A node of the cluster; see `ClusterNode` for what else may be said."""
    return ClusterNode(
        CLUSTER,
        journal=setting.url,
        node=setting.node,
        bind=(setting.host, 0),
        secret=setting.secret.encode() or None,
        lease_seconds=setting.lease,
        stop_seconds=8.0,
        cluster=ClusterSettings(unreachable=1.5, hand_off=3.0),
        **more,
    )


class Hosting:
    """What one process hosts, and records of it."""

    def __init__(self, setting: Setting, record: Recorder) -> None:
        self._setting = setting
        self._record = record
        self._epochs: dict[tuple[str, int], int] = {}
        tags = ranges(Concert.tagging.tags("concert"), PROCESSES[STEPS])
        self._reads = {Concert.tagging.tags("concert").index(tag): n for n, some in enumerate(tags) for tag in some}
        self._status: asyncio.Task[None] | None = None

    def new_node(self, name: str) -> ClusterNode:
        """The node."""
        assert name == self._setting.node, "its records say so"
        entities = [ENTITIES[load] for load in self._setting.loads]
        return client(self._setting, entities=entities, on_start=self._begin, on_owned=self._owned)

    async def _begin(self, node: ClusterNode) -> None:
        if self._setting.status:
            self._status = asyncio.get_running_loop().create_task(status_lines(self._setting))
        if BOOKING in self._setting.loads:
            await node.distribute(LINES, ConcertLines(), processes=PROCESSES[LINES])
            steps = BookingSteps(self._setting.life, self._steps_epoch)
            await node.distribute(STEPS, steps, processes=PROCESSES[STEPS])
        if PERMITS in self._setting.loads:
            await node.distribute(CASES, PermitCases(), processes=2)
            await node.distribute(ACTIVITIES, ActivityCounts(), processes=2)
        await Ringing(self._setting.life, self._record).begin(node)

    def _owned(self, name: str, shard: int, epoch: int, owned: bool) -> None:
        kind = "shard" if name in ENTITY_NAMES else "seat"  # a process's place, which is spread by another rule
        self._record((Started if owned else Stopped)(now(), kind, name, shard, self._setting.life, epoch))
        if owned:
            self._epochs[name, shard] = epoch

    def _steps_epoch(self, shard: int) -> int:
        return self._epochs["booking_steps", self._reads[shard]]


async def status_lines(setting: Setting) -> None:
    """Write how many tasks this process has, again and again."""
    with setting.file("status").open("a", buffering=1) as file:
        while True:
            print(json.dumps({"at": now(), "tasks": len(asyncio.all_tasks())}), file=file)
            await asyncio.sleep(setting.status)
