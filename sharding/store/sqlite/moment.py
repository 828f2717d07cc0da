"""The time that all processes of a machine agree on and nobody sets: since the machine started.

A wall clock may be set back, and a lease would run for hours; or forward, and all leases would be over at once. Time
since the start does neither, and it counts while the machine is suspended. It begins anew when the machine starts, so
each moment says which start it is counted from.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Moment(NamedTuple):
    """Seconds since the start of the machine named `boot`; empty where the system does not name its starts."""

    boot: str
    seconds: float


def machine_moment() -> Moment:
    """Now."""
    return Moment(_boot(), _seconds())


def lease_left(boot: str, start: float, end: float, now: Moment) -> float:
    """Seconds until a lease ends that was given at `start`; not above 0 when it is over.

    It is over when the machine has been started anew since. Without names of starts that is seen only as long as the
    new clock has not reached `start`; after that a dead process's lease can seem to run, for its own length at most.
    """
    if boot != now.boot or now.seconds < start:
        return 0.0
    return end - now.seconds


@cache
def _boot() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""


def _seconds() -> float:
    # Linux stops its monotonic clock in a suspend, and has another one; elsewhere the monotonic one goes on.
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
