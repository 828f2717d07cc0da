"""What a failed expectation says."""

from __future__ import annotations

from difflib import ndiff
from pprint import pformat
from typing import Any

WIDTH = 100


def difference(what: str, expected: Any, found: Any) -> str:
    """A message with both values, line by line: `-` was expected, `+` was found.

    Args:
        what: what they are, such as "events of Booking.place".
        expected, found: the two values, which differ.
    """
    lines = [line for line in ndiff(_lines(expected), _lines(found)) if not line.startswith("?")]
    if all(line.startswith(" ") for line in lines):
        lines = [f"- {_typed(expected)}", f"+ {_typed(found)}"]
    return "\n".join([f"{what} (- expected, + found):", *lines])


def listed(values: Any) -> str:
    """Values one below the other, for a message."""
    return "\n".join(f"    {value!r}" for value in values) or "    (none)"


def _lines(value: Any) -> list[str]:
    if isinstance(value, (tuple, list)) and value:
        return [line for item in value for line in _lines(item)]
    return pformat(value, width=WIDTH, sort_dicts=False).splitlines()


def _typed(value: Any) -> str:
    return f"{value!r} of type {type(value).__qualname__}"
