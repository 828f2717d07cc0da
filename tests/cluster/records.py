"""The owners' own records: each process appends to a file of its own which shard it owns, or owns no more, and when."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Owned(NamedTuple):
    """A line of such a file.

    Attributes:
        process: whose.
        shard, epoch: of which shard, and under which epoch.
        now: whether it is owned from then on, or no more.
        at: seconds of CLOCK_MONOTONIC, which all processes of a machine share.
    """

    process: str
    shard: int
    epoch: int
    now: bool
    at: float


class Recorder:
    """Writes one process's file; for a node's `on_owned`. A line is with the system at once, so SIGKILL loses none."""

    def __init__(self, folder: Path, process: str) -> None:
        self._file = os.open(folder / f"{process}.owned", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def __call__(self, name: str, shard: int, epoch: int, owned: bool) -> None:
        """Append a line."""
        os.write(self._file, f"{shard} {epoch} {int(owned)} {time.monotonic():.6f}\n".encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class Records:
    """Reads the files of all processes in a folder, as far as they are written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, int] = {}
        self._owned: dict[str, set[int]] = {}
        self.all: list[Owned] = []

    def refresh(self) -> None:
        """Take in what was written since."""
        for path in self._folder.glob("*.owned"):
            process, done = path.stem, self._read.get(path.stem, 0)
            if path.stat().st_size > done:
                self._take(process, path, done)

    def _take(self, process: str, path: Path, done: int) -> None:
        with path.open("rb") as file:
            file.seek(done)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        self._read[process] = done + len(data)
        owned = self._owned.setdefault(process, set())
        for line in data.decode().splitlines():
            shard, epoch, now, at = line.split()
            self.all.append(Owned(process, int(shard), int(epoch), now == "1", float(at)))
            (owned.add if now == "1" else owned.discard)(int(shard))

    def owned_by(self, process: str) -> set[int]:
        """The shards that the process says to own, as of the last `refresh`."""
        return self._owned.get(process, set())

    def in_order(self) -> Iterator[Owned]:
        """All lines of all processes, by time."""
        yield from sorted(self.all, key=lambda one: one.at)
