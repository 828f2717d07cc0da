"""Carries the faults out, and counts them.

One that finds its victim dead, or busy with another, is passed over. A rolling restart waits until nobody is busy.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from tests.faults.network import Network
from tests.faults.plan import Kind, Strike
from tests.faults.processes import Machine
from tests.faults.stores import Store
from tests.waiting import eventually

LONGEST_START = 20.0
FROZEN_FIRST = 0.5  # seconds between a freeze and a kill elsewhere

_log = logging.getLogger(__name__)


class Striker:
    """Harms a cluster.

    Args:
        machines: by name; those that a fault may name.
        store, network: what else can be harmed.

    Attributes:
        counts: how many of each kind were done.
        codes: exit codes of restarts that were asked for.
    """

    def __init__(self, machines: Mapping[str, Machine], store: Store, network: Network) -> None:
        self.counts: Counter[str] = Counter()
        self.codes: Counter[int] = Counter()
        self._machines = machines
        self._nodes = [one for one in machines.values() if not one.calls]
        self._store = store
        self._network = network
        self._store_busy, self._cables_busy = asyncio.Lock(), [asyncio.Lock() for _ in network.cables]

    async def run(self, strikes: Sequence[Strike]) -> None:
        """Do all of them, each at its time, and wait until they are over."""
        clock = asyncio.get_running_loop().time
        began = clock()
        async with asyncio.TaskGroup() as group:
            for strike in strikes:
                await asyncio.sleep(max(0.0, began + strike.at - clock()))
                group.create_task(self._strike(strike), name=str(strike))

    async def _strike(self, strike: Strike) -> None:
        locks = [self._machines[name].busy for name in strike.victims]
        if strike.cable is not None:
            locks = [self._cables_busy[strike.cable]]
        elif strike.kind in (Kind.RESTART, Kind.CONNECTIONS, Kind.DISK):
            locks = [self._store_busy]
        elif strike.kind in (Kind.ROLL, Kind.KILL_ALL):
            locks = [one.busy for one in self._nodes]
        dead = not all(self._machines[name].is_alive for name in strike.victims)
        if dead or (strike.kind is not Kind.ROLL and any(lock.locked() for lock in locks)):
            _log.info("passed over: %s", strike)
            return
        for lock in locks:  # only a rolling restart waits for any
            await lock.acquire()
        try:
            _log.info("%s", strike)
            await self._do(strike)
            self.counts[strike.kind] += 1
        finally:
            for lock in locks:
                lock.release()

    async def _do(self, strike: Strike) -> None:
        victims = [self._machines[name] for name in strike.victims]
        match strike.kind:
            case Kind.KILL | Kind.KILL_CALLER:
                victims[0].kill()
            case Kind.KILL_ALL:
                for one in self._nodes:
                    one.kill()
            case Kind.FREEZE:
                await self._freeze(victims[0], strike.seconds)
            case Kind.FREEZE_AND_KILL:
                freezing = asyncio.ensure_future(self._freeze(victims[0], strike.seconds))
                await asyncio.sleep(FROZEN_FIRST)
                victims[1].kill()
                await freezing
            case Kind.CUT | Kind.STORE_CUT:
                cable = self._network.cables[_cable_of(strike)]
                cable.cut(strike.senders)
                await self._then(strike.seconds, cable.mend)
            case Kind.SLOW | Kind.STORE_SLOW:
                self._network.slow(_cable_of(strike))
                await self._then(strike.seconds, self._network.cables[_cable_of(strike)].hasten)
            case Kind.RESTART:
                await self._store.restart(strike.seconds)
            case Kind.CONNECTIONS:
                await self._store.end_connections()
            case Kind.DISK:
                await self._store.fill_disk(strike.seconds)
            case Kind.ROLL:
                await self._roll()

    async def _freeze(self, one: Machine, seconds: float) -> None:
        one.freeze()
        await self._then(seconds, one.thaw)

    async def _then(self, seconds: float, undo: Callable[[], None]) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            undo()

    async def _roll(self) -> None:
        for one in self._nodes:
            if one.is_alive:
                await self._restart(one)

    async def _restart(self, one: Machine) -> None:
        was = one.life
        self.codes[await one.terminate()] += 1
        await eventually(lambda: one.life != was and one.owns, LONGEST_START, 0.1, f"{one.name} is back")


def _cable_of(strike: Strike) -> int:
    assert strike.cable is not None, f"{strike.kind} is for one"
    return strike.cable
