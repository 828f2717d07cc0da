"""`aecorpy projections rebuild` and its kin, on a database that no node runs on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aecorpy.cli import main
from aecorpy.processing.states import Registration
from aecorpy.projection.generations import Generation, Generations, read_generations
from journal.database import open_database
from journal.records import Append, NewEvent

URL = "sqlite:///shop.db"
VIEW = Generations(Generation(1, 1, ("view",)), Generation(0, 1, ("view",)))


async def fill(view: Generations) -> None:
    """A database with a projection of five events whose generation 2 has handled two."""
    database = await open_database(URL)
    registration = Registration("View", "projection", ("shop-0",), "shop", 1, ("view",))
    jobs = Registration("Jobs", "process", ("first",))
    await database.notes.put([registration.note(), jobs.note(), view.note("View")])
    store = await database.journal("shop", 1)
    await store.claim(0, 1)
    await store.append([Append(0, 1, "north", 1, [NewEvent("Sold", 1, b"\x01")] * 5)])
    async with database.transaction() as transaction:
        await transaction.place_offsets("View@2", {"shop-0": 2})
    await database.close()


async def generations() -> Generations:
    """What there is of the view."""
    database = await open_database(URL)
    seen = await read_generations(database, "View")
    await database.close()
    assert seen is not None
    return seen


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty current folder, and a user's name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ann")


def shell(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and complaint of the command."""
    code = main(["projections", *arguments])
    shown = capfd.readouterr()
    return code, shown.out, shown.err


def document(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What it prints as JSON."""
    code, out, err = shell(capfd, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_rebuild_is_begun_shown_and_cancelled(capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.run(fill(VIEW))
    assert shell(capfd, "rebuild", URL, "View", "--why", "a test") == (0, "View: generation 2\n", "")
    code, out, _ = shell(capfd, "show", URL, "View")
    assert code == 0
    assert "generation 1 (version 1) serves\n" in out
    assert "generation 2 (version 1) is building: 40.0 %, 2 of 5 events, " in out
    assert "rebuild as generation 2" in out, "it is told who did it"
    assert "building: 40.0 %" in shell(capfd, "list", URL)[1]
    view = document(capfd, "show", URL, "View")["view"]
    assert (view["serving"], view["by"], view["why"]) == (1, "ann", "a test")
    assert (view["rebuild"]["generation"], view["rebuild"]["percent"], view["rebuild"]["head"]) == (2, 40.0, 5)
    code, _, complaint = shell(capfd, "rebuild", URL, "View")
    assert code == 1
    assert complaint.startswith("aecorpy: view 'View' is being rebuilt already, as generation 2: watch it (`aecorpy")
    assert shell(capfd, "cancel", URL, "View") == (0, "View: done\n", "")
    assert asyncio.run(generations()).building is None


def test_that_a_paused_view_is_not_built_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.run(fill(replace(VIEW, kept=Generation(2, 1), last=2)))
    assert shell(capfd, "pause", URL, "View")[0] == 0
    assert "it is paused, and nothing is built until it is resumed" in shell(capfd, "rebuild", URL, "View")[1]
    assert shell(capfd, "cancel", URL, "View")[0] == 0
    assert "paused" not in shell(capfd, "back", URL, "View", "--at-once")[1]


def test_who_watches_a_paused_view_is_told_that_it_is(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(*_: object) -> bool:
        return True

    monkeypatch.setattr("aecorpy.cli.wishes.EndWish.within", at_once)
    asyncio.run(fill(VIEW))
    shell(capfd, "pause", URL, "View")
    shell(capfd, "rebuild", URL, "View")
    assert "it is paused, and nothing is built" in shell(capfd, "rebuild", URL, "View", "--only-watch")[1]
    shell(capfd, "resume", URL, "View")
    assert "paused" not in shell(capfd, "rebuild", URL, "View", "--only-watch")[1]


def test_the_way_back(capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.run(fill(replace(VIEW, serving=Generation(3, 2, ("view",)), kept=Generation(2, 1), last=3)))
    assert document(capfd, "back", URL, "View") == {"generation": 2}
    assert "generation 2 (version 1) is going back: 40.0 %" in shell(capfd, "show", URL, "View")[1]
    assert document(capfd, "cancel", URL, "View") == {"done": "cancel"}
    assert asyncio.run(generations()).kept == Generation(2, 1)
    code, out, _ = shell(capfd, "back", URL, "View", "--at-once", "--watch")
    assert (code, out) == (0, "View: generation 2\ngeneration 2 (version 1) serves; generation 3 (version 2) is kept\n")
    seen = asyncio.run(generations())
    assert (seen.serving.number, seen.building) == (2, None)
    assert document(capfd, "drop-kept", URL, "View") == {"done": "drop-kept"}


def test_what_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.run(fill(replace(VIEW, obstacle="it does not name its tables")))
    code, _, complaint = shell(capfd, "rebuild", URL, "View")
    assert (code, complaint) == (1, "aecorpy: view 'View' cannot be rebuilt beside: it does not name its tables\n")
    code, _, complaint = shell(capfd, "back", URL, "Other")
    assert (code, complaint) == (1, "aecorpy: nothing is called 'Other' here: there are Jobs, View\n")
    for what in ("rebuild", "back", "cancel", "drop-kept"):
        code, _, complaint = shell(capfd, what, URL, "Jobs")
        assert (code, complaint) == (1, "aecorpy: 'Jobs' is a process and makes no view\n")
    assert shell(capfd, "rebuild", URL, "Jobs", "--only-watch")[0] == 1
    code, _, complaint = shell(capfd, "drop-kept", URL, "View")
    assert (code, complaint) == (1, "aecorpy: view 'View' has no former generation\n")
