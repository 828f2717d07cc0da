"""`python -m aecorpy.demo`, as a user runs it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from aecorpy.demo.__main__ import main
from tests.demo.programs import program, rest, run
from tests.postgres_server import PostgresServer
from tests.waiting import eventually

FIGURES = r"lost=0 duplicated=0 failover_ms=(\d+|-) moved=(\d+) reactions=(\d+)"
ENDS = r"bookings=(\d+) settled=(\d+) denied=(\d+) cancelled=(\d+) expired=(\d+) seats=(\d+) payments=(\d+)"
COUNTS = re.compile(rf"demo: (ok|interrupted) acked=(\d+) in_journal=(\d+) in_view=(\d+) {FIGURES} {ENDS}")
SHORT = ("--seconds", 2.5, "--callers", 16)
UP = "nodes are up; bookings flow"
FLOWS = r" [1-9][\d,]* commands/s"


def counted(line: str, word: str) -> int:
    """The number of events, if all agree."""
    match = COUNTS.fullmatch(line)
    assert match is not None, line
    assert match[1] == word
    assert match[2] == match[3] == match[4]
    bookings, *ends = [int(figure) for figure in match.groups()[7:12]]
    assert bookings == sum(ends) > 0
    assert int(match[13]) >= ends[0]  # seats: at least one for each that is settled
    assert int(match[14]) <= ends[0]  # payments: the free ones are settled without
    if word == "ok":
        assert int(match[5]) > 0
        assert int(match[6]) > 0
    return int(match[2])


def node_processes(of: Path) -> list[str]:
    """The processes of a demo that was started with `AECORPY_DEMO_TEST` set to `of`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"AECORPY_DEMO_TEST={of}".encode() in environment.split(b"\0"):
                found.append(entry.name)
    return found


def arguments_of(pid: str) -> list[str]:
    """The command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")


@pytest.mark.parametrize("seed", [1, 2])  # the one that coordinates is killed, and another one
async def test_a_node_dies_and_another_one_joins_and_nothing_is_lost(store: str, seed: int) -> None:
    code, lines = await run("aecorpy.demo", *SHORT, "--seed", seed, "--store", store)
    assert code == 0, lines
    assert counted(lines[-1], "ok") >= 20
    said = "\n".join(lines)
    assert re.search(r"Payments on node-\d; |Payments on node-\d$", said, re.MULTILINE), "on one of them"
    assert re.search(r"every booking has come to its end [\d.]+ s after the last caller", said)
    assert (", which coordinates, is killed (SIGKILL)" in said) is (seed == 1)
    assert "is killed (SIGKILL) with" in said
    assert "node-4 is up, and has taken over" in said
    assert re.search(r"demo: [\d,]+ commands in .* acknowledged, .* rejected on purpose", said)


async def test_without_a_store_nothing_is_left_behind_and_a_store_can_be_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code, lines = await run("aecorpy.demo", *SHORT, "--bookings", 20, "--nodes", 2)
    assert code == 0, lines
    counted(lines[-1], "ok")
    assert os.listdir(tmp_path) == []


async def _line(process: Process, part: str) -> None:
    """Wait until it says something with that regular expression."""
    assert process.stdout is not None
    while re.search(part.encode(), line := await process.stdout.readline()) is None:
        assert line, f"it ended without saying {part!r}"


async def test_ctrl_c_finishes_what_is_under_way_and_checks_it(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AECORPY_DEMO_TEST", str(tmp_path))
    async with program("aecorpy.demo", "--seconds", 1000, "--store", store) as process:
        await _line(process, UP)
        await _line(process, FLOWS)
        process.send_signal(signal.SIGINT)
        lines = await rest(process)
        assert process.returncode == 130, lines
        assert lines[0].startswith("demo: stopping")
        assert counted(lines[-1], "interrupted") > 0
    assert node_processes(tmp_path) == []
    code, lines = await run("aecorpy.demo", *SHORT, "--store", store)
    assert code == 0, lines


async def test_ctrl_c_twice_gives_up_without_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("AECORPY_DEMO_TEST", str(tmp_path))
    async with program("aecorpy.demo", "--seconds", 1000) as process:
        await _line(process, UP)
        process.send_signal(signal.SIGINT)
        await _line(process, "stopping")
        process.send_signal(signal.SIGINT)
        lines = await rest(process)
        assert process.returncode == 130, lines
    assert os.listdir(tmp_path) == []
    assert node_processes(tmp_path) == []


async def test_a_demo_that_is_killed_leaves_no_process_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where its payments stay
    monkeypatch.setenv("AECORPY_DEMO_TEST", str(tmp_path))
    async with program("aecorpy.demo", "--seconds", 1000, "--store", f"sqlite:///{tmp_path}/j.db") as process:
        await _line(process, UP)
        assert len(node_processes(tmp_path)) == 4
        process.kill()
        await process.wait()
        await eventually(lambda: not node_processes(tmp_path), within=20)


async def test_a_node_that_dies_by_itself_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORPY_DEMO_TEST", str(tmp_path))
    async with program("aecorpy.demo", "--seconds", 1000, "--store", f"sqlite:///{tmp_path}/j.db") as process:
        await _line(process, UP)
        (victim,) = [pid for pid in node_processes(tmp_path) if "node-2" in arguments_of(pid)]
        os.kill(int(victim), signal.SIGKILL)
        lines = await rest(process)
        assert process.returncode == 1, lines
        assert lines[-1].startswith("demo: FAILED AecorError: node-2 ended by itself (by SIGKILL); its last lines: ")
    assert node_processes(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--bookings", "0"],
        ["--callers", "many"],
        ["--nodes", "1"],
        ["--seconds", "nan"],
        ["--store", "memory:"],
        ["--nope"],
    ],
)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("nonsense", 2),
        ("mysql://u:secret@h/db", 2),
        ("sqlite:////nowhere/at/all.db", 1),
        ("postgresql://u:secret@127.0.0.1:1/db", 1),
    ],
)
def test_a_store_that_cannot_be_used(url: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--store", url]) == code
    text = capsys.readouterr().out
    assert text.splitlines()[-1].startswith("demo: FAILED ")
    assert "secret" not in text


async def test_a_server_that_crashes_under_load_and_comes_back_loses_nothing(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    async with program("aecorpy.demo", "--seconds", 8, "--callers", 16, "--store", postgres_url) as process:
        await _line(process, UP)
        await _line(process, FLOWS)
        await asyncio.to_thread(postgres_server.stop_immediate)
        await asyncio.to_thread(postgres_server.start)
        lines = await rest(process)
        assert process.returncode == 0, lines
        assert counted(lines[-1], "ok") > 50
