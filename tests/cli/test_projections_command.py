"""`aecorpy projections`: on a database that nodes have used, whether they run or not, and that it creates none."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from aecorpy.cli import main
from aecorpy.processing.states import ProcessState, Registration
from journal.database import open_database
from journal.records import Append, NewEvent, OffsetMove
from tests.cli.programs import aecorpy, end, said

URL = "sqlite:///shop.db"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty current folder, and a user's name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ann")


async def fill() -> None:
    """A database with a projection that is at 3 of 5 on shop-0 and fails there, and jobs that nobody runs."""
    database = await open_database(URL)
    names = ("shop-0", "shop-1")
    view = Registration("View", "projection", names, "shop", 2, ("view",))
    again = Registration("Again", "projection", names, "shop", 2, idempotent=True)
    trouble: dict[str, Any] = {"trouble": {"shop-0": (3, 7, "ValueError: no such\nproduct")}}
    failing = ProcessState("View", 0, "shop-0", "node-1", 1, 4, "running", 2.5, 1, tags=("shop-0",), details=trouble)
    jobs = Registration("Jobs", "process", ("first", "second"))
    await database.notes.put([one.note() for one in (view, again, jobs, failing)])
    store = await database.journal("shop", 2)
    await store.claim(0, 1)
    await store.append([Append(0, 1, "north", 1, [NewEvent("Sold", 1, b"\x01")] * 5)])
    for name in ("View", "Again"):
        await database.offsets.claim(name, names, 4)
        await database.offsets.commit(name, [OffsetMove("shop-0", 0, 3)], 4)
    await database.close()


@pytest.fixture
def filled() -> None:
    """There is such a database."""
    asyncio.run(fill())


class Shell:
    """The command, in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, what it printed, and its complaint."""
        try:
            code = main(["projections", *map(str, arguments)])
        except SystemExit as end:
            code = int(end.code or 0)
        shown = self._capfd.readouterr()
        return code, shown.out, shown.err

    def json(self, *arguments: object) -> Any:
        """What it prints as JSON, when it ends well."""
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str]) -> Shell:
    """Runs the command."""
    return Shell(capfd)


def test_a_list_in_a_table_and_in_json(shell: Shell, filled: None) -> None:
    code, out, _ = shell("list", URL)
    assert code == 0
    head, again, jobs, view = out.splitlines()
    assert head.split() == ["NAME", "KIND", "STATE", "RUNNING", "OFFSET", "LAG", "LAG", "SECONDS", "NOTE"]
    assert again.split()[:6] == ["Again", "projection", "stopped", "0/2", "3", "2"]
    assert jobs.split() == ["Jobs", "process", "stopped", "0/2", "-", "-", "-"]
    assert view.split()[:6] == ["View", "projection", "failing", "1/2", "3", "2"]
    assert view.endswith("ValueError: no such product")
    document = shell.json("list", URL)
    assert [one["name"] for one in document] == ["Again", "Jobs", "View"]
    view_document = document[2]
    assert view_document.pop("lag_seconds") >= 0
    assert view_document == {
        "name": "View",
        "kind": "projection",
        "state": "failing",
        "running": 1,
        "processes": 2,
        "offset": 3,
        "lag": 2,
        "paused_by": None,
        "paused_why": None,
        "error": "ValueError: no such\nproduct",
    }


def test_one_with_its_processes_tags_and_what_was_done_to_it(shell: Shell, filled: None) -> None:
    assert shell("pause", URL, "View", "--why", "to look at it", "--process", 1)[0] == 0
    code, out, _ = shell("show", URL, "View")
    assert code == 0
    parts = out.split("\n\n")
    assert parts[0] == "projection View: failing, 1/2 processes run\nerror: ValueError: no such product"
    first, second = [line.split() for line in parts[1].splitlines()[1:]]
    assert first[:5] == ["0", "shop-0", "running", "node-1", "4"]
    assert second[:3] == ["1", "shop-1", "unknown"]
    assert parts[1].endswith("paused by ann: to look at it")
    tag = parts[2].splitlines()[1].split()
    assert (tag[:4], tag[5]) == (["shop-0", "3", "5", "2"], "7")
    assert parts[3].split()[5:] == ["ann", "pause", "process", "1", "to", "look", "at", "it"]
    document = shell.json("show", URL, "View")
    assert document["tags"][0]["head"] == 5
    assert [one["node"] for one in document["processes"]] == ["node-1", None]
    assert [one["paused_by"] for one in document["processes"]] == [None, "ann"]
    assert document["actions"][0]["what"] == "pause process 1"


def test_pausing_and_resuming(shell: Shell, filled: None) -> None:
    assert shell("pause", URL, "Jobs", "--by", "bob", "--why", "repairs", "--wait", 1)[1] == "Jobs: paused\n"
    assert shell.json("list", URL)[1]["paused_by"] == "bob"
    assert "paused by bob: repairs" in shell("list", URL)[1]
    assert shell("resume", URL, "Jobs", "--process", 1)[1] == (
        "Jobs process 1: is to run; the whole is paused, too: `resume` without --process lets it run\n"
    )
    assert shell("resume", URL, "Jobs")[1] == "Jobs: is to run\n"
    code, out, err = shell("pause", URL, "View", "--wait", "0.2")
    assert (code, out) == (1, "")
    assert "'View' is to pause, but 0.2 s later has not: process 0 is running" in err


def test_a_process_that_is_paused_by_itself_is_named(shell: Shell, filled: None) -> None:
    shell("pause", URL, "Jobs", "--process", 0)
    assert shell("list", URL)[1].splitlines()[2].endswith("paused by itself: process 0")
    assert shell("resume", URL, "Jobs")[1] == (
        "Jobs: is to run; process 0 was paused by itself, and `resume --process N` lets it run\n"
    )
    assert shell("resume", URL, "Jobs", "--process", 0)[1] == "Jobs process 0: is to run\n"


def test_of_many_tags_those_at_their_end_are_summed_up(shell: Shell, filled: None) -> None:
    async def widen() -> None:
        database = await open_database(URL)
        names = tuple(f"wide-{number}" for number in range(20))
        await database.notes.put([Registration("Wide", "projection", names, "wide", 20).note()])
        store = await database.journal("wide", 20)
        for shard in (3, 4):
            await store.claim(shard, 1)
            await store.append([Append(shard, 1, f"key-{shard}", 1, [NewEvent("Sold", 1, b"\x01")] * 2)])
        await database.offsets.claim("Wide", names, 1)
        await database.offsets.commit("Wide", [OffsetMove("wide-3", 0, 2), OffsetMove("wide-4", 0, 1)], 1)
        await database.close()

    asyncio.run(widen())
    tags = shell("show", URL, "Wide")[1].split("\n\n")[2].splitlines()
    assert tags[1].split()[:4] == ["wide-4", "1", "2", "1"]
    assert tags[2:] == ["19 other tags are at the end of what there is, 2 events in all (--json shows each)"]
    assert len(shell.json("show", URL, "Wide")["tags"]) == 20


def test_skipping_and_dead_letters(shell: Shell, filled: None) -> None:
    code, _, err = shell("skip", URL, "View", "shop-0", 5, "--why", "broken")
    assert code == 1
    assert "'View' is at 3 on shop-0, so 4 is the only event that can be skipped there, not 5" in err
    assert shell("letters", URL, "View")[1] == "no dead letters\n"
    out = shell("skip", URL, "View", "shop-0", 4, "--why", "broken")[1]
    assert out == "View: skipped shop-0 offset 4 (Sold of 'north', seq_nr 4)\n"
    head, letter = shell("letters", URL, "View", "--tag", "shop-0")[1].splitlines()
    assert head.split()[:5] == ["TAG", "OFFSET", "EVENT", "KEY", "SEQ"]
    assert letter.split()[:5] == ["shop-0", "4", "Sold", "north", "4"]
    assert letter.split()[6:8] == ["ann", "no"]
    assert letter.endswith("skipped: broken (it had failed with ValueError: no such product)")
    assert shell("retry", URL, "View")[1] == "View: 1 dead letter is to be handled again\n"
    (document,) = shell.json("letters", URL, "View")
    assert (document["by"], document["asked"], document["offset"]) == ("ann", True, 4)
    code, _, err = shell("retry", URL, "View", "--tag", "shop-0", "--offset", 3)
    assert (code, "no dead letter of shop-0 offset 3" in err) == (1, True)


def test_replaying(shell: Shell, filled: None) -> None:
    code, out, err = shell("replay", URL, "View", "--from-start")
    assert (code, out) == (2, "")
    assert "`aecorpy projections rebuild`" in err
    assert shell("replay", URL, "View", "--from-start", "--force")[1] == "View: shop-0 goes back from 3 to 0\n"
    assert shell.json("replay", URL, "Again", "--offset", 3, "--tag", "shop-0") == [
        {"tag": "shop-0", "before": 3, "after": 2}
    ]
    assert shell("replay", URL, "Again", "--time", "2100-01-01T00:00:00Z")[1] == "Again: nothing to handle again\n"
    assert shell("replay", URL, "Again", "--time", "2020-01-01T00:00:00+02:00")[1].endswith("from 2 to 0\n")


def test_behind_the_last_event_there_is_nothing_to_skip(shell: Shell, filled: None) -> None:
    for offset in (4, 5):
        assert shell("skip", URL, "View", "shop-0", offset, "--why", "broken")[0] == 0
    code, _, err = shell("skip", URL, "View", "shop-0", 5, "--why", "broken")
    assert code == 1
    assert "is at 5 on shop-0, which is the last event there" in err


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["show", URL, "Nobody"], 1, "nothing is called 'Nobody' here: there are Again, Jobs, View"),
        (["pause", URL, "Jobs", "--process", "7"], 1, "'Jobs' has no process 7"),
        (["skip", URL, "View", "shop-0", "4"], 2, "the following arguments are required: --why"),
        (["skip", URL, "View", "shop-0", "-4", "--why", "x"], 2, "'-4' is not a whole number"),
        (["skip", URL, "View", "shop-9", "4", "--why", "x"], 2, "'View' has no tag 'shop-9'"),
        (["skip", URL, "Jobs", "shop-0", "4", "--why", "x"], 2, "'Jobs' is a process and follows no journal"),
        (["skip", URL, "View", "shop-0", "9" * 30, "--why", "x"], 1, "there is no event 999"),
        (["pause", URL, "View", "--wait", "nan"], 2, "'nan' is not a number of seconds"),
        (["retry", URL, "View", "--tag", "shop-0", "--offset", "9" * 30], 1, "no dead letter of shop-0 offset 999"),
        (["retry", URL, "View", "--offset", "4"], 2, "say on which tag"),
        (["replay", URL, "Again"], 2, "one of the arguments --from-start --offset --time is required"),
        (["replay", URL, "Again", "--time", "2026-01-01T00:00:00"], 2, "has no zone: write 2026-01-01T00:00:00Z"),
        (["replay", URL, "Again", "--time", "2026-01-01"], 2, "has no zone: write 2026-01-01T00:00:00Z, or"),
        (["replay", URL, "Again", "--time", "yesterday"], 2, "'yesterday' is not a time"),
        (["replay", URL, "Again", "--offset", "6"], 1, "there is no event 6 on shop-0: its last is 5"),
        (["replay", URL, "Again", "--offset", "0"], 2, "offsets begin at 1"),
    ],
)
def test_what_cannot_be_done_is_said(shell: Shell, filled: None, arguments: list[str], code: int, why: str) -> None:
    ended, out, err = shell(*arguments)
    assert (ended, out) == (code, "")
    assert why in err


@pytest.mark.parametrize("command", ["list", "show", "pause", "resume", "letters", "retry"])
@pytest.mark.parametrize(
    ("url", "code", "why"),
    [
        (URL, 1, "shop.db: no journal there: check the URL"),
        ("sqlite:////nowhere/shop.db", 1, "no journal there"),
        ("memory:", 1, "memory: is another one for each process"),
        ("postgresql://u:s3cret@127.0.0.1:1/db", 1, "PostgreSQL at 127.0.0.1:1/db"),
        ("mysql://u:s3cret@h/db", 2, "use memory:, sqlite:"),
    ],
)
def test_what_is_not_there_is_said_and_not_created(
    shell: Shell, tmp_path: Path, command: str, url: str, code: int, why: str
) -> None:
    ended, out, err = shell(command, url, *([] if command == "list" else ["View"]))
    assert (ended, out) == (code, "")
    (line,) = err.splitlines()
    assert why in line
    assert "s3cret" not in line
    assert os.listdir(tmp_path) == []


async def test_watching_shows_changes_until_ctrl_c(tmp_path: Path) -> None:
    await fill()
    async with aecorpy(tmp_path, "projections", "list", URL, "--watch") as process:
        await said(process, "ValueError: no such product")
        async with aecorpy(tmp_path, "projections", "pause", URL, "View", "--by", "bob") as other:
            assert (await end(other))[0] == 0
        await said(process, "paused by bob")
        process.send_signal(signal.SIGINT)
        assert (await end(process))[0] == 0
