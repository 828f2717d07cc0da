"""Reading an event log: a CSV file with a row per activity done, named as in the XES standard."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aecorpy.demo.permits.application import ActivityDone
from journal.records import MAX_KEY_BYTES

CASE, TASK, ACTIVITY, TIME = "case:concept:name", "concept:instance", "concept:name", "time:timestamp"
RESOURCE, GROUP = "org:resource", "org:group"
COLUMNS = (CASE, TASK, ACTIVITY, RESOURCE, GROUP, TIME)


class BadLog(ValueError):
    """The file cannot be read as a log. The message says where and why."""


@dataclass(frozen=True, slots=True)
class Log:
    """A whole log.

    Args:
        cases: what was done, by case, in the order of the file.
    """

    cases: Mapping[str, Sequence[ActivityDone]]

    @property
    def rows(self) -> int:
        """How many activities were done."""
        return sum(map(len, self.cases.values()))


def read_log(path: Path) -> Log:
    """Read and check a whole file, so that nothing is sent of a file that is wrong further down.

    Raises:
        BadLog: it is not there, is no CSV file in UTF-8, lacks a column, or has a row that cannot be used.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _log(csv.DictReader(file, strict=True), str(path))
    except OSError as error:
        raise BadLog(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadLog(f"{path} is not text in UTF-8: {error.reason} at byte {error.start}") from error


def _log(reader: csv.DictReader[str], path: str) -> Log:
    cases: dict[str, list[ActivityDone]] = {}
    lines: dict[tuple[str, str], int] = {}
    for row in _rows(reader, path):
        where = f"{path}, line {reader.line_num}"
        done, case_id = _activity(row, where), row[CASE]
        if (first := lines.setdefault((case_id, done.task_id), reader.line_num)) != reader.line_num:
            raise BadLog(f"{where}: task {done.task_id!r} of case {case_id!r} stands in line {first} already")
        cases.setdefault(case_id, []).append(done)
    if not cases:
        raise BadLog(f"{path} has no rows")
    return Log(cases)


def _rows(reader: csv.DictReader[str], path: str) -> Iterator[dict[str, str]]:
    try:
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
            raise BadLog(f"{path} has no column {', '.join(map(repr, missing))}; it needs {', '.join(COLUMNS)}")
        yield from reader
    except csv.Error as error:
        raise BadLog(f"{path}, line {reader.line_num}: {error}") from error


def _activity(row: dict[str, str], where: str) -> ActivityDone:
    if None in row or None in row.values():
        raise BadLog(f"{where}: it has more or fewer values than there are columns")
    for column in COLUMNS:
        if reason := _unusable(row[column], required=column not in (RESOURCE, GROUP)):
            raise BadLog(f"{where}: {column} {reason}")
    return ActivityDone(row[TASK], row[ACTIVITY], row[RESOURCE], row[GROUP], _time(row[TIME], where))


def _unusable(text: str, *, required: bool) -> str | None:
    """Why a value can be neither a key nor a column of a view; None if it can."""
    if required and not text.strip():
        return "is empty"
    if "\0" in text:
        return "holds NUL"
    if len(text.encode()) > MAX_KEY_BYTES:
        return f"has more than {MAX_KEY_BYTES} bytes"
    return None


def _time(text: str, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        in_utc = time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadLog(f"{where}: {TIME} is not a time: {text!r}") from error
    if time.tzinfo is None:
        raise BadLog(f"{where}: {TIME} has no zone: {text!r}")
    return in_utc
