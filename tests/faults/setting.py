"""What every process of a run is started with, and the clock that all of them share."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

CLUSTER: Final = "faults"
VARIABLE: Final = "AECORPY_FAULTS"
BOOKING, PERMITS = "booking", "permits"

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Seconds on the machine's clock, the same in all processes."""
    return time.clock_gettime(_CLOCK)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a process is told.

    Attributes:
        url: journal and cluster store.
        folder: where it writes its records.
        node: the node's name.
        life: this process of the node; names it in events and records.
        host: where it listens.
        secret: of the cluster; empty on loopback.
        lease: in seconds.
        loads: what is deployed and called, of `BOOKING` and `PERMITS`.
        per_second: commands that a caller sends in a second; 0: as many as are answered.
        seed: from which a caller draws.
        log: the permit log, where one is replayed.
        log_seconds: for how long the replay should last.
        mutant: a deliberate fault of `tests.mutants` in the nodes' code, by name; empty for none.
        status: seconds between two lines on how large the process is; 0: none.
    """

    url: str
    folder: str
    node: str = ""
    life: str = ""
    host: str = "127.0.0.1"
    secret: str = ""
    lease: float = 3.0
    loads: tuple[str, ...] = (BOOKING,)
    per_second: float = 0.0
    seed: int = 0
    log: str = ""
    log_seconds: float = 0.0
    mutant: str = ""
    status: float = 0.0

    def environment(self) -> dict[str, str]:
        """The environment variables of such a process."""
        return {**os.environ, VARIABLE: json.dumps(asdict(self))}

    def file(self, ending: str) -> Path:
        """A file of this process."""
        return Path(self.folder) / f"{self.life}.{ending}"


def given() -> Setting:
    """What this process was told."""
    values = json.loads(os.environ[VARIABLE])
    return Setting(**{**values, "loads": tuple(values["loads"])})
