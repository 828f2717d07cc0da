"""Taking a seat in the store, also one whose former holder is dead."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sharding.joining import PROBE_SECONDS, nobody_listens, take_seat
from sharding.store import NodeNameTaken, StoreUnavailable
from sharding.store.records import Seat
from tests.sharding.stores import FaultyClusterStore
from tests.sharding.virtually import virtually

LEASE = 6.0


class Wire:
    """A connection that somebody accepted."""

    aborted = False

    def abort(self) -> None:
        self.aborted = True


class FakeNetwork:
    """Answers each attempt to connect as told: with an error, a connection, or never."""

    def __init__(self, answer: Exception | Wire | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, int]] = []

    async def connect(self, factory: Any, host: str, port: int, ssl: Any) -> Any:
        self.asked.append((host, port))
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def listen(self, *_: Any) -> Any:
        raise AssertionError("nobody listens here")


def seat(node: str = "a", port: int = 4_000) -> Seat:
    return Seat(node, "10.0.0.1", port)


@virtually
async def test_a_free_name_is_taken() -> None:
    store = FaultyClusterStore()
    network = FakeNetwork(Wire())
    member = await take_seat(store, seat(), LEASE, network)
    assert (member.node, member.incarnation, network.asked) == ("a", 1, [])


@virtually
async def test_a_name_whose_process_is_dead_is_taken_at_once() -> None:
    store = FaultyClusterStore()
    await take_seat(store, seat(), LEASE, None)
    network = FakeNetwork(ConnectionRefusedError())
    member = await take_seat(store, seat(port=5_000), LEASE, network)
    assert (member.incarnation, network.asked) == (2, [("10.0.0.1", 4_000)])


@pytest.mark.parametrize("answer", [Wire(), OSError("no route"), TimeoutError(), None])
def test_a_name_whose_process_may_live_is_not_taken(answer: Exception | Wire | None) -> None:
    @virtually
    async def whole() -> None:
        store = FaultyClusterStore()
        await take_seat(store, seat(), LEASE, None)
        loop = asyncio.get_running_loop()
        start = loop.time()
        with pytest.raises(NodeNameTaken):
            await take_seat(store, seat(port=5_000), LEASE, FakeNetwork(answer))
        assert loop.time() - start < PROBE_SECONDS + 0.1
        assert not isinstance(answer, Wire) or answer.aborted

    whole()


@virtually
async def test_our_own_address_is_ours_for_the_answer_may_have_been_lost() -> None:
    store = FaultyClusterStore()
    store.lose("join", happened=True)
    with pytest.raises(Exception, match="lost"):
        await take_seat(store, seat(), LEASE, FakeNetwork(Wire()))
    network = FakeNetwork(Wire())
    assert (await take_seat(store, seat(), LEASE, network)).incarnation == 2
    assert network.asked == []


@virtually
async def test_nodes_that_do_not_listen_are_not_told_apart_by_their_address() -> None:
    store = FaultyClusterStore()
    await take_seat(store, seat(port=0), LEASE, None)
    with pytest.raises(NodeNameTaken):
        await take_seat(store, seat(port=0), LEASE, None)
    assert (await take_seat(store, seat(port=0), LEASE, None, replacing=1)).incarnation == 2


@virtually
async def test_a_name_whose_lease_is_over_is_taken_without_asking_anybody() -> None:
    store = FaultyClusterStore()
    await take_seat(store, seat(), LEASE, None)
    await asyncio.sleep(LEASE)
    assert (await take_seat(store, seat(port=5_000), LEASE, None)).incarnation == 2


@virtually
async def test_a_store_that_is_away_is_told() -> None:
    store = FaultyClusterStore()
    store.away = True
    with pytest.raises(StoreUnavailable):
        await take_seat(store, seat(), LEASE, FakeNetwork(ConnectionRefusedError()))


@virtually
async def test_no_answer_is_no_evidence() -> None:
    assert await nobody_listens(FakeNetwork(ConnectionRefusedError()), "10.0.0.1", 1)
    assert not await nobody_listens(FakeNetwork(None), "10.0.0.1", 1)
