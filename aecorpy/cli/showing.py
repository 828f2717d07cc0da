"""What the commands print: tables of plain text, again and again if that is wanted."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from aecorpy.cli.wishes import end_wish

SECONDS_BETWEEN = 1.0
CLEAR = "\033[H\033[2J\033[3J"


def write(text: str) -> None:
    """Print a text and a line's end, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def as_json(document: Any) -> str:
    """A document in one line."""
    return json.dumps(document, ensure_ascii=False)


def not_now(error: Exception, *, in_json: bool) -> str:
    """What whoever watches is shown while a store is away: it may come back, and they want to see that."""
    return as_json({"error": str(error)}) if in_json else f"not now: {error}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """The lines of a table, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


async def watch(text: Callable[[], Awaitable[str]], *, clears: bool) -> None:
    """Print what `text` returns every second, until SIGTERM or Ctrl-C.

    Args:
        text: what there is to see now.
        clears: each time on an empty screen, if it is one.
    """
    clear = CLEAR if clears and sys.stdout.isatty() else ""
    with end_wish() as wish:
        while True:
            write(f"{clear}{await text()}")
            if await wish.within(SECONDS_BETWEEN):
                return
