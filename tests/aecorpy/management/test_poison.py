"""An event that cannot be handled, under each policy, over a cluster of two nodes; and what one can do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from aecorpy import ClusterNode, SetAside, Stop
from aecorpy.management import BeyondHead, DeploymentSeen, Management, NotNext
from journal.contract import Database
from journal.tagging import Tagging
from tests.aecorpy.management.conftest import Start
from tests.aecorpy.management.views import KEYS, SOON, Sums, World, bad_tag, distributed, fill, sums, until_seen
from tests.aecorpy.samples import Counter
from tests.waiting import eventually

TAGGING: Tagging = Counter.tagging
BAD = KEYS[0]
TAG = f"counter-{TAGGING.shard_of(BAD)}"


@pytest.fixture
async def nodes(start: Start) -> list[ClusterNode]:
    """Two nodes, and events of 1 of which one is poison, between two rounds."""
    nodes = [await start(), await start()]
    await fill(nodes[0])
    await nodes[0].refs(Counter)(BAD).add_noted(10, "poison")
    await fill(nodes[0])
    return nodes


@pytest.fixture
def world() -> World:
    """Where notes that say so are poison."""
    world = World()
    world.poison.add("poison")
    return world


def gone(management: Management) -> Callable[[], Awaitable[bool]]:
    """Whether there are no dead letters any more."""

    async def none() -> bool:
        return await management.letters("View") == []

    return none


def complete(without: int = 0) -> dict[str, int]:
    """What the view shows in the end."""
    return {**dict.fromkeys(KEYS, 2), BAD: 12 - without}


async def test_retrying_holds_one_tag_over_the_cluster_until_somebody_skips(
    nodes: list[ClusterNode], world: World, management: Management, database: Database
) -> None:
    view = await distributed(nodes, Sums(world, SOON))
    seen = await until_seen(management, lambda seen: seen.state == "failing" and seen.lag == bad_tag(seen).lag)
    tag = bad_tag(seen)
    assert (tag.tag, tag.error) == (TAG, "ValueError: cannot handle 'poison'")
    assert seen.running_processes == 4
    with pytest.raises(NotNext, match=f"'View' is at {tag.offset} on {TAG}, so {tag.offset + 1} is the only event"):
        await management.skip("View", TAG, tag.offset + 2, by="ann", why="too far")
    with pytest.raises(BeyondHead, match=f"there is no event 99 on {TAG}: its last is {tag.head}"):
        await management.skip("View", TAG, 99, by="ann", why="no such event")
    await management.skip("View", TAG, tag.offset + 1, by="ann", why="known bug")
    await view.caught_up(15)
    assert await sums(database) == complete(without=10)
    (letter,) = await management.letters("View")
    assert (letter.tag, letter.offset, letter.key, letter.by) == (TAG, tag.offset + 1, BAD, "ann")
    assert letter.error == "skipped: known bug (it had failed with ValueError: cannot handle 'poison')"
    assert letter.recorded_at is not None
    (action,) = await management.actions("View")
    assert (action.by, action.what, action.why) == ("ann", f"skip {TAG} {letter.offset}", "known bug")
    assert (await until_seen(management, lambda seen: seen.state == "running")).error is None


async def test_what_is_set_aside_can_be_handled_again_when_the_cause_is_gone(
    nodes: list[ClusterNode], world: World, management: Management, database: Database
) -> None:
    view = await distributed(nodes, Sums(world, SetAside(2, SOON)))
    await view.caught_up(15)
    assert await sums(database) == complete(without=10)
    (letter,) = await management.letters("View")
    assert (letter.key, letter.by, letter.error) == (BAD, None, "ValueError: cannot handle 'poison'")
    world.poison = {"poison", "fine"}
    assert await management.retry("View", by="ann", why="try") == 1

    async def failed_again() -> bool:
        (again,) = await management.letters("View", tag=TAG)
        return again.recorded_at != letter.recorded_at and not again.asked

    await eventually(failed_again)
    assert await sums(database) == complete(without=10)
    world.poison.clear()
    assert await management.retry("View", tag=TAG, offset=letter.offset, by="ann", why="fixed") == 1
    await eventually(gone(management))
    assert await sums(database) == complete()
    assert await management.retry("View", by="ann") == 0
    assert [action.what for action in await management.actions("View")] == [
        "retry 1 dead letter",
        f"retry {TAG} {letter.offset}",
    ]
    await fill(nodes[1])
    await view.caught_up(15)
    assert await sums(database) == {key: total + 1 for key, total in complete().items()}


def all_have_heard(seen: DeploymentSeen) -> bool:
    """Whether each process obeys the newest of what is wanted."""
    return all(one.said is not None and one.said.revision >= seen.control.revision for one in seen.processes)


async def test_stopping_pauses_all_processes_and_skipping_and_resuming_lets_them_go_on(
    nodes: list[ClusterNode], world: World, management: Management, database: Database
) -> None:
    view = await distributed(nodes, Sums(world, Stop()))
    seen = await until_seen(
        management, lambda seen: seen.state == "paused" and {one.state for one in seen.processes} == {"paused"}
    )
    assert seen.control.by == "its policy"
    assert "cannot handle 'poison'" in seen.control.why
    assert f"{TAG} offset" in seen.control.why
    tag = bad_tag(seen)
    assert tag.tag == TAG
    before = dict(world.seen)
    await management.skip("View", TAG, tag.offset + 1, by="ann", why="known bug")
    assert (await management.show("View")).control.by == "its policy", "it is still told who paused it"
    await fill(nodes[0])
    await until_seen(management, all_have_heard)
    assert dict(world.seen) == before, "nothing goes on before somebody says so"
    await management.resume("View", by="ann", why="skipped")
    await view.caught_up(15)
    assert await sums(database) == {key: total + 1 for key, total in complete(without=10).items()}
    assert [action.by for action in await management.actions("View")] == ["its policy", "ann", "ann"]
    assert [letter.by for letter in await management.letters("View")] == ["ann"]


async def test_a_stopped_projection_meets_the_event_again_when_it_is_only_resumed(
    nodes: list[ClusterNode], world: World, management: Management, database: Database
) -> None:
    view = await distributed(nodes, Sums(world, Stop()))
    await until_seen(management, lambda seen: seen.control.paused)
    await management.resume("View", by="ann", why="perhaps now")
    await until_seen(management, lambda seen: seen.control.paused and seen.control.by == "its policy")
    world.poison.clear()
    await management.resume("View", by="ann", why="fixed")
    await view.caught_up(15)
    assert await sums(database) == complete()
    assert await management.letters("View") == []


async def test_all_of_it_works_while_nothing_runs(
    nodes: list[ClusterNode], world: World, management: Management, database: Database
) -> None:
    view = await distributed(nodes, Sums(world, SOON))
    tag = bad_tag(await until_seen(management, bad_tag))
    for node in nodes:
        await node.stop()
    await management.skip("View", TAG, tag.offset + 1, by="ann", why="known bug")
    await management.retry("View", by="ann", why="at the next start")
    (letter,) = await management.letters("View")
    assert letter.asked
    world.poison.clear()
    await nodes[1].start()
    view = await distributed(nodes[1:], Sums(world, SOON))
    await view.caught_up(15)
    await eventually(gone(management))
    assert await sums(database) == complete()
