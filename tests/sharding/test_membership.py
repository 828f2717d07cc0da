"""A node's membership on virtual time: joining, the lease, who coordinates, leaving."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

import pytest

from sharding.actors import AsyncActor, Engine
from sharding.links import Listening, Network
from sharding.membership import Membership
from sharding.notices import Deposed, Leave, Left, News, PeerDead
from sharding.ports import Ports
from sharding.protocol import Leads, Members, Resigned
from sharding.store import NodeNameTaken
from sharding.store.records import DOWN, LEAVING, UP, Member, Picture, Seat
from tests.sharding.stores import FaultyClusterStore
from tests.sharding.virtually import until, virtually
from tests.simulation.loop import SimLoop

LEASE = 6.0


class Household:
    """Writes down what a membership tells."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.me = 0
        self.leads = 0
        self.members: dict[int, Member] = {}
        self.coordinator: tuple[int, int | None] = (0, None)
        self.error: BaseException | None = None

    def joined(self, member: Member) -> None:
        self.me = member.incarnation
        self.said.append(f"joined {self.me}")

    def outside(self) -> None:
        self.me = 0
        self.said.append("outside")

    def cannot_join(self, error: BaseException) -> None:
        self.error = error

    def members_changed(self, members: dict[int, Member]) -> None:
        self.members = members

    def saw(self, picture: Picture) -> None:
        pass

    def coordinator_changed(self, term: int, coordinator: int | None) -> None:
        self.coordinator = (term, coordinator)

    def term_taken(self, term: int) -> None:
        self.leads = term
        self.said.append(f"leads {term}")

    def term_lost(self) -> None:
        self.leads = 0
        self.said.append("leads no more")

    def leaving_said(self, resigned: int | None) -> None:
        self.said.append(f"leaving said, resigned {resigned}")


class NobodyListens(Network):
    """Refuses each connection, as machines do at whose ports nobody listens."""

    async def connect(self, *_: Any) -> asyncio.Transport:
        raise ConnectionRefusedError

    async def listen(self, *_: Any) -> Listening:
        raise AssertionError("nobody listens here")


class Node:
    """A membership with its household. `late` is by how much its clock has jumped."""

    def __init__(self, hall: Hall, name: str, weight: float, network: Network | None) -> None:
        self.home = Household()
        self.late = 0.0
        draws = hall.draws
        ports = Ports(clock=lambda: hall.loop.time() + self.late, draw=draws.random)
        seat = Seat(name, "127.0.0.1", 4_000, weight)
        self.membership = Membership(hall.store, seat, LEASE, ports, network, self.home)
        self.engine = Engine(hall.loop)
        self.address = self.engine.create(lambda: self.membership)
        self.engine.run_queue.guard = self.membership.guard
        self.tell("start")

    def tell(self, message: Any) -> None:
        self.engine.tell(self.address, message)

    async def die(self) -> None:
        """The process ends, and nobody hears of it."""
        self.engine.run_queue.guard = None
        await self.engine.shutdown()


class Hall:
    """A store and the nodes on it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        self.loop = loop
        self.draws = self.loop.random("draws")
        self.store = FaultyClusterStore()
        self.nodes: list[Node] = []

    async def __aenter__(self) -> Hall:
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes:
            await node.die()

    async def node(self, name: str = "a", weight: float = 1.0, network: Network | None = None) -> Node:
        """A node that has joined."""
        node = Node(self, name, weight, network)
        self.nodes.append(node)
        await until(lambda: node.home.me or node.home.error)
        return node

    async def pair(self) -> tuple[Node, Node]:
        """A coordinator, and another that knows it."""
        first = await self.node("a")
        await until(lambda: first.home.leads)
        second = await self.node("b")
        await until(lambda: second.home.coordinator == (1, 1) and len(first.home.members) == 2)
        return first, second

    async def states(self) -> dict[int, str]:
        return {member.incarnation: member.state for member in (await self.store.looked()).members}


# --- the lease


@virtually
async def test_a_member_keeps_its_lease_and_the_first_one_leads() -> None:
    async with Hall() as hall:
        first, second = await hall.pair()
        await asyncio.sleep(10 * LEASE)
        assert first.home.said == ["joined 1", "leads 1"]
        assert second.home.said == ["joined 2"]
        assert min(member.lease_left for member in (await hall.store.looked()).members) > LEASE / 2
        assert hall.store.calls.count("take_term") == 1


@virtually
async def test_a_name_that_is_taken_is_told_at_the_first_attempt() -> None:
    async with Hall() as hall:
        await hall.store.join(Seat("a", "127.0.0.1", 5_000), 60.0)
        node = await hall.node("a")
        assert isinstance(node.home.error, NodeNameTaken)
        await asyncio.sleep(LEASE)
        assert hall.store.calls.count("join") == 2, "one by the other, one by us: it is not tried again"


@virtually
async def test_a_node_that_cannot_renew_stops_before_its_lease_ends_and_joins_anew() -> None:
    async with Hall() as hall:
        first, second = await hall.pair()
        hall.store.away = True
        start = hall.loop.time()
        took = await until(lambda: "outside" in first.home.said or "outside" in second.home.said)
        which = 1 if "outside" in first.home.said else 2
        (left,) = [one.lease_left for one in (await hall.store.looked()).members if one.incarnation == which]
        assert left > LEASE / 4, "the rest is the margin for clocks that differ"
        assert took < LEASE * 2 / 3 + 0.1
        await until(lambda: "outside" in first.home.said and "outside" in second.home.said)
        await asyncio.sleep(start + 1.1 * LEASE - hall.loop.time())
        hall.store.away = False
        await until(lambda: first.home.me and second.home.me)
        assert {first.home.me, second.home.me} == {3, 4}
        await until(lambda: (first.home.leads or second.home.leads) == 2)


@virtually
async def test_it_joins_anew_without_waiting_for_its_own_former_lease() -> None:
    async with Hall() as hall:
        node = await hall.node()
        hall.store.away = True
        await until(lambda: node.home.said[-1] == "outside")
        hall.store.away = False
        assert await until(lambda: node.home.me == 2) < 2.0
        states = await hall.states()
        assert states == {1: DOWN, 2: UP}


@virtually
async def test_that_it_cannot_join_anew_is_said_once_and_not_with_each_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    caplog.clear()
    async with Hall() as hall:
        node = await hall.node()
        hall.store.away = True
        await until(lambda: node.home.said[-1] == "outside")
        attempts = hall.store.calls.count("join")
        await until(lambda: hall.store.calls.count("join") >= attempts + 5)
        assert [one.levelname for one in caplog.records if "cannot join anew yet" in one.getMessage()] == ["WARNING"]
        hall.store.away = False
        await until(lambda: node.home.me == 2)
        assert "has joined anew: incarnation 2" in caplog.text


@virtually
async def test_a_lost_answer_to_joining_does_not_lock_a_node_out() -> None:
    async with Hall() as hall:
        node = await hall.node()
        hall.store.away = True
        await until(lambda: node.home.said[-1] == "outside")
        hall.store.away = False
        hall.store.lose("join", happened=True)
        await until(lambda: node.home.me == 3)


@virtually
async def test_who_was_declared_down_stops_all_and_joins_anew() -> None:
    async with Hall() as hall:
        first, second = await hall.pair()
        await hall.store.declare_down(1, 2, evidence=True)
        await until(lambda: second.home.me == 3)
        assert second.home.said == ["joined 2", "outside", "joined 3"]
        await until(lambda: second.home.coordinator == (1, 1))
        assert first.home.said == ["joined 1", "leads 1"]


@virtually
async def test_who_was_replaced_under_its_name_does_not_replace_its_successor(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Hall() as hall:
        node = await hall.node("a", network=NobodyListens())
        assert (await hall.store.join(Seat("a", "127.0.0.1", 5_000), LEASE, replacing=1)).incarnation == 2
        await until(lambda: node.home.said[-1] == "outside")
        assert "do not reach it at 127.0.0.1:4000" in caplog.text
        for _ in range(5):
            await asyncio.sleep(LEASE / 2)
            await hall.store.renew(2, LEASE)
        assert node.home.me == 0
        assert "the name 'a' is taken by a member at 127.0.0.1:5000" in caplog.text
        await until(lambda: node.home.me == 3, within=2 * LEASE)  # that one renews no more


@virtually
async def test_a_coordinator_that_was_declared_down_leads_no_more() -> None:
    async with Hall() as hall:
        first, second = await hall.pair()
        await hall.store.declare_down(1, 1, evidence=True)
        await until(lambda: second.home.leads == 2 and first.home.me == 3)
        assert first.home.said[:4] == ["joined 1", "leads 1", "leads no more", "outside"]
        await until(lambda: first.home.coordinator == (2, 2))


@virtually
async def test_after_a_pause_nobody_takes_a_turn_before_all_is_stopped() -> None:
    async with Hall() as hall:
        node = await hall.node()
        said: list[list[str]] = []

        class Witness(AsyncActor):
            def receiveMessage(self, message: Any, sender: Any) -> None:
                if message == "turn":
                    said.append(list(node.home.said))

        witness = node.engine.create(Witness)
        node.engine.tell(witness, "turn")
        await until(lambda: said)
        node.late += LEASE
        node.engine.tell(witness, "turn")
        await until(lambda: len(said) == 2)
        assert "outside" not in said[0]
        assert "outside" in said[1]
        await until(lambda: node.home.me == 2)


@virtually
async def test_a_renewal_whose_answer_was_lost_or_refused_is_sent_again() -> None:
    async with Hall() as hall:
        node = await hall.node()
        for happened in (True, False, True):
            hall.store.lose("renew", happened=happened)
            await asyncio.sleep(LEASE)
        hall.store.on("renew", ValueError("a bug in the store"))
        await asyncio.sleep(LEASE)
        assert "outside" not in node.home.said


@virtually
async def test_checks_of_the_lease_do_not_pile_up_with_each_rejoining() -> None:
    async with Hall() as hall:
        node = await hall.node()
        for _ in range(6):
            me = node.home.me
            await hall.store.declare_down((await hall.store.looked()).term, me, evidence=True)
            await until(partial(lambda before: node.home.me > before, me))
        turns: list[float] = []
        check = node.membership._check

        def counted() -> None:
            turns.append(hall.loop.time())
            check()

        node.membership._check = counted  # type: ignore[method-assign]
        await asyncio.sleep(3 * LEASE)
        assert len(turns) < 20, "one chain of checks, each at the end of what was usable by then"


# --- who coordinates


@virtually
async def test_the_term_is_taken_when_the_holder_s_lease_is_over_not_before() -> None:
    async with Hall() as hall:
        first, second = await hall.pair()
        await first.die()
        (left,) = [one.lease_left for one in (await hall.store.looked()).members if one.incarnation == 1]
        took = await until(lambda: second.home.leads == 2)
        assert left <= took + 0.02
        assert took < left + LEASE / 3


@virtually
async def test_evidence_of_a_dead_holder_is_enough() -> None:
    async with Hall() as hall:
        first, second = await hall.pair()
        await first.die()
        second.tell(PeerDead(1))
        assert await until(lambda: second.home.leads == 2) < 0.5


@virtually
async def test_a_resigned_term_is_taken_at_once() -> None:
    async with Hall() as hall:
        first, second = await hall.pair()
        first.tell(Leave())
        await until(lambda: first.home.said[-1] == "leaving said, resigned 1")
        assert first.home.said[-2] == "leads no more"
        second.tell(News(Resigned(1)))
        assert await until(lambda: second.home.leads == 2) < 0.5
        assert (await hall.states())[1] == LEAVING


@virtually
async def test_of_many_exactly_one_takes_a_free_term() -> None:
    async with Hall() as hall:
        nodes = [await hall.node(name) for name in "abcde"]
        await nodes[0].die()
        for node in nodes[1:]:
            node.tell(PeerDead(1))
        await until(lambda: any(node.home.leads for node in nodes[1:]))
        await asyncio.sleep(LEASE)
        assert sum(node.home.leads > 0 for node in nodes[1:]) == 1
        assert len({node.home.coordinator for node in nodes[1:]}) == 1


@pytest.mark.parametrize("happened", [True, False])
def test_a_term_is_led_also_when_the_answer_was_lost(happened: bool) -> None:
    @virtually
    async def whole() -> None:
        async with Hall() as hall:
            hall.store.lose("take_term", happened=happened)
            node = await hall.node()
            await until(lambda: node.home.leads == 1)
            await asyncio.sleep(LEASE)
            assert node.home.said == ["joined 1", "leads 1"]

    whole()


@virtually
async def test_a_node_without_weight_does_not_coordinate() -> None:
    async with Hall() as hall:
        node = await hall.node(weight=0.0)
        node.tell(News(Resigned(0)))
        await asyncio.sleep(LEASE)
        assert "take_term" not in hall.store.calls
        assert node.home.leads == 0


@virtually
async def test_a_deposed_coordinator_asks_the_store_who_it_is_now() -> None:
    async with Hall() as hall:
        first, second = await hall.pair()
        assert await hall.store.take_term(2, 1, evidence=True) == 2
        first.tell(Deposed(1))
        first.tell(PeerDead(7))  # whatever else happens meanwhile, it does not lead the same term once more
        await until(lambda: first.home.coordinator == (2, 2))
        assert first.home.said.count("leads 1") == 1
        await until(lambda: second.home.leads == 2)


@virtually
async def test_an_isolated_coordinator_gives_the_term_up_and_leaves_it_to_others() -> None:
    async with Hall() as hall:
        first, second = await hall.pair()
        first.tell(Deposed(1, isolated=True))
        await until(lambda: second.home.leads == 2)
        await second.die()
        first.tell(PeerDead(2))
        await asyncio.sleep(LEASE)
        assert first.home.leads == 0, "for two leases it does not try"
        await until(lambda: first.home.leads == 3)


@virtually
async def test_news_of_an_old_term_is_old() -> None:
    async with Hall() as hall:
        _, second = await hall.pair()
        second.tell(News(Leads(5, 1)))
        await until(lambda: second.home.coordinator == (5, 1))
        second.tell(News(Leads(4, 2)))
        second.tell(News(Resigned(4)))
        second.tell(News(Members(4, ())))
        await asyncio.sleep(0.01)
        assert second.home.coordinator == (5, 1)
        assert len(second.home.members) == 2


@virtually
async def test_a_coordinator_tells_who_is_there_before_the_store_is_asked() -> None:
    async with Hall() as hall:
        _, second = await hall.pair()
        second.tell(News(Members(1, (("n", 9, "10.0.0.9", 4, 2.0, UP),))))
        await until(lambda: 9 in second.home.members, within=0.5)
        assert second.home.members[9].port == 4


# --- leaving


@virtually
async def test_who_lost_its_lease_while_leaving_does_not_come_back() -> None:
    async with Hall() as hall:
        first, second = await hall.pair()
        second.tell(Leave())
        await until(lambda: second.home.said[-1].startswith("leaving said"))
        await hall.store.declare_down(1, 2, evidence=True)
        await until(lambda: second.home.said[-1] == "outside")
        await asyncio.sleep(2 * LEASE)
        assert (second.home.me, first.home.leads) == (0, 1)


@virtually
async def test_who_leaves_while_it_is_outside_does_not_join_again() -> None:
    async with Hall() as hall:
        node = await hall.node()
        hall.store.away = True
        await until(lambda: node.home.said[-1] == "outside")
        node.tell(Leave())
        await until(lambda: node.home.said[-1] == "leaving said, resigned None")
        hall.store.away = False
        await asyncio.sleep(2 * LEASE)
        assert node.home.me == 0


@virtually
async def test_a_leaving_member_renews_takes_no_term_and_after_leaving_renews_no_more() -> None:
    async with Hall() as hall:
        first, second = await hall.pair()
        second.tell(Leave())
        await until(lambda: second.home.said[-1] == "leaving said, resigned None")
        await first.die()
        second.tell(PeerDead(1))
        await asyncio.sleep(2 * LEASE)
        assert second.home.said == ["joined 2", "leaving said, resigned None"]
        second.tell(Left())
        await asyncio.sleep(LEASE)
        renewals = hall.store.calls.count("renew")
        await asyncio.sleep(LEASE)
        assert hall.store.calls.count("renew") == renewals


@virtually
async def test_a_lone_coordinator_keeps_its_term_while_it_leaves() -> None:
    async with Hall() as hall:
        node = await hall.node()
        await until(lambda: node.home.leads)
        node.tell(Leave())
        await until(lambda: node.home.said[-1] == "leaving said, resigned None")
        assert node.home.leads == 1
