"""What events do to an entity's value: a counter, a register, or a list that is known by its length and a checksum."""

from __future__ import annotations

import zlib
from typing import Final

from tests.checker.records import Value

ADD: Final = "add"
WRITE: Final = "write"
APPEND: Final = "append"


def after(value: Value, op: str, arg: Value) -> Value:
    """The value behind one event more. An entity without events has the value None.

    Raises:
        ValueError: `op` is none of `ADD` (an integer to a counter), `WRITE` (to a register), `APPEND` (to a list).
    """
    if op == APPEND:
        return chained(value, arg)
    if op == ADD:
        return int(value or 0) + int(arg or 0)
    if op == WRITE:
        return arg
    raise ValueError(f"what does {op!r} do to a value?")


def chained(value: Value, item: Value) -> str:
    """A list's value, `length:checksum`, with one item more. Two lists have equal values only when they are equal."""
    length, _, checksum = str(value or "0:0").partition(":")
    return f"{int(length) + 1}:{zlib.crc32(str(item).encode(), int(checksum, 16)):x}"
