"""`python -m aecorpy.demo.permits`, on the real log where it is to be found, and on small ones made here."""

from __future__ import annotations

import csv
import os
import re
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aecorpy.demo.permits import ActivityDone, PermitApplication, TaskDiffers
from aecorpy.demo.permits.__main__ import main
from aecorpy.demo.permits.log import COLUMNS, BadLog, read_log
from aecorpy.testing import scenario
from tests.demo.programs import program, rest, run

BEGIN = datetime(2026, 1, 1, 8, tzinfo=UTC)
ENOUGH = {"case:concept:name": "case-1", "concept:instance": "t-1", "concept:name": "Receipt"}
ENOUGH |= {"org:resource": "R1", "org:group": "G1", "time:timestamp": "2026-01-01 08:00:00.500000+01:00"}


def real_log() -> Path:
    """The real log, named by `AECORPY_RECEIPT_CSV` or beside the repository."""
    named = os.environ.get("AECORPY_RECEIPT_CSV")
    path = Path(named) if named else Path(__file__).parents[3] / "shared" / "data" / "receipt.csv"
    if not path.exists():
        pytest.skip(f"the real log is not there ({path}); AECORPY_RECEIPT_CSV names it")
    return path


def written(path: Path, rows: Sequence[dict[str, str]], columns: Sequence[str] = COLUMNS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def small_log(path: Path, cases: int = 40, tasks: int = 6) -> Path:
    """Cases that take turns, as rows need not be in blocks; the last task of some was done before the others."""
    rows = [
        ENOUGH
        | {
            "case:concept:name": f"case-{case}",
            "concept:instance": f"task-{case}-{task}",
            "concept:name": f"Step {(case + task) % 7}",
            "org:resource": f"R{(case * task) % 5}",
            "time:timestamp": (BEGIN + timedelta(hours=case, minutes=task if case % 4 else -task)).isoformat(),
        }
        for task in range(tasks)
        for case in range(cases)
    ]
    return written(path, rows)


async def test_a_log_is_replayed_once(store: str, tmp_path: Path) -> None:
    log = small_log(tmp_path / "log.csv")
    code, lines = await run("aecorpy.demo.permits", log, "--store", store)
    assert code == 0, lines
    same = "events=240 cases=40 activities=7: the views equal the file"
    assert lines[-1] == f"permits: ok recorded=240 known=0 {same}"
    assert re.search(r"240 commands in .* a second", "\n".join(lines))
    code, lines = await run("aecorpy.demo.permits", log, "--store", store)
    assert code == 0, lines
    assert lines[-1] == f"permits: ok recorded=0 known=240 {same}"
    assert "permits: nothing new: all 240 tasks are in the journal already" in lines


async def test_the_real_log(store: str) -> None:
    log = real_log()
    code, lines = await run("aecorpy.demo.permits", log, "--store", store)
    assert code == 0, lines
    same = "events=8577 cases=1434 activities=27: the views equal the file"
    assert lines[-1] == f"permits: ok recorded=8577 known=0 {same}"
    assert "permits:   1,434 × Confirmation of receipt" in lines
    code, lines = await run("aecorpy.demo.permits", log, "--store", store)
    assert code == 0, lines
    assert lines[-1] == f"permits: ok recorded=0 known=8577 {same}"


async def test_ctrl_c_and_going_on(store: str, tmp_path: Path) -> None:
    log = small_log(tmp_path / "log.csv", cases=1_500, tasks=12)  # several seconds of work on a fast machine, too
    async with program("aecorpy.demo.permits", log, "--store", store) as process:
        assert process.stdout is not None
        while b"of 18,000 activities" not in await process.stdout.readline():
            assert not process.stdout.at_eof(), "it ended before it told of progress"
        process.send_signal(signal.SIGINT)
        text = "\n".join(await rest(process))
        assert process.returncode == 130, text
        recorded = re.search(r"([\d,]+) tasks recorded", text)
        assert recorded is not None, text
        count = int(recorded[1].replace(",", ""))
        assert 0 < count < 18_000
    code, lines = await run("aecorpy.demo.permits", log, "--store", store)
    assert code == 0, lines
    assert f"recorded={18_000 - count} known={count} events=18000 cases=1500" in lines[-1]


def test_another_log_in_the_same_store_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = f"sqlite:///{tmp_path}/journal.db"
    assert main([str(written(tmp_path / "one.csv", [ENOUGH])), "--store", store]) == 0
    other = written(tmp_path / "other.csv", [ENOUGH | {"case:concept:name": "case-2"}])
    assert main([str(other), "--store", store]) == 1
    text = capsys.readouterr().out
    assert "case 'case-1' is in the view, but not in the file: is another log in this store?" in text
    assert "activity 'Receipt': the view has 2, the file 1" in text
    assert text.splitlines()[-1].startswith("permits: FAILED recorded=1 known=0 events=2 cases=2")


def test_a_task_that_changed_in_the_file_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = f"sqlite:///{tmp_path}/journal.db"
    assert main([str(written(tmp_path / "log.csv", [ENOUGH])), "--store", store]) == 0
    changed = written(tmp_path / "changed.csv", [ENOUGH | {"org:resource": "R2"}])
    assert main([str(changed), "--store", store]) == 1
    text = capsys.readouterr().out
    assert "case 'case-1', task 't-1': TaskDiffers(task_id='t-1')" in text
    assert "last_resource='R1'" in text


def test_recording_twice_appends_once() -> None:
    done = ActivityDone("t-1", "Receipt", "R1", "", BEGIN)
    arguments = ("t-1", "Receipt", "R1", "", BEGIN)
    first = scenario(PermitApplication).when(PermitApplication.record, *arguments)
    first.expect_events(done).expect_reply(True)
    again = first.then().when(PermitApplication.record, *arguments)
    again.expect_events().expect_reply(False)
    other = first.then().when(PermitApplication.record, "t-1", "Receipt", "R2", "", BEGIN)
    other.expect_rejection(TaskDiffers("t-1"))
    first.then().expect_impossible(done)


def test_a_usable_log_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [ENOUGH | {"concept:instance": task, "org:group": ""} for task in ("t-2", "t-1", "t-3")]
    log = read_log(written(tmp_path / "log.csv", rows, [*reversed(COLUMNS), "more"]))
    assert [done.task_id for done in log.cases["case-1"]] == ["t-2", "t-1", "t-3"]
    assert log.cases["case-1"][0] == ActivityDone(
        "t-2", "Receipt", "R1", "", datetime(2026, 1, 1, 7, 0, 0, 500_000, UTC)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"case:concept:name": ""}, "line 3: case:concept:name is empty"),
        ({"concept:instance": " "}, "line 3: concept:instance is empty"),
        ({"concept:instance": "t-1"}, "line 3: task 't-1' of case 'case-1' stands in line 2 already"),
        ({"concept:name": "x" * 600}, "line 3: concept:name has more than 512 bytes"),
        ({"org:resource": "R\0"}, "line 3: org:resource holds NUL"),
        ({"time:timestamp": "yesterday"}, "line 3: time:timestamp is not a time: 'yesterday'"),
        ({"time:timestamp": "0001-01-01T00:00:00+14:00"}, "line 3: time:timestamp is not a time"),
        ({"time:timestamp": "2026-01-01 08:00:00"}, "line 3: time:timestamp has no zone"),
    ],
)
def test_bad_rows(change: dict[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = written(tmp_path / "log.csv", [ENOUGH, ENOUGH | {"concept:instance": "t-2"} | change])
    assert main([str(log), "--store", f"sqlite:///{tmp_path}/journal.db"]) == 2
    assert message in capsys.readouterr().out
    assert not (tmp_path / "journal.db").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no column 'case:concept:name', "),
        (b"a,b\n1,2\n", "has no column 'case:concept:name', "),
        (",".join(COLUMNS[1:]).encode(), "has no column 'case:concept:name'; it needs"),
        (",".join(COLUMNS).encode(), "has no rows"),
        (",".join(COLUMNS).encode() + b"\na,b\n", "line 2: it has more or fewer values"),
        (",".join(COLUMNS).encode() + b"\n" + b"a," * 9, "line 2: it has more or fewer values"),
        (",".join(COLUMNS).encode() + b'\n"a', "unexpected end of data"),
        (b"\xff\xfe\x00", "is not text in UTF-8"),
    ],
)
def test_files_that_are_no_logs(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(BadLog) as caught:
        read_log(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_store_without_sql_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(written(tmp_path / "log.csv", [ENOUGH])), "--store", "memory:"])
    assert "memory would be gone with its node, and has no SQL: name a file or a server" in capsys.readouterr().err


def test_files_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nowhere.csv")]) == 2
    assert main([str(tmp_path)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"permits: FAILED {tmp_path / 'nowhere.csv'}: No such file or directory",
        f"permits: FAILED {tmp_path}: Is a directory",
    ]
