"""The simulated stores: delays, absence, lost answers, and what becomes of transactions of nodes that crash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from journal.contract import JournalStore
from journal.errors import Fenced, OutcomeUnknown, Unavailable
from journal.records import Column, DeadLetter, NewNote, OffsetMove, TableSpec
from sharding.store.errors import LeaseLost, StoreOutcomeUnknown, StoreUnavailable
from sharding.store.records import UP, Allocation, Deployment, Seat
from tests.conformance.samples import append, appending, log, places, written
from tests.faulty_store import lost_after, unavailable
from tests.simulation.server import STORE
from tests.simulation.world import Ports, World

SEEDS = range(8)
TABLE = TableSpec("seats", "id", (Column("id", "text", nullable=False), Column("taken", "integer")))


async def _ports(ports: Ports) -> Ports:
    """The node is its ports."""
    return ports


@pytest.fixture(params=SEEDS)
def play(request: pytest.FixtureRequest) -> Callable[[Callable[[World, Ports], Awaitable[None]]], None]:
    """Plays a scenario on node a, which has a journal `booking` with shard 0 claimed."""

    def run(scenario: Callable[[World, Ports], Awaitable[None]]) -> None:
        with World(request.param, ["a", "b"], _ports) as world:

            async def whole() -> None:
                await world.start()
                await world.on("a", scenario(world, world.running["a"]))  # type: ignore[arg-type]

            world.run(whole())

    return run


Play = Callable[[Callable[[World, Ports], Awaitable[None]]], None]


def test_operations_take_time_and_do_what_they_should(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        before = world.loop.now
        store = await ports.database.journal("booking", 4)
        await store.claim(0, 1)
        assert world.loop.now - before > 0.000_8
        await written(store, appending("b-1", 1), appending("b-1", 2))
        assert places(await log(store)) == [(1, "b-1", 1), (2, "b-1", 2)]
        with pytest.raises(Fenced):
            await store.claim(0, 1)
        assert isinstance((await append(store, appending("b-1", 3, epoch=0)))[0], Fenced)
        assert (await store.heads())[0].head == 2

    play(scenario)


def test_the_cluster_store_does_what_it_should(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        store = ports.cluster_store
        member = await store.join(Seat("a", ports.host, 1), 10.0)
        assert member.state == UP
        assert await store.take_term(member.incarnation, 0) == 1
        await store.deploy(Deployment("booking", "entity", 4), host=member.incarnation)
        await store.allocate(1, "booking", [Allocation(0, member.incarnation, 1)])
        assert await store.allocations("booking") == [Allocation(0, member.incarnation, 1)]
        assert [deployed.name for deployed in (await store.deployments())[0]] == ["booking"]
        before = world.loop.now
        left = (await store.renew(member.incarnation, 10.0)).members[0].lease_left
        assert left == 10.0  # as of the store's change; the answer took its time after that
        assert world.loop.now > before
        await store.mark_leaving(member.incarnation)
        assert not await store.declare_down(1, member.incarnation)
        await store.resign(1)
        await store.leave(member.incarnation)
        with pytest.raises(LeaseLost):
            await store.renew(member.incarnation, 10.0)
        assert (await store.picture()).coordinator is None
        await store.close()
        assert (await store.picture()).term == 1

    play(scenario)


def test_a_store_that_is_away_does_nothing(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        store = await ports.database.journal("booking", 4)
        world.store_away(1)
        with pytest.raises(Unavailable, match="away"):
            await store.claim(0, 1)
        with pytest.raises(StoreUnavailable):
            await ports.cluster_store.join(Seat("a", ports.host, 1), 10.0)
        world.store_away(0)
        assert (await store.heads())[0].epoch == 0
        assert (await ports.cluster_store.picture()).members == ()

    play(scenario)


def test_a_store_that_goes_away_leaves_outcomes_unknown(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        store = await ports.database.journal("booking", 4)
        world.store_slow(1_000)
        claim, heads = asyncio.create_task(store.claim(0, 1)), asyncio.create_task(store.heads())
        await asyncio.sleep(0.05)
        world.store_away(1)
        assert isinstance((await asyncio.wait([claim]))[0].pop().exception(), OutcomeUnknown)
        with pytest.raises(Unavailable):
            await heads

    play(scenario)


@pytest.mark.parametrize(("happens", "fault"), [(False, "store_loses_before"), (True, "store_loses_after")])
def test_a_change_whose_answer_is_lost_may_have_happened(play: Play, happens: bool, fault: str) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        store = await ports.database.journal("booking", 4)
        getattr(world, fault)(1.0)
        with pytest.raises(OutcomeUnknown):
            await store.claim(0, 1)
        with pytest.raises(StoreOutcomeUnknown):
            await ports.cluster_store.join(Seat("a", ports.host, 1), 10.0)
        assert (await store.heads())[0].epoch == int(happens)  # reading loses nothing
        assert len((await ports.cluster_store.picture()).members) == int(happens)
        world.server.heal()
        await store.claim(1, 1)

    play(scenario)


def test_a_store_may_refuse(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        store = await ports.database.journal("booking", 4)
        world.store_refuses(1.0)
        with pytest.raises(Unavailable):
            await store.claim(0, 1)

    play(scenario)


def test_a_store_that_is_cut_off_is_waited_for_so_long(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        store = await ports.database.journal("booking", 4)
        world.part("a", STORE)
        before = world.loop.time()
        with pytest.raises(OutcomeUnknown):
            await store.claim(0, 1)
        assert world.loop.time() - before == pytest.approx(5, abs=0.01)
        with pytest.raises(Unavailable):
            await store.heads()
        assert await world.loop.call("b", world.running["b"].database.journal("booking", 4))

    play(scenario)


def test_answers_cut_off_on_their_way_back_leave_what_happened(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        store = await ports.database.journal("booking", 4)
        world.cut(STORE, "a")
        with pytest.raises(OutcomeUnknown):
            await store.claim(0, 1)
        world.join(STORE, "a")
        assert (await store.heads())[0].epoch == 1

    play(scenario)


def test_a_request_that_was_given_up_may_come_late() -> None:
    async def scenario(world: World, ports: Ports) -> int:
        store = await ports.database.journal("booking", 4)
        world.cut("a", STORE)
        with pytest.raises(OutcomeUnknown):
            await store.claim(0, 1)
        await asyncio.sleep(60)
        world.join("a", STORE)
        await asyncio.sleep(1)
        return (await store.heads())[0].epoch

    def epoch(seed: int) -> int:
        with World(seed, ["a"], _ports) as world:

            async def whole() -> int:
                await world.start()
                return await world.on("a", scenario(world, world.running["a"]))

            return world.run(whole())

    assert {epoch(seed) for seed in range(12)} == {0, 1}


def test_what_a_crashed_node_has_sent_happens_all_the_same(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        store = await ports.database.journal("booking", 4)
        world.loop.start("b", (await _journal_of(world, "b")).claim(0, 7))
        await asyncio.sleep(0.000_01)
        world.crash("b")
        await asyncio.sleep(5)
        assert (await store.heads())[0].epoch == 7

    play(scenario)


async def _journal_of(world: World, name: str) -> JournalStore:
    ports: Ports = world.running[name]
    return await world.loop.call(name, ports.database.journal("booking", 4))


def test_a_transaction_commits_its_rows_with_its_offsets(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        database = ports.database
        await database.create_table(TABLE)
        await database.offsets.claim("view", ["booking-0"], 1)
        async with database.transaction() as transaction:
            await transaction.put_rows(TABLE, [("a1", 1), ("a2", 0)])
            assert await transaction.get_rows(TABLE, ["a1", "b1"]) == {"a1": ("a1", 1)}
            await transaction.delete_rows(TABLE, ["a2"])
            await transaction.move_offsets("view", [OffsetMove("booking-0", 0, 3)], 1)
        assert [row async for row in database.scan(TABLE)] == [("a1", 1)]
        assert (await database.offsets.read("view"))["booking-0"].offset == 3
        assert await database.dead_letters.list("view") == []

    play(scenario)


def test_notes_are_kept_at_the_server(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        notes, before = ports.database.notes, world.loop.now
        await notes.put([NewNote("control", "view", b"paused")])
        assert world.loop.now > before
        async with ports.database.transaction() as transaction:
            note = await transaction.get_note("control", "view")
            assert note is not None
            await transaction.put_note(NewNote("control", "view", note.payload + b" again"))
            await transaction.delete_note("control", "other")
        assert [(note.payload, note.revision) for note in await notes.read(["control"])] == [(b"paused again", 2)]
        world.store_loses_after(1.0)
        with pytest.raises(OutcomeUnknown):
            await notes.delete("control", ["view"])
        assert await notes.read(["control"]) == []
        world.store_away(1)
        with pytest.raises(Unavailable):
            await notes.read(["control"])

    play(scenario)


def test_a_transaction_that_fails_leaves_nothing_and_lets_others_go_on(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        database = ports.database
        await database.create_table(TABLE)

        async def fails() -> None:
            async with database.transaction() as transaction:
                await transaction.put_rows(TABLE, [("a1", 1)])
                raise ValueError("a bug")

        with pytest.raises(ValueError, match="a bug"):
            await fails()
        async with asyncio.timeout(2), database.transaction() as transaction:
            await transaction.put_rows(TABLE, [("b1", 1)])
        assert [row async for row in database.scan(TABLE)] == [("b1", 1)]

    play(scenario)


@pytest.mark.parametrize("wait", [0.0005, 0.001, 0.002, 0.003, 0.005])
def test_a_transaction_of_a_node_that_crashes_is_rolled_back(play: Play, wait: float) -> None:
    async def transacts(ports: Ports) -> None:
        async with ports.database.transaction() as transaction:
            await transaction.put_rows(TABLE, [("a1", 1)])
            await asyncio.sleep(1_000)

    async def scenario(world: World, ports: Ports) -> None:
        await ports.database.create_table(TABLE)
        world.loop.start("b", transacts(world.running["b"]))
        await asyncio.sleep(wait)
        world.crash("b")
        await asyncio.sleep(1)
        async with asyncio.timeout(2), ports.database.transaction() as transaction:
            await transaction.put_rows(TABLE, [("b1", 1)])
        assert [row async for row in ports.database.scan(TABLE)] == [("b1", 1)]

    play(scenario)


def test_a_commit_may_be_lost_before_or_after_it_happened(play: Play) -> None:
    async def commits(world: World, ports: Ports, key: str) -> None:
        async with ports.database.transaction() as transaction:
            await transaction.put_rows(TABLE, [(key, 1)])
            world.store_loses_before(float(key == "before"))
            world.store_loses_after(float(key == "after"))

    async def scenario(world: World, ports: Ports) -> None:
        await ports.database.create_table(TABLE)
        for key in ("before", "after"):
            with pytest.raises(OutcomeUnknown):
                await commits(world, ports, key)
            world.server.heal()
        await asyncio.sleep(1)
        assert [row async for row in ports.database.scan(TABLE)] == [("after", 1)]

    play(scenario)


def test_offsets_letters_and_tables_are_managed_over_the_network(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        database = ports.database
        began = await database.now()
        await database.create_table(TABLE)
        await database.offsets.claim("view", ["booking-0"], 1)
        async with database.transaction() as transaction:
            await transaction.rename_table("seats", "seats_before")
            assert (await transaction.read_offsets("view"))["booking-0"].offset == 0
            await transaction.place_offsets("view", {"booking-0": 3})
            await transaction.set_aside(DeadLetter("view", "booking-0", 3, "b-1", 3, "Placed", "bad", by="Ada"))
        assert await database.tables_exist(["seats", "seats_before"]) == {"seats_before"}
        with pytest.raises(Fenced):
            await database.offsets.commit("view", [OffsetMove("booking-0", 3, 4)], 1)
        assert await database.dead_letters.ask_again("view", "booking-0", 3)
        assert [letter.by for letter in await database.dead_letters.asked("view", ["booking-0"])] == ["Ada"]
        async with database.transaction() as transaction:
            assert await transaction.settle_letter("view", "booking-0", 3)
            await transaction.forget_offsets("view")
            await transaction.drop_table("seats_before")
        assert await database.tables_exist(["seats", "seats_before"]) == set()
        assert await database.offsets.read("view") == {}
        assert await database.dead_letters.list("view") == []
        assert await database.now() > began

    play(scenario)


def test_management_fails_while_the_store_is_away_and_may_be_unknown_when_an_answer_is_lost(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        database = ports.database
        async with database.transaction() as transaction:
            await transaction.set_aside(DeadLetter("view", "booking-0", 3, "b-1", 3, "Placed", "bad"))
        world.store_loses_after(1.0)
        with pytest.raises(OutcomeUnknown):
            await database.dead_letters.ask_again("view", "booking-0", 3)
        world.server.heal()
        await asyncio.sleep(1)
        assert len(await database.dead_letters.asked("view", ["booking-0"])) == 1
        for operation in ("now", "letters_list", "letters_asked", "letters_ask_again", "tables_exist"):
            database.on(operation, unavailable())
        letters = database.dead_letters
        for call in (
            database.now(),
            letters.list("view"),
            letters.asked("view", ["booking-0"]),
            letters.ask_again("view", "booking-0", 3),
            database.tables_exist(["seats"]),
        ):
            with pytest.raises(Unavailable):
                await call

    play(scenario)


def test_faults_can_be_scripted_as_with_other_databases(play: Play) -> None:
    async def scenario(world: World, ports: Ports) -> None:
        store = await ports.database.journal("booking", 4)
        await store.claim(0, 1)
        ports.database.on("append", lost_after())
        with pytest.raises(OutcomeUnknown):
            await append(store, appending("b-1", 1))
        assert places(await log(store)) == [(1, "b-1", 1)]

    play(scenario)
