"""Histories in files: what is written is what is read, also when the writer was killed."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from tests.checker.__main__ import main
from tests.checker.files import NotARecord, Recorder, line, read
from tests.checker.good import changed, good, the
from tests.checker.records import Calm, Leftover, Record, Row, Settled


def _written(path: Path, records: list[Record]) -> Path:
    recorder = Recorder(path)
    for record in records:
        recorder(record)
    recorder.close()
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    records = [*good(), Leftover(20.0, "b", "a task with\nlines")]
    assert {type(record) for record in records} == set(get_args(Record))
    assert list(read(_written(tmp_path / "one", records))) == records


def test_several_processes_files_are_one_history(tmp_path: Path) -> None:
    files = [_written(tmp_path / "a", good()[::2]), _written(tmp_path / "b", good()[1::2])]
    assert sorted(read(*files), key=repr) == sorted(good(), key=repr)


def test_a_line_that_a_killed_process_did_not_finish_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "killed"
    path.write_text(line(Calm(1.0)) + line(Settled(2.0, ("a", "b")))[:-5])
    assert list(read(path)) == [Calm(1.0)]


@pytest.mark.parametrize("text", ["", "{}", '["Nothing",1]', '["Calm"]', '["Calm",1,2]', "[", "7"])
def test_what_is_no_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd").write_text(line(Calm(1.0)) + text + "\n")
    with pytest.raises(NotARecord, match="odd:2"):
        list(read(tmp_path / "odd"))


def test_the_program_says_what_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = _written(tmp_path / "sound", good())
    broken = _written(tmp_path / "broken", changed(good(), the(good(), Row)))
    monkeypatch.setattr("sys.argv", ["checker", str(sound)])
    assert main() == 0
    _written(broken, [Row(14.0, "view", "m", 2, "2:0")])
    monkeypatch.setattr("sys.argv", ["checker", str(broken)])
    assert main() == 1
    assert "exactly-once view (I6)" in capsys.readouterr().out
