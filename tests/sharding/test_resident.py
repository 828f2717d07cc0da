"""The one entity that a shard calls up by itself, and keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.actors import AskFailed, Engine
from sharding.host import EpochRefused
from sharding.messages import Retire, ShardLost
from sharding.resident import BRIEF_SECONDS, LONGEST_PAUSE, SHORTEST_PAUSE, Resident
from sharding.shard import CallUp, Drain, Drained, Fence, Own
from tests.sharding.posts import ME
from tests.sharding.posts import Rig as RegionRig
from tests.sharding.shards import IDLE, Caller, Host, Refusal, cells, turns
from tests.sharding.virtually import until, virtually


class Rig:
    """A shard whose resident is `worker`."""

    def __init__(self, engine: Engine, host: Host) -> None:
        self.engine = engine
        self.host = host
        self.host.resident = "worker"
        self.caller = Caller(engine, host)

    async def take(self) -> None:
        """As a region does it."""
        await self.caller.ready()
        self.caller.tell(CallUp())
        await turns()

    def stop_worker(self) -> None:
        """The resident exits by itself."""
        (worker,) = [cell.address for cell in cells(self.engine) if getattr(cell.instance, "key", "") == "worker"]
        self.engine.stop(worker)

    async def until_appeared(self, times: int) -> float:
        """Wait until the resident was called up so often; returns how long that took."""
        return await until(lambda: len(self.host.appeared) == times)

    async def until_opened(self, times: int) -> float:
        """Wait until the shard was opened, or could not be, so often; returns how long that took."""
        return await until(lambda: len(self.host.opened) == times)

    def lose(self, epoch: int, current: int) -> None:
        """An append of the resident meets a newer epoch."""
        self.engine.tell(self.caller.shards[0], ShardLost(epoch, current, Refusal("lost")))


def with_rig(test: Callable[[Rig], Awaitable[None]]) -> Callable[[], None]:
    """Run a test on virtual time with a shard that nobody has told anything."""

    @virtually
    @wraps(test, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    async def run() -> None:
        engine = Engine(asyncio.get_running_loop())
        await test(Rig(engine, Host(IDLE)))
        assert (await engine.shutdown()).clean

    del run.__wrapped__  # type: ignore[attr-defined]  # pytest would ask for fixtures by its parameters
    return run


# --- calling up


@with_rig
async def test_that_a_resident_is_fenced_is_no_warning(rig: Rig) -> None:
    await rig.take()
    with pytest.MonkeyPatch.context() as patch:
        warnings: list[str] = []
        patch.setattr("sharding.shard._log.warning", lambda text, *_: warnings.append(text))
        rig.lose(1, 2)
        await turns()
    assert warnings == [], "its own log says so: whoever sets a process back fences it"


@with_rig
async def test_the_resident_lives_as_soon_as_its_shard_is_taken(rig: Rig) -> None:
    await rig.take()
    assert rig.host.opened == [(0, 1)]
    assert (rig.host.made, rig.host.appeared) == (["worker"], ["worker"])
    assert await rig.caller.ask("worker") == ("worker", 1), "it takes messages like any entity"
    assert await rig.caller.ask("other") == ("other", 1)
    assert rig.host.appeared == ["worker"], "only the resident is told that it lives"


@with_rig
async def test_the_resident_never_idles(rig: Rig) -> None:
    await rig.take()
    await rig.caller.ask("other")
    await asyncio.sleep(100 * IDLE)
    assert rig.host.asked_to_leave == ["other"]
    assert rig.host.made == ["worker", "other"]
    assert rig.host.population.live == 1


@with_rig
async def test_the_resident_makes_no_room_for_others(rig: Rig) -> None:
    rig.host.idle_seconds = 1_000.0
    rig.host.population.limit = 1
    await rig.take()
    for key in ("a", "b", "c"):
        assert await rig.caller.ask(key) == (key, 1)
    assert rig.host.left == ["a", "b"]


@with_rig
async def test_messages_that_come_during_the_opening_come_after_appear(rig: Rig) -> None:
    rig.host.gate.clear()
    await rig.take()
    (ask,) = await rig.caller.begin("worker")
    rig.host.gate.set()
    assert await ask == ("worker", 1)
    assert (rig.host.made, rig.host.appeared) == (["worker"], ["worker"])


@with_rig
async def test_a_host_without_a_resident_opens_nothing_by_itself(rig: Rig) -> None:
    rig.host.resident = None
    await rig.caller.ready()
    await asyncio.sleep(20)
    assert (rig.host.opened, rig.host.made) == ([], [])


# --- calling up again


@with_rig
async def test_a_resident_that_exits_is_called_up_again_at_once(rig: Rig) -> None:
    await rig.take()
    for _ in range(3):
        await asyncio.sleep(BRIEF_SECONDS)
        rig.stop_worker()
        await turns()
    assert rig.host.appeared == ["worker"] * 4


@with_rig
async def test_a_resident_that_exits_again_and_again_is_called_up_with_growing_pauses(rig: Rig) -> None:
    await rig.take()
    rig.stop_worker()
    await turns()
    pauses = []
    for calls in range(2, 12):
        assert len(rig.host.appeared) == calls
        rig.stop_worker()
        await turns()
        pauses.append(await rig.until_appeared(calls + 1))
    assert pauses[:4] == pytest.approx([0.3, 0.6, 1.2, 2.4], abs=0.05)
    assert pauses[4:] == pytest.approx([3.75] * 6, abs=0.05)
    await asyncio.sleep(BRIEF_SECONDS)
    rig.stop_worker()
    await turns()
    assert len(rig.host.appeared) == 13, "it lived for a second: the count begins anew"


@with_rig
async def test_the_exit_of_another_does_not_shorten_the_resident_s_pause(rig: Rig) -> None:
    await rig.take()
    rig.host.idle_seconds = 1_000.0
    await rig.caller.ask("other")
    for _ in range(2):
        rig.stop_worker()
        await turns()
    with pytest.raises(AskFailed):
        await rig.caller.ask("other", "exit")
    await turns()
    assert len(rig.host.appeared) == 2
    assert await rig.until_appeared(3) == pytest.approx(0.3, abs=0.05)


@with_rig
async def test_a_message_calls_a_resident_up_that_waits_for_the_end_of_its_pause(rig: Rig) -> None:
    await rig.take()
    for _ in range(2):
        rig.stop_worker()
        await turns()
    assert await rig.caller.ask("worker") == ("worker", 1)
    await asyncio.sleep(10)
    assert rig.host.appeared == ["worker"] * 3, "once"


# --- openings that fail


@with_rig
async def test_a_failed_opening_is_tried_again_with_growing_pauses(rig: Rig) -> None:
    rig.host.open_errors = [Refusal("the store is away") for _ in range(7)]
    await rig.take()
    times = [await rig.until_opened(count) for count in range(2, 9)]
    assert times == pytest.approx([0.3, 0.6, 1.2, 2.4, 3.75, 3.75, 3.75], abs=0.05)
    await turns()
    assert rig.host.appeared == ["worker"]


@with_rig
async def test_a_message_does_not_wait_for_the_pause_of_the_opening(rig: Rig) -> None:
    rig.host.open_errors = [Refusal("first"), Refusal("second"), Refusal("third")]
    await rig.take()
    assert str(await rig.caller.ask("other")) == "second"
    assert str(await rig.caller.ask("worker")) == "third"
    assert await rig.caller.ask("worker") == ("worker", 1)
    await asyncio.sleep(20)
    assert (len(rig.host.opened), rig.host.appeared) == (4, ["worker"])


# --- epochs


@with_rig
async def test_a_refused_epoch_is_told_and_a_newer_one_opens_at_once(rig: Rig) -> None:
    rig.host.open_errors = [EpochRefused("shard 0", 1, 8)]
    await rig.take()
    await asyncio.sleep(20)
    assert (rig.caller.said, rig.host.opened) == ([Fence(0, 1, 8)], [(0, 1)]), "nothing is tried under the old one"
    rig.caller.tell(Own(9))
    await turns()
    assert (rig.host.opened, rig.host.appeared) == ([(0, 1), (0, 9)], ["worker"])


@with_rig
async def test_a_resident_that_is_fenced_exits_and_lives_again_under_a_newer_epoch(rig: Rig) -> None:
    await rig.take()
    rig.lose(1, 5)
    await asyncio.sleep(20)
    assert (rig.host.left, rig.host.appeared) == (["worker"], ["worker"])
    rig.caller.tell(Own(6))
    await turns()
    assert rig.host.appeared == ["worker"] * 2
    assert rig.host.population.live == 1


@with_rig
async def test_a_newer_epoch_for_an_open_shard_replaces_the_resident(rig: Rig) -> None:
    await rig.take()
    rig.caller.tell(Own(2))
    await turns()
    assert rig.host.opened == [(0, 1), (0, 2)]
    assert (rig.host.left, rig.host.appeared) == (["worker"], ["worker"] * 2)


@with_rig
async def test_a_newer_epoch_ends_the_pause_of_an_opening(rig: Rig) -> None:
    rig.host.open_errors = [Refusal("the store is away")]
    await rig.take()
    rig.caller.tell(Own(2))
    await turns()
    await asyncio.sleep(20)
    assert (rig.host.opened, rig.host.appeared) == ([(0, 1), (0, 2)], ["worker"])


# --- draining


@with_rig
async def test_a_soft_drain_retires_the_resident_and_waits_until_it_has_exited(rig: Rig) -> None:
    await rig.take()
    rig.host.thinking.add("worker")
    rig.caller.tell(Drain(at_once=False))
    await asyncio.sleep(20)
    assert (rig.host.retired, rig.caller.said) == (["worker"], [])
    rig.stop_worker()
    assert await rig.caller.drained() == Drained(0, 1, [])
    assert (rig.host.appeared, rig.host.population.live) == (["worker"], 0)


@with_rig
async def test_a_drain_at_once_makes_the_resident_exit(rig: Rig) -> None:
    await rig.take()
    rig.host.thinking.add("worker")
    rig.caller.tell(Drain(at_once=True))
    assert await rig.caller.drained() == Drained(0, 1, [])
    assert (rig.host.retired, rig.host.left, rig.host.appeared) == ([], ["worker"], ["worker"])


@pytest.mark.parametrize("at_once", [True, False])
def test_a_drain_ends_a_pause(at_once: bool) -> None:
    @with_rig
    async def run(rig: Rig) -> None:
        await rig.take()
        for _ in range(2):
            rig.stop_worker()
            await turns()
        rig.caller.tell(Drain(at_once=at_once))
        assert await rig.caller.drained() == Drained(0, 1, [])
        await asyncio.sleep(20)
        assert rig.host.appeared == ["worker"] * 2

    run()


@pytest.mark.parametrize("fails", [True, False])
def test_a_drain_ends_an_opening(fails: bool) -> None:
    @with_rig
    async def run(rig: Rig) -> None:
        rig.host.gate.clear()
        rig.host.open_errors = [Refusal("the store is away")] if fails else []
        await rig.take()
        rig.caller.tell(Drain(at_once=False))
        assert await rig.caller.drained() == Drained(0, 1, [])
        rig.host.gate.set()
        await asyncio.sleep(20)
        assert rig.host.made == []

    run()


# --- the region


async def test_a_region_calls_the_residents_of_the_shards_up_that_it_takes(engine: Engine) -> None:
    rig = RegionRig(engine, shards=3)
    rig.host.resident = "worker"
    rig.host.retirement = Retire()
    await rig.homes((0, ME, 1), (1, 2, 1), (2, ME, 4))
    assert sorted(rig.log) == ["open 0 1", "open 2 4"]


# --- the pauses


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30))
def test_pauses_grow_between_their_bounds(draws: list[float]) -> None:
    left = list(draws)
    resident = Resident(lambda: left.pop(0))
    pauses = [resident.not_opened() for _ in draws]
    assert all(SHORTEST_PAUSE <= pause <= LONGEST_PAUSE for pause in pauses)
    least = [min(SHORTEST_PAUSE * 2**number, LONGEST_PAUSE / 2) for number in range(len(draws))]
    assert all(floor <= pause <= 2 * floor for floor, pause in zip(least, pauses, strict=True))
