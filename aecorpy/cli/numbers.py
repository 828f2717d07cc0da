"""Numbers and times as they are given on the command line."""

from __future__ import annotations

import argparse
import math
from datetime import datetime


def seconds(text: str) -> float:
    """A number of seconds above 0.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return number


def whole(text: str) -> int:
    """A whole number, 0 or above.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def time(text: str) -> datetime:
    """A time in ISO 8601, with its zone.

    Raises:
        ArgumentTypeError: it is none, or has no zone.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, such as 2026-03-04T05:06:07+00:00") from None
    if read.tzinfo is None:
        local = text if ":" in text else f"{text[:10]}T00:00:00"  # behind a date alone no zone can stand
        raise argparse.ArgumentTypeError(f"{text!r} has no zone: write {local}Z, or {local}+02:00")
    return read
