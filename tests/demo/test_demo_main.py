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

COUNTS = re.compile(r"demo: (ok|interrupted) acked=(\d+) in_journal=(\d+) in_view=(\d+) lost=0 duplicated=0")


def counted(line: str, word: str) -> int:
    """The number of events, if all agree."""
    match = COUNTS.fullmatch(line)
    assert match is not None, line
    assert match[1] == word
    assert match[2] == match[3] == match[4]
    return int(match[2])


async def test_a_run_ends_ok_and_again_on_the_same_store(store: str) -> None:
    for _ in range(2):
        code, lines = await run("aecorpy.demo", "--bookings", 60, "--callers", 16, "--store", store)
        assert code == 0, lines
        assert counted(lines[-1], "ok") >= 60
        assert re.search(r"demo: [\d,]+ commands in .* acknowledged, .* rejected on purpose", lines[-2])


async def test_without_a_store_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code, lines = await run("aecorpy.demo", "--bookings", 20)
    assert code == 0, lines
    counted(lines[-1], "ok")
    assert os.listdir(tmp_path) == []


async def _line(process: Process, part: str) -> None:
    assert process.stdout is not None
    while part.encode() not in (line := await process.stdout.readline()):
        assert line, f"it ended without saying {part!r}"


async def test_ctrl_c_finishes_what_is_under_way_and_checks_it(store: str) -> None:
    async with program("aecorpy.demo", "--bookings", 1_000_000, "--store", store) as process:
        await _line(process, "of 1,000,000 bookings")
        process.send_signal(signal.SIGINT)
        lines = await rest(process)
        assert process.returncode == 130, lines
        assert lines[0].startswith("demo: stopping")
        assert counted(lines[-1], "interrupted") > 0
    code, lines = await run("aecorpy.demo", "--bookings", 20, "--store", store)
    assert code == 0, lines


async def test_ctrl_c_twice_gives_up_without_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    async with program("aecorpy.demo", "--bookings", 1_000_000) as process:
        await _line(process, "of 1,000,000 bookings")
        process.send_signal(signal.SIGINT)
        await _line(process, "stopping")
        process.send_signal(signal.SIGINT)
        lines = await rest(process)
        assert process.returncode == 130, lines
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("arguments", [["--bookings", "0"], ["--callers", "many"], ["--store", "memory:"], ["--nope"]])
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
    async with program("aecorpy.demo", "--bookings", 2_000, "--store", postgres_url) as process:
        await _line(process, "of 2,000 bookings")
        await asyncio.to_thread(postgres_server.stop_immediate)
        await asyncio.to_thread(postgres_server.start)
        lines = await rest(process)
        assert process.returncode == 0, lines
        assert counted(lines[-1], "ok") > 2_000
