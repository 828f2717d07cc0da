"""Histories in files: a line of JSON per record. A process appends to one of its own; a history may be in several."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

from tests.checker.records import Record

KINDS: Final[dict[str, type]] = {kind.__name__: kind for kind in get_args(Record)}
_FIELDS: Final = {name: [field.name for field in dataclasses.fields(kind)] for name, kind in KINDS.items()}


class NotARecord(ValueError):
    """A line that is none; says which and why."""


class Recorder:
    """Appends records to a file. Each is with the system at once and in one piece: SIGKILL loses none."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def __call__(self, record: Record) -> None:
        """Append one."""
        os.write(self._file, line(record).encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def line(record: Record) -> str:
    """A record as a line of JSON."""
    kind = type(record).__name__
    return json.dumps([kind, *[getattr(record, name) for name in _FIELDS[kind]]], separators=(",", ":")) + "\n"


def read(*paths: Path) -> Iterator[Record]:
    """The records of some files. A last line that a killed process did not finish is left out.

    Raises:
        NotARecord: a line is none.
    """
    for path in paths:
        with path.open() as file:
            for number, text in enumerate(file, 1):
                if text.endswith("\n"):
                    yield _record(text, f"{path}:{number}")


def _record(text: str, where: str) -> Record:
    try:
        kind, *values = json.loads(text)
        found: Record = KINDS[kind](*[_plain(value) for value in values])
    except (ValueError, KeyError, TypeError) as error:
        raise NotARecord(f"{where}: {text.strip()[:200]}: {error!r}") from error
    return found


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
