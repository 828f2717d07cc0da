"""The play behind `python -m aecorpy.demo`: bookings flow while a node is killed, and another one is added."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random

from aecorpy import AecorError, JournalError
from aecorpy.cli.looking import ClusterSeen, look
from aecorpy.demo.booking import Booking, BookingPlaced, Seat
from aecorpy.demo.caller import LifeEnds
from aecorpy.demo.concert import Concert
from aecorpy.demo.ending import Ending
from aecorpy.demo.fleet import Fleet
from aecorpy.demo.ledger import Ledger
from aecorpy.demo.patience import Patience
from aecorpy.demo.processes import follow
from aecorpy.demo.stage import Stage
from aecorpy.demo.stopping import StopWish
from aecorpy.demo.tickets import Plan, Sender, client_node
from aecorpy.errors import told_as_ours
from aecorpy.management.look import DeploymentSeen, look_at_all
from journal.contract import Database
from sharding.store import ClusterStore

KILL_AT, ADD_AT = 0.3, 0.6  # of the time
READY_SECONDS = 30.0
ENDS_WITHIN = 30.0  # seconds after the last caller
LOOK_SECONDS = 0.25
LOOKS_FOR_PROCESSES = 3  # every so many
SEATS = (Seat("P", 1),)


@dataclass(slots=True)
class Outcome:
    """What came of a play.

    Args:
        ledger: what callers were told.
        failover_ms: milliseconds from the kill until each shard of the dead node had answered a command; None if it
            did not come to that.
        moved: how many shards changed owner because of the kill and of the added node.
        findings: what went wrong, as text.
    """

    ledger: Ledger
    failover_ms: int | None = None
    moved: int = 0
    findings: list[str] = field(default_factory=list)


class Sight:
    """The cluster as its store has it.

    Args:
        store: the cluster's.
        bookings: the type of the bookings there.
        database: the journal's, which knows of the processes.
        patience: for a store that is away.
    """

    def __init__(self, store: ClusterStore, bookings: str, database: Database, patience: Patience) -> None:
        self._store = store
        self._database = database
        self._bookings = bookings
        self._patience = patience

    async def cluster(self) -> ClusterSeen:
        """All there is to see."""
        return await self._patience.through(self.glance)

    async def glance(self) -> ClusterSeen:
        """The same, or `Unavailable`."""
        with told_as_ours():
            return await look(self._store)

    async def processes(self) -> list[DeploymentSeen]:
        """What goes on by itself, and where; or `Unavailable`."""
        return await look_at_all(self._database)

    async def owners(self) -> dict[int, str]:
        """Who has which shard of the bookings."""
        return await self._patience.through(self._owners)

    async def _owners(self) -> dict[int, str]:
        with told_as_ours():
            names = {member.incarnation: member.node for member in (await self._store.picture()).members}
            return {one.shard: names.get(one.owner, "") for one in await self._store.allocations(self._bookings)}


class Play:
    """One run.

    Args:
        plan: what is booked.
        seconds: how long.
        nodes: how many there are at the beginning.
        fate: chooses who is killed.
        fleet: the node processes.
        stage: where it is shown.
        stop: whether somebody asked to stop.
    """

    def __init__(
        self,
        plan: Plan,
        seconds: float,
        nodes: int,
        fate: Random,
        fleet: Fleet,
        stage: Stage,
        stop: StopWish,
    ) -> None:
        self._plan = plan
        self._seconds = seconds
        self._names = [f"node-{number}" for number in range(1, nodes + 2)]
        self._fate = fate
        self._fleet = fleet
        self._stage = stage
        self._stop = stop
        self._patience = Patience(stop, fate.random)
        self._clock = asyncio.get_running_loop().time
        self._outcome = Outcome(Ledger(plan.run))

    async def run(self) -> Outcome:
        """Play it. When somebody asks to stop it ends early, with what was under way finished.

        Raises:
            AecorError: the cluster does not come up, or a node dies that nobody killed.
            JournalError: the store is away for too long.
        """
        for name in self._names[:-1]:
            await self._fleet.start(name)
        async with client_node(self._plan.journal, "callers") as node:
            bookings, _ = await node.deploy(Booking), await node.deploy(Concert)
            sight = Sight(node.cluster.store, node.journal(Booking).name, node.database, self._patience)
            if not await self._all_placed(sight, self._names[:-1]):
                return self._outcome
            followed = await follow(node, hosts=False)
            sender = Sender(self._plan, node, bookings, self._stop)
            self._outcome.ledger = sender.ledger
            await sender.announce()
            self._stage.happened(f"{len(self._names) - 1} nodes are up; bookings flow")
            began = self._clock()
            showing = asyncio.ensure_future(self._show(sight, began))
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(sender.send(lambda _: None))
                    tasks.create_task(self._direct(sight, sender, began))
                await self._end(Ending(node.database, self._plan.run, self._plan.payments, followed))
            except* (AecorError, JournalError) as errors:
                raise errors.exceptions[0] from None
            finally:
                showing.cancel()
                await asyncio.wait([showing])
        return self._outcome

    async def _direct(self, sight: Sight, sender: Sender, began: float) -> None:
        try:
            if await self._until(began + KILL_AT * self._seconds):
                await self._kill_one(sight, sender)
            if await self._until(began + ADD_AT * self._seconds):
                await self._add_one(sight)
            await self._until(began + self._seconds)
        finally:
            sender.enough()

    async def _end(self, ending: Ending) -> None:
        """Wait until nothing goes on any more; that also when somebody asks to stop."""
        done = self._clock()
        missing = await ending.comes(ENDS_WITHIN)
        self._fleet.check()
        if missing:
            self._outcome.findings.append(f"{ENDS_WITHIN:g} s after the last caller: {missing}")
        else:
            self._stage.happened(
                f"every booking has come to its end {self._clock() - done:.1f} s after the last caller"
            )

    # --- a node dies

    async def _kill_one(self, sight: Sight, sender: Sender) -> None:
        seen = await sight.cluster()
        others = [name for name in self._names[:-1] if name != seen.coordinator]
        leads = self._fate.random() < 0.5 or not others
        victim = seen.coordinator if leads and seen.coordinator in self._names else self._fate.choice(others)
        assert victim is not None, "one of the others, if nobody coordinates"
        before = await sight.owners()
        orphans = [shard for shard, owner in before.items() if owner == victim]
        self._fleet.kill(victim)
        killed = self._clock()
        part = ", which coordinates," if victim == seen.coordinator else ""
        self._stage.happened(f"{victim}{part} is killed (SIGKILL) with {len(orphans)} shards")
        answered = await asyncio.gather(*(self._answers(sender, shard) for shard in orphans))
        if self._stop.is_set:
            return
        silent = [shard for shard, at in zip(orphans, answered, strict=True) if at is None]
        if silent:
            self._outcome.findings.append(f"shards that did not answer after {victim} was killed: {silent}")
        else:
            last = max((at for at in answered if at is not None), default=killed)
            self._outcome.failover_ms = round((last - killed) * 1000)
            self._stage.happened(f"all of its shards answer again after {self._outcome.failover_ms} ms")
        await self._count_moves(sight, before)

    async def _answers(self, sender: Sender, shard: int) -> float | None:
        """Place a booking in the shard; when that was answered, or None if it was not."""
        run = self._plan.run
        ids = (f"{run}-probe-{number}" for number in count())
        booking_id = next(one for one in ids if Booking.tagging.shard_of(one) == shard)
        client = f"{run}-client-probe"
        try:
            await sender.caller(booking_id, client).does(
                lambda booking: booking.place(client, "probe", SEATS), BookingPlaced(client, "probe", SEATS)
            )
        except LifeEnds:
            return None
        return self._clock()

    # --- a node comes

    async def _add_one(self, sight: Sight) -> None:
        name = self._names[-1]
        before = await sight.owners()
        self._stage.happened(f"{name} is started")
        await self._fleet.start(name)
        if await self._all_placed(sight, [name]):
            moved = await self._count_moves(sight, before)
            self._stage.happened(f"{name} is up, and has taken over {moved} shards")

    async def _count_moves(self, sight: Sight, before: Mapping[int, str]) -> int:
        after = await sight.owners()
        moved = sum(after.get(shard) != owner for shard, owner in before.items())
        self._outcome.moved += moved
        return moved

    # --- waiting and looking

    async def _until(self, time: float) -> bool:
        """Wait; whether to go on."""
        while (left := time - self._clock()) > 0 and not self._stop.is_set:
            self._fleet.check()
            await self._stop.within(min(left, LOOK_SECONDS))
        return not self._stop.is_set

    async def _all_placed(self, sight: Sight, names: list[str]) -> bool:
        """Wait until each of `names` has shards, and none is on its way; whether to go on."""
        return await self._comes(sight, lambda seen: is_settled(seen, names), f"{', '.join(names)} to have shards")

    async def _comes(self, sight: Sight, is_there: Callable[[ClusterSeen], bool], what: str) -> bool:
        end, times = self._clock() + READY_SECONDS, 0
        while not self._stop.is_set:
            self._fleet.check()
            times = times + 1 if is_there(await sight.cluster()) else 0
            if times == 2:
                return True
            if self._clock() > end:
                raise AecorError(f"waited {READY_SECONDS:g} s for {what}")
            await self._stop.within(LOOK_SECONDS / 2)
        return False

    async def _show(self, sight: Sight, began: float) -> None:
        """Show the cluster as long as this runs."""
        ledger, last, commands = self._outcome.ledger, self._clock(), 0
        processes: list[DeploymentSeen] = []
        for times in count():
            await asyncio.sleep(LOOK_SECONDS)
            try:
                seen = await sight.glance()
                if times % LOOKS_FOR_PROCESSES == 0:
                    processes = await sight.processes()
            except JournalError:
                continue  # the store is away: there is nothing to see
            now = self._clock()
            rate = (len(ledger.told) - commands) / (now - last)
            last, commands = now, len(ledger.told)
            self._stage.show(seen, processes, rate, min(1.0, (now - began) / self._seconds))


def is_settled(seen: ClusterSeen, names: list[str]) -> bool:
    """Whether each of the nodes owns shards, and all shards are where they belong."""
    types = [one for one in seen.types if one.shards]
    bookings = next((one for one in types if one.kind == "entity"), None)
    if bookings is None or any(one.without_owner or one.moving for one in types):
        return False
    return all(bookings.per_node.get(name, 0) > 0 for name in names)
