"""The coordinator on virtual time: it decides by the store alone, writes first and tells then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sharding.actors import AsyncActor, Engine
from sharding.allocation import RingAllocation
from sharding.coordinator import Coordinator
from sharding.notices import Deposed, From, PeerDead, PeerOpened, PictureSeen
from sharding.post import Unreachable
from sharding.protocol import EpochStale, HandedOff, HandOff, Homes, Leads, Leaving, MayLeave, Members, Register
from sharding.settings import ClusterSettings
from sharding.store.records import DOWN, Allocation, Deployment, Member, Seat
from tests.sharding.stores import FaultyClusterStore
from tests.sharding.virtually import until, virtually

LEASE = 6.0
SHARDS = 8
SETTINGS = ClusterSettings(lease=LEASE, hand_off=2.0, unreachable=3.0, moves_at_once=3)
ME = 1


class Witness(AsyncActor):
    """Stands in for the membership of the node that coordinates."""

    def __init__(self, said: list[Any]) -> None:
        super().__init__()
        self.said = said

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if isinstance(message, Deposed):
            self.said.append(message)


class Counted:
    """The ring, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def allocate(self, hosts: Mapping[str, float], owners: Sequence[str | None]) -> Sequence[str]:
        self.asked += 1
        return RingAllocation().allocate(hosts, owners)


class Town:
    """A store, its members, and a post to them. Members hand shards off when they are told to, unless `deaf`.

    Attributes:
        cut: members to whom no connection stands.
        full: members to whom the next so many messages do not fit, although the connection stands.
        told: what members were told, in order.
        taken: the epoch under which each shard was said to be each member's.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.loop = asyncio.get_running_loop()
        self.store = FaultyClusterStore()
        self.engine = Engine(self.loop)
        self.me = ME
        self.patient = patient
        self.strategy = Counted()
        self.alive: set[int] = set()
        self.deaf: set[int] = set()
        self.cut: set[int] = set()
        self.full: dict[int, int] = {}
        self.known: dict[int, Member] = {}
        self.told: list[tuple[int, Any]] = []
        self.deposed: list[Any] = []
        self.coordinator: Any = None
        self.witness = self.engine.create(lambda: Witness(self.deposed))
        self.at_homes: list[bool] = []
        self._renewing: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Town:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._renewing:
            task.cancel()
        await asyncio.gather(*self._renewing, return_exceptions=True)
        await self.engine.shutdown()

    async def join(self, node: str, weight: float = 1.0, *, hosts: bool = True) -> int:
        """A member that renews until it is killed, and hosts the type."""
        member = await self.store.join(Seat(node, "127.0.0.1", 4_000, weight), LEASE)
        if hosts:
            await self.store.deploy(Deployment("t", "k", SHARDS, self.patient), host=member.incarnation)
        self.alive.add(member.incarnation)
        self._renewing.append(self.loop.create_task(self._renew(member.incarnation)))
        return member.incarnation

    async def _renew(self, incarnation: int) -> None:
        while incarnation in self.alive:
            picture = await super(FaultyClusterStore, self.store).renew(incarnation, LEASE)
            if incarnation == self.me and self.coordinator is not None:
                self.engine.tell(self.coordinator, PictureSeen(picture))
            await asyncio.sleep(LEASE / 3)

    def kill(self, incarnation: int) -> None:
        """It renews no more and answers nothing."""
        self.alive.discard(incarnation)
        self.cut.add(incarnation)

    async def lead(self, term: int = 1) -> None:
        """Take the term and coordinate."""
        assert await self.store.take_term(self.me, term - 1, evidence=True) == term
        self.coordinator = self.engine.create(
            lambda: Coordinator(term, self.store, self, SETTINGS, lambda _: self.strategy, self.witness)
        )
        self.engine.tell(self.coordinator, "start")

    def say(self, incarnation: int, message: Any) -> None:
        """A member says something to the coordinator."""
        self.engine.tell(self.coordinator, From(incarnation, message))

    async def town(self, *nodes: str) -> None:
        """Members of these names, registered, of whom the first coordinates, with all shards granted."""
        for node in nodes:
            await self.join(node)
        await self.lead()
        for incarnation in sorted(self.alive):
            self.say(incarnation, Register(incarnation, "t"))
        await self.settled()

    async def settled(self, within: float = 30.0) -> float:
        """Wait until living members own all shards, evenly, and know that."""

        def is_settled() -> bool:
            owners = [owner for owner, _ in self.owned.values()]
            counts = [owners.count(one) for one in self.alive]
            return len(owners) == SHARDS and sum(counts) == SHARDS and min(counts) >= SHARDS // len(counts) - 1

        return await until(is_settled, within)

    @property
    def owned(self) -> dict[int, tuple[int, int]]:
        """Owner and epoch of each shard as in the store."""
        return {shard: (one.owner, one.epoch) for shard, one in self.store._allocations.get("t", {}).items()}

    def of(self, owner: int) -> list[int]:
        return [shard for shard, (one, _) in sorted(self.owned.items()) if one == owner]

    def heard(self, incarnation: int, kind: type) -> list[Any]:
        """What a member was told of that kind."""
        return [message for to, message in self.told if to == incarnation and isinstance(message, kind)]

    # --- `Post`

    def send(self, incarnation: int, message: Any) -> int:
        if incarnation in self.cut or incarnation not in self.known:
            raise Unreachable(f"{incarnation} is out of reach")
        if self.full.get(incarnation, 0):
            self.full[incarnation] -= 1
            raise Unreachable(f"{incarnation} takes no more")
        self.told.append((incarnation, message))
        if isinstance(message, Homes):
            written = self.owned
            self.at_homes += [written.get(shard) == (owner, epoch) for shard, owner, epoch in message.homes]
        if isinstance(message, HandOff) and incarnation not in self.deaf:
            for shard in message.shards:
                self.say(incarnation, HandedOff(message.name, shard, self.owned[shard][1]))
        return 0

    def to_coordinator(self, message: Any) -> None:
        raise AssertionError("it is the coordinator")

    def knows(self, incarnation: int) -> bool:
        return incarnation in self.known

    def learn(self, members: dict[int, Member]) -> None:
        self.known = {one: member for one, member in members.items() if member.state != DOWN}

    def is_open(self, incarnation: int) -> bool:
        return incarnation in self.known and incarnation not in self.cut


# --- granting


@virtually
async def test_all_shards_of_a_new_type_are_granted_written_and_only_then_told() -> None:
    async with Town() as town:
        await town.town("a", "b")
        assert {epoch for _, epoch in town.owned.values()} == {1}
        await until(lambda: all(town.heard(one, Homes) for one in (1, 2)))
        homes = {shard: (owner, epoch) for told in town.heard(2, Homes) for shard, owner, epoch in told.homes}
        assert homes == town.owned
        assert all(town.at_homes)
        assert any(told.all_told for told in town.heard(2, Homes))


@virtually
async def test_members_hear_who_is_there_before_they_hear_of_its_shards() -> None:
    async with Town() as town:
        await town.town("a")
        three = await town.join("c")
        town.say(three, Register(three, "t"))
        await town.settled()
        seen = False
        for to, message in town.told:
            if to == ME and isinstance(message, Members):
                seen = seen or any(one[1] == three for one in message.members)
            if to == ME and isinstance(message, Homes):
                assert seen or all(owner != three for _, owner, _ in message.homes)


@virtually
async def test_who_does_not_host_is_told_and_owns_nothing() -> None:
    async with Town() as town:
        await town.town("a")
        caller = await town.join("caller", hosts=False)
        town.say(caller, Register(caller, "t"))
        await until(lambda: any(told.all_told for told in town.heard(caller, Homes)))
        await asyncio.sleep(2.0)
        assert town.of(caller) == []


@virtually
async def test_moves_go_by_way_of_the_owner_a_few_at_a_time() -> None:
    async with Town() as town:
        await town.town("a")
        town.deaf.add(1)
        await town.join("b")
        town.say(2, Register(2, "t"))
        await until(lambda: town.heard(1, HandOff))
        await asyncio.sleep(1.0)
        ordered = [shard for order in town.heard(1, HandOff) for shard in order.shards]
        assert len(ordered) == SETTINGS.moves_at_once
        assert len(town.of(1)) == SHARDS
        for shard in ordered:
            town.say(1, HandedOff("t", shard, 1))
        await until(lambda: town.of(2) == sorted(ordered))
        assert {town.owned[shard][1] for shard in ordered} == {2}


@virtually
async def test_owners_that_do_not_answer_are_passed_over() -> None:
    async with Town() as town:
        await town.town("a", "b")
        town.deaf |= {1, 2}
        await town.join("c")
        town.say(3, Register(3, "t"))
        assert await until(lambda: town.of(3)) >= SETTINGS.hand_off
        await town.settled()
        assert {town.owned[shard][1] for shard in town.of(3)} == {2}


@virtually
async def test_a_stale_epoch_is_replaced_above_the_journal_s() -> None:
    async with Town() as town:
        await town.town("a", "b")
        shard = town.of(2)[0]
        town.say(2, EpochStale("t", shard, 1, 40))
        await until(lambda: town.owned[shard] == (2, 41))
        await until(lambda: (shard, 2, 41) in town.heard(2, Homes)[-1].homes)


@virtually
async def test_who_missed_news_is_corrected() -> None:
    async with Town() as town:
        await town.town("a", "b")
        shard = town.of(1)[0]
        before = len(town.heard(2, Homes))
        town.say(2, HandedOff("t", shard, 1))
        town.say(2, EpochStale("t", shard, 7, 9))
        await until(lambda: len(town.heard(2, Homes)) == before + 2)
        assert town.heard(2, Homes)[-1].homes == ((shard, 1, 1),)
        town.say(2, HandedOff("t", SHARDS + 5, 1))
        town.say(2, HandedOff("unknown", 0, 1))
        await asyncio.sleep(1.0)
        assert town.owned[shard] == (1, 1)


@virtually
async def test_a_coordinator_to_whom_nothing_happens_plans_nothing() -> None:
    async with Town() as town:
        await town.town("a", "b", "c")
        await asyncio.sleep(1.0)
        before = town.strategy.asked
        town.say(2, Register(2, "t"))
        await asyncio.sleep(3 * LEASE)
        assert town.strategy.asked == before
        town.cut.add(2)
        await until(lambda: not town.of(2))
        assert town.strategy.asked > before


# --- taking over, and ending


@virtually
async def test_a_successor_reads_the_store_and_moves_nothing() -> None:
    async with Town() as town:
        await town.town("a", "b", "c")
        before = town.owned
        town.engine.stop(town.coordinator)
        town.told.clear()
        town.me = 2
        await town.lead(2)
        await until(lambda: all(town.heard(one, Leads) == [Leads(2, 2)] for one in (1, 2, 3)))
        town.say(3, Register(3, "t"))
        await until(lambda: town.heard(3, Homes))
        assert {shard: (owner, epoch) for shard, owner, epoch in town.heard(3, Homes)[0].homes} == before
        await asyncio.sleep(2.0)
        assert town.owned == before
        assert not any(isinstance(message, HandOff) for _, message in town.told)


@virtually
async def test_a_coordinator_whose_term_is_over_ends_at_its_next_write() -> None:
    async with Town() as town:
        await town.town("a", "b")
        assert await town.store.take_term(2, 1, evidence=True) == 2
        before = town.owned
        town.say(2, EpochStale("t", town.of(2)[0], 1, 40))
        await until(lambda: town.deposed)
        calls = list(town.store.calls)
        await asyncio.sleep(3.0)
        assert town.deposed == [Deposed(1)]
        assert (town.owned, town.store.calls) == (before, calls)


@virtually
async def test_a_coordinator_that_sees_a_newer_term_ends() -> None:
    async with Town() as town:
        await town.town("a", "b")
        assert await town.store.take_term(2, 1, evidence=True) == 2
        await until(lambda: town.deposed == [Deposed(1)], within=LEASE)


@pytest.mark.parametrize("happened", [True, False])
def test_a_grant_whose_outcome_is_unknown_is_looked_up_and_told(happened: bool) -> None:
    @virtually
    async def whole() -> None:
        async with Town() as town:
            await town.join("a")
            town.store.lose("allocate", happened=happened)
            await town.lead()
            await town.settled()
            assert {epoch for _, epoch in town.owned.values()} == {1}
            await until(lambda: len(town.heard(1, Leads)) == 2)
            town.say(1, Register(1, "t"))
            await until(lambda: town.heard(1, Homes))
            assert {home[0] for home in town.heard(1, Homes)[-1].homes} == set(range(SHARDS))

    whole()


@virtually
async def test_a_store_that_is_away_is_asked_again() -> None:
    async with Town() as town:
        await town.join("a")
        await town.lead()
        town.store.away = True
        await asyncio.sleep(2.5)
        assert town.owned == {}
        town.store.away = False
        assert await town.settled() < 0.5
        assert not town.deposed


@virtually
async def test_allocations_that_somebody_else_wrote_are_read_again() -> None:
    async with Town() as town:
        await town.town("a", "b")
        shard = town.of(2)[0]
        await super(FaultyClusterStore, town.store).allocate(1, "t", [Allocation(shard, 2, 9)])
        town.say(2, EpochStale("t", shard, 1, 3))
        await until(lambda: len(town.heard(2, Leads)) == 2)
        town.say(2, EpochStale("t", shard, 9, 11))
        await until(lambda: town.owned[shard] == (2, 12))


# --- members that are gone


@virtually
async def test_the_shards_of_a_member_whose_lease_is_over_go_to_others() -> None:
    async with Town() as town:
        await town.town("a", "b", "c")
        town.kill(2)
        took = await town.settled()
        assert LEASE * 2 / 3 - SETTINGS.unreachable - SETTINGS.hand_off < took < LEASE + 1.0
        await until(lambda: 2 not in town.known)


@virtually
async def test_those_of_a_dead_process_at_once() -> None:
    async with Town() as town:
        await town.town("a", "b", "c")
        town.kill(2)
        town.engine.tell(town.coordinator, PeerDead(2))
        assert await town.settled() < 0.5
        assert not town.heard(2, HandOff)


@virtually
async def test_a_patient_type_waits_for_the_end_of_the_lease() -> None:
    async with Town(patient=True) as town:
        await town.town("a", "b", "c")
        town.kill(2)
        (left,) = [one.lease_left for one in (await town.store.looked()).members if one.incarnation == 2]
        town.engine.tell(town.coordinator, PeerDead(2))
        held = town.of(2)
        took = await until(lambda: not town.of(2))
        assert held
        assert left - 0.02 <= took < left + 1.0
        await town.settled()


@virtually
async def test_a_patient_type_passes_over_nobody_orders_again_and_keeps_no_other_type_waiting() -> None:
    async with Town(patient=True) as town:
        await town.town("a", "b")
        town.deaf |= {1, 2}
        await town.join("c")
        town.say(3, Register(3, "t"))
        await until(lambda: town.heard(1, HandOff) or town.heard(2, HandOff))
        await asyncio.sleep(4 * SETTINGS.hand_off)
        assert town.of(3) == []
        orders = [shard for one in (1, 2) for order in town.heard(one, HandOff) for shard in order.shards]
        assert len(orders) > len(set(orders)), "an order may have been lost"
        town.deaf.clear()
        await town.settled()


@virtually
async def test_shards_of_a_member_that_is_out_of_reach_are_moved_away_in_time() -> None:
    async with Town() as town:
        await town.town("a", "b", "c")
        town.cut.add(2)
        took = await until(lambda: not town.of(2))
        assert took >= SETTINGS.unreachable
        assert took < SETTINGS.unreachable + 3 * (SETTINGS.hand_off + 1.0)
        assert not town.deposed


@virtually
async def test_who_reaches_too_few_gives_the_term_up() -> None:
    async with Town() as town:
        await town.town("a", "b", "c")
        town.cut |= {2, 3}
        before = town.owned
        took = await until(lambda: town.deposed)
        assert town.deposed == [Deposed(1, isolated=True)]
        assert SETTINGS.unreachable <= took < SETTINGS.unreachable + 1.0
        assert town.owned == before


@virtually
async def test_of_two_nobody_is_isolated() -> None:
    async with Town() as town:
        await town.town("a", "b")
        town.cut.add(2)
        await until(lambda: not town.of(2))
        assert not town.deposed


@virtually
async def test_a_leaving_member_may_leave_when_all_its_shards_have_moved() -> None:
    async with Town() as town:
        await town.town("a", "b")
        await town.store.mark_leaving(2)
        town.say(2, Leaving(2))
        await until(lambda: town.heard(2, MayLeave))
        assert town.of(2) == []
        moved = [shard for order in town.heard(2, HandOff) for shard in order.shards]
        assert len(moved) == len(set(moved))


@virtually
async def test_the_last_one_may_leave_with_its_shards() -> None:
    async with Town() as town:
        await town.town("a")
        await town.store.mark_leaving(1)
        town.say(1, Leaving(1))
        await until(lambda: town.heard(1, MayLeave))
        assert len(town.of(1)) == SHARDS


@virtually
async def test_a_picture_from_before_a_member_joined_does_not_make_its_shards_homeless() -> None:
    async with Town() as town:
        await town.town("a")
        old = await town.store.looked()
        await town.join("b")
        town.say(2, Register(2, "t"))
        await town.settled()
        before = town.owned
        town.engine.tell(town.coordinator, PictureSeen(old))
        await asyncio.sleep(1.0)
        assert town.owned == before
        assert town.knows(2)


@virtually
async def test_a_picture_from_before_a_member_was_declared_down_does_not_bring_it_back() -> None:
    async with Town() as town:
        await town.town("a", "b")
        old = await town.store.looked()
        town.kill(2)
        town.engine.tell(town.coordinator, PeerDead(2))
        await town.settled()
        before = town.owned
        town.engine.tell(town.coordinator, PictureSeen(old))
        await asyncio.sleep(1.0)
        assert not town.knows(2)
        assert town.owned == before


# --- what does not arrive


@virtually
async def test_homes_that_did_not_fit_into_a_link_are_told_later() -> None:
    async with Town() as town:
        await town.town("a", "b")
        shard = town.of(2)[0]
        told = len(town.heard(2, Homes))
        town.full[2] = 3
        town.say(2, EpochStale("t", shard, 1, 40))
        await until(lambda: len(town.heard(2, Homes)) > told)
        assert (shard, 2, 41) in town.heard(2, Homes)[-1].homes
        await asyncio.sleep(2.0)
        assert len(town.heard(2, Homes)) == told + 1, "once is enough"


@virtually
async def test_who_is_reached_again_hears_who_leads_and_what_it_shall_hand_off() -> None:
    async with Town(patient=True) as town:
        await town.town("a", "b")
        town.deaf |= {1, 2}
        await town.join("c")
        town.cut |= {1, 2}
        await until(lambda: town.coordinator is not None and town.known.get(3) is not None)
        await asyncio.sleep(0.5)
        town.cut.clear()
        town.told.clear()
        for one in (1, 2):
            town.engine.tell(town.coordinator, PeerOpened(one))
        await until(lambda: town.heard(2, Leads) == [Leads(1, 1)] and bool(town.heard(2, Members)))
