"""How far a run is: a bar on a terminal (with `rich`, the extra `demo`), a line a second elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Advance: TypeAlias = Callable[[int], None]
SECONDS_BETWEEN_LINES = 1.0


@contextmanager
def progress(name: str, total: int, unit: str, clock: Callable[[], float]) -> Iterator[Advance]:
    """Show progress while the block runs; it calls what it gets with the number of units done since the last call.

    Args:
        name: what the lines begin with.
        total: how many units there are.
        unit: what they are called, in the plural.
        clock: seconds that only grow.
    """
    shown = _bar(name, total, unit) if sys.stdout.isatty() else None
    if shown is None:
        yield _lines(name, total, unit, clock)
        return
    with shown as advance:
        yield advance


def _bar(name: str, total: int, unit: str) -> _Bar | None:
    try:
        return _Bar(name, total, unit)
    except ImportError:  # rich is an extra
        return None


class _Bar:
    def __init__(self, name: str, total: int, unit: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn(name), BarColumn(None), MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn())
        self._progress = Progress(*columns, expand=True)
        self._task = self._progress.add_task(name, total=total)

    def __enter__(self) -> Advance:
        self._progress.start()
        return lambda units: self._progress.advance(self._task, units)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _lines(name: str, total: int, unit: str, clock: Callable[[], float]) -> Advance:
    began = last = clock()
    done = 0

    def advance(units: int) -> None:
        nonlocal done, last
        done += units
        if clock() - last >= SECONDS_BETWEEN_LINES:
            last = clock()
            print(f"{name}: {done:,} of {total:,} {unit}, {last - began:.0f} s", flush=True)

    return advance
