"""What can be asked without any node: on a database that somebody else's program has filled."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from aecorpy.errors import Unavailable
from aecorpy.management import (
    BeyondHead,
    InvalidPlace,
    Management,
    ManagementRefused,
    NoSuchDeployment,
    NoSuchLetter,
    NoSuchProcess,
    NoSuchTag,
    NotAProjection,
    NotIdempotent,
    NotNext,
    NotThatFar,
    StillRunning,
)
from aecorpy.processing.actions import MOST_ACTIONS
from aecorpy.processing.states import ProcessState, Registration
from journal.contract import Database
from journal.database import open_database
from journal.records import Append, NewEvent, OffsetMove

SHARDS, EVENTS = 3, 5


@pytest.fixture
def url(store_url: str) -> str:
    """Here one program is enough, so a memory is, too."""
    return store_url


@pytest.fixture
async def database(database: Database) -> Database:
    """A projection that is at 3 of 5 on shop-0, at 5 on shop-1, and has never been on shop-2; and some jobs."""
    names = tuple(f"shop-{shard}" for shard in range(SHARDS))
    view = Registration("View", "projection", names, "shop", SHARDS, ("view",), idempotent=True)
    once = Registration("Once", "projection", names, "shop", SHARDS)
    jobs = Registration("Jobs", "process", ("first", "second"))
    await database.notes.put([one.note() for one in (view, once, jobs)])
    store = await database.journal("shop", SHARDS)
    for shard in range(SHARDS):
        await store.claim(shard, 1)
        events = [NewEvent("Sold", 1, b"\x01")] * EVENTS
        await store.append([Append(shard, 1, f"shop {shard}", 1, events)])
    await database.offsets.claim("View", names[:2], 4)
    await database.offsets.commit("View", [OffsetMove("shop-0", 0, 3), OffsetMove("shop-1", 0, 5)], 4)
    return database


@pytest.fixture
def management(database: Database) -> Management:
    """What can be asked of it."""
    return Management(database)


async def offsets(database: Database) -> dict[str, tuple[int, int]]:
    """Offset and epoch of the view, by tag."""
    return {tag: (row.offset, row.epoch) for tag, row in (await database.offsets.read("View")).items()}


async def test_all_are_listed_with_how_far_they_are(management: Management) -> None:
    jobs, once, view = await management.deployments()
    assert [one.name for one in (jobs, once, view)] == ["Jobs", "Once", "View"]
    assert (view.handled, view.head, view.lag, view.state) == (8, 15, 7, "stopped")
    assert (once.handled, once.lag) == (0, 15)
    assert (jobs.handled, jobs.lag, jobs.tags) == (0, 0, ())
    assert [(tag.tag, tag.offset, tag.head, tag.lag) for tag in view.tags] == [
        ("shop-0", 3, 5, 2),
        ("shop-1", 5, 5, 0),
        ("shop-2", 0, 5, 5),
    ]


async def test_an_unknown_name_is_refused_and_the_known_ones_are_told(management: Management) -> None:
    nobody = "Nobody"
    for wish in (
        management.show(nobody),
        management.actions(nobody),
        management.pause(nobody, by="ann"),
        management.resume(nobody, by="ann"),
        management.skip(nobody, "shop-0", 1, by="ann", why=""),
        management.letters(nobody),
        management.retry(nobody, by="ann"),
        management.replay(nobody, 1, by="ann"),
    ):
        with pytest.raises(NoSuchDeployment, match="nothing is called 'Nobody' here: there are Jobs, Once, View"):
            await wish


async def test_an_empty_database_has_nothing_to_manage() -> None:
    management = Management(await open_database("memory:"))
    assert await management.deployments() == []
    with pytest.raises(NoSuchDeployment, match="no program has started any"):
        await management.show("View")


async def test_unknown_processes_and_tags_are_refused(management: Management) -> None:
    with pytest.raises(NoSuchProcess, match="'Jobs' has no process 2: its processes are 0 to 1"):
        await management.pause("Jobs", by="ann", process=2)
    for tag in ("shop-3", "shop-00", "shop", "booking-0", "shop-²", ""):
        for wish in (
            management.skip("View", tag, 4, by="ann", why=""),
            management.letters("View", tag=tag),
            management.retry("View", tag=tag, by="ann"),
            management.replay("View", 1, tag=tag, by="ann"),
        ):
            with pytest.raises(NoSuchTag, match=f"'View' has no tag {tag!r}: its tags are shop-0 to shop-2"):
                await wish


async def test_what_follows_no_journal_can_only_be_paused(management: Management) -> None:
    for wish in (
        management.skip("Jobs", "shop-0", 1, by="ann", why=""),
        management.letters("Jobs"),
        management.retry("Jobs", by="ann"),
        management.replay("Jobs", 1, by="ann"),
    ):
        with pytest.raises(NotAProjection, match="'Jobs' is a process and follows no journal"):
            await wish
    await management.pause("Jobs", by="ann", process=1)
    jobs = await management.show("Jobs")
    assert [one.control.paused for one in jobs.processes] == [False, True]


async def test_a_pause_tells_who_and_why_until_it_is_over(management: Management) -> None:
    await management.pause("View", by="ann", why="maintenance", wait=0.1)
    view = await management.show("View")
    assert (view.state, view.control.by, view.control.why) == ("paused", "ann", "maintenance")
    await management.resume("View", by="bob", why="done")
    assert (await management.show("View")).state == "stopped"
    await management.pause("View", by="bob", process=2)
    told = [(action.by, action.what, action.why) for action in await management.actions("View")]
    assert told == [("ann", "pause", "maintenance"), ("bob", "resume", "done"), ("bob", "pause process 2", "")]


async def test_waiting_for_a_pause_ends_when_it_does_not_come(management: Management, database: Database) -> None:
    state = ProcessState("View", 1, "shop-1", "node-1", 1, 4, "running")
    await database.notes.put([state.note()])
    with pytest.raises(StillRunning, match=r"'View' is to pause, but 0\.2 s later has not: process 1 is running") as e:
        await management.pause("View", by="ann", wait=0.2)
    assert isinstance(e.value, Unavailable)
    assert (await management.show("View")).control.paused, "the wish holds"
    await management.pause("View", by="ann", process=0, wait=0.2)


async def test_skipping_moves_the_offset_over_the_event_under_the_stored_epoch(
    management: Management, database: Database
) -> None:
    letter = await management.skip("View", "shop-0", 4, by="ann", why="a test sale")
    assert (letter.key, letter.seq_nr, letter.type_name, letter.by) == ("shop 0", 4, "Sold", "ann")
    assert letter.error == "skipped: a test sale"
    assert [(one.offset, one.by) for one in await management.letters("View")] == [(4, "ann")]
    assert await offsets(database) == {"shop-0": (4, 4), "shop-1": (5, 4)}
    await management.skip("View", "shop-2", 1, by="ann", why="nothing ever ran there")
    assert (await offsets(database))["shop-2"] == (1, 1)
    seen = await management.show("View")
    assert seen.control.anew == 2


@pytest.mark.parametrize("offset", [1, 3, 5])
async def test_only_the_next_event_can_be_skipped(management: Management, database: Database, offset: int) -> None:
    before = await offsets(database)
    with pytest.raises(
        NotNext, match=f"is at 3 on shop-0, so 4 is the only event that can be skipped there, not {offset}"
    ):
        await management.skip("View", "shop-0", offset, by="ann", why="")
    with pytest.raises(BeyondHead, match="there is no event 6 on shop-1: its last is 5"):
        await management.skip("View", "shop-1", 6, by="ann", why="")
    assert await offsets(database) == before
    assert await management.letters("View") == []
    assert await management.actions("View") == []


@pytest.mark.parametrize("tag", ["shop-0", "shop-2"])
async def test_what_is_no_offset_cannot_be_skipped(management: Management, tag: str) -> None:
    for offset in (0, -1):
        with pytest.raises(InvalidPlace, match=f"offsets begin at 1, not at {offset}"):
            await management.skip("View", tag, offset, by="ann", why="")


async def test_of_two_who_skip_one_event_one_is_told_that_it_is_done(management: Management) -> None:
    skips = [management.skip("View", "shop-0", 4, by=by, why="") for by in ("ann", "bob")]
    done = await asyncio.gather(*skips, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["DeadLetter", "NotNext"]
    assert len(await management.letters("View")) == 1
    assert len(await management.actions("View")) == 1


async def test_letters_by_tag_and_asking_for_them(management: Management, database: Database) -> None:
    for tag, offset in (("shop-0", 4), ("shop-0", 5), ("shop-2", 1)):
        await management.skip("View", tag, offset, by="ann", why="")
    assert [letter.offset for letter in await management.letters("View", tag="shop-0")] == [4, 5]
    assert len(await management.letters("View", limit=2)) == 2
    with pytest.raises(NoSuchLetter, match="'View' has no dead letter of shop-0 offset 3"):
        await management.retry("View", tag="shop-0", offset=3, by="ann")
    with pytest.raises(InvalidPlace, match="on which tag"):
        await management.retry("View", offset=4, by="ann")
    assert await management.retry("View", tag="shop-0", offset=5, by="ann") == 1
    assert [letter.asked for letter in await management.letters("View")] == [False, True, False]
    assert await management.retry("View", by="ann") == 3
    assert await management.retry("Once", by="ann") == 0


async def test_a_replay_goes_back_and_never_forward(management: Management, database: Database) -> None:
    assert await management.replay("View", 5, by="ann") == [("shop-1", 5, 4)]
    assert await offsets(database) == {"shop-0": (3, 4), "shop-1": (4, 5)}
    assert await management.replay("View", 5, tag="shop-1", by="ann") == [], "it is just there"
    with pytest.raises(NotThatFar, match="'View' is at 3 on shop-0, so it cannot handle 5 and the following again"):
        await management.replay("View", 5, tag="shop-0", by="ann")
    with pytest.raises(BeyondHead, match="there is no event 6 on shop-2: its last is 5"):
        await management.replay("View", 6, by="ann")
    with pytest.raises(InvalidPlace, match="offsets begin at 1, not at 0"):
        await management.replay("View", 0, by="ann")
    assert await management.replay("View", 1, by="ann") == [("shop-0", 3, 0), ("shop-1", 4, 0)]
    assert await offsets(database) == {"shop-0": (0, 5), "shop-1": (0, 6)}


async def test_a_replay_from_a_time_needs_a_zone_and_takes_any(management: Management, database: Database) -> None:
    with pytest.raises(InvalidPlace, match="2026-01-01T00:00:00 has no zone"):
        await management.replay("View", datetime(2026, 1, 1), by="ann")
    assert await management.replay("View", datetime.now(UTC) + timedelta(days=1), by="ann") == []
    long_ago = datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=-9)))
    assert len(await management.replay("View", long_ago, by="ann")) == 2


async def test_a_replay_drops_the_letters_of_what_comes_again(management: Management, database: Database) -> None:
    for offset in (4, 5):
        await management.skip("View", "shop-0", offset, by="ann", why="")
    await management.replay("View", 5, tag="shop-0", by="ann")
    assert [letter.offset for letter in await management.letters("View")] == [4]


async def test_what_counts_twice_is_refused_unless_forced(management: Management) -> None:
    await management.skip("Once", "shop-0", 1, by="ann", why="")
    with pytest.raises(NotIdempotent, match="aecorpy projections rebuild") as refused:
        await management.replay("Once", 1, by="ann")
    assert isinstance(refused.value, ManagementRefused)
    assert await management.replay("Once", 1, by="ann", force=True) == [("shop-0", 1, 0)]


async def test_the_last_hundred_actions_are_kept(management: Management) -> None:
    for number in range(MOST_ACTIONS + 2):
        await management.pause("Jobs", by="ann", why=f"{number} \0 \ud800 {'x' * 10_000}")
    actions = await management.actions("Jobs")
    assert len(actions) == MOST_ACTIONS
    assert actions[-1].why.startswith(f"{MOST_ACTIONS + 1} \0 \\ud800 x")
    assert actions == sorted(actions, key=lambda one: one.at)
