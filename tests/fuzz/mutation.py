"""Valid inputs made invalid, fast and repeatably: by their bytes, by their lengths, by the values packed in them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

MOST_BYTES = 4_096
MOST_BYTES_SOMETIMES = 65_536
_SOMETIMES = 0.002

FRAGMENTS: tuple[bytes, ...] = (
    b"\xc0",
    b"\xc1",  # no msgpack begins with it
    b"\xc2",
    b"\x00",
    b"\xff",
    b"\x90",
    b"\x80",
    b"\xa0",
    b"\xc4\x00",
    b"\xcf" + b"\xff" * 8,
    b"\xd3\x80" + b"\x00" * 7,
    b"\xcb\x7f\xf8" + b"\x00" * 6,  # NaN
    b"\xcb\x7f\xf0" + b"\x00" * 6,  # infinity
    b"\xcb\x7f\xef" + b"\xff" * 6,
    b"\xa3\xed\xa0\x80",  # a lone surrogate
    b"\xa2\xff\xfe",
    b"\xd6\xff\x00\x00\x00\x00",  # a timestamp
    b"\xc7\x0c\xff\xff\xff\xff\xff" + b"\xff" * 8,
    b"\xd4\x05\x00",
    b"\xc9\xff\xff\xff\xff\x01",
    b"\xdd\xff\xff\xff\xff",
    b"\xdd\x00\x0f\xff\xff",
    b"\xdc\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xdf\x00\x0f\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xdb\x00\x0f\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xda\xff\xff",
    b"\x81\x01\x01",
    b"\x81\xc0\xc0",
    b"\x81\x90\xc0",
    b"\x82\xa1a\xc0\xa1a\xc0",
    b"\x91" * 40,
    b"\x81\xa1k" * 40,
    b"\x91" * 600,
    b"\x00\x00\x00\x00",
    b"\x00\x00\x00\x01",
    b"\x80\x04\x95",  # how a pickle begins
    b"cos\nsystem\n(S'true'\ntR.",
    b"!!python/object/apply:os.system",
)
LENGTHS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0xFFFFF, 0x100000, 0x7FFFFFFF, 0xFFFFFFFF)


def _nested(depth: int) -> Any:
    value: Any = None
    for at in range(depth):
        value = [value] if at % 2 else {"children": [value]}
    return value


PLAINS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 2**31, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)),
    *(0.0, -0.0, 1.5, 1e308, -1e308, math.nan, math.inf, -math.inf),
    *("", "a", "1", "NaN", "-Infinity", "1e999999999", "9" * 60, "\x00", "\x1b[31m", "\u202e", "../../etc/passwd"),
    *("__class__", "__dict__", "args", "__traceback__", "os.system", "'; DROP TABLE booking_event; --"),
    *("2024-02-30T25:61:61", "9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00:00+23:59", "é" * 30),
    *(b"", b"\x00", b"\xff" * 16, b"\x91" * 30, b"\x80\x04\x95"),
    *([], {}, [[]], [None] * 20, {"": None}, {"a": {"a": {}}}, [[1, 1], [1, 1]], [["Free", {}], ["Free", {}]]),
    *(_nested(depth) for depth in (3, 30, 140, 300)),
    *(msgpack.ExtType(5, b"x"), msgpack.Timestamp(0, 1), msgpack.Timestamp(2**33, 999_999_999)),
)


class Mutator:
    """Gives inputs made from `samples`, the same ones for the same seed.

    Args:
        samples: valid inputs.
        seed: chooses all that is chosen.
        packed_from: where the msgpack in a sample begins; None when it is no msgpack.
    """

    def __init__(self, samples: Sequence[bytes], seed: int | str, packed_from: int | None = None) -> None:
        self._samples = samples
        self._random = random.Random(seed)
        self._from = packed_from
        self._plain = [] if packed_from is None else [(one[:packed_from], _plain(one[packed_from:])) for one in samples]
        self._steps: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._flip,
            self._set,
            self._cut,
            self._remove,
            self._repeat,
            self._noise,
            self._splice,
            self._length,
            self._fragment,
        )

    def next(self) -> bytes:
        """The next input, of at most 4 KiB, rarely 64 KiB."""
        chosen = self._random.random
        if self._plain and chosen() < 0.5:
            head, plain = self._plain[int(chosen() * len(self._plain))]
            try:
                made = bytearray(head + msgpack.packb(self._changed(plain), strict_types=False))
            except (ValueError, OverflowError):  # our own hostile value was nested too deep
                made = bytearray(head + FRAGMENTS[-5])
            steps = 0 if chosen() < 0.8 else 1
        else:
            made = bytearray(self._sample())
            steps = 1 + int(chosen() * chosen() * 6)
        for _ in range(steps):
            self._steps[int(chosen() * len(self._steps))](made)
        if chosen() < _SOMETIMES:
            made = made * (1 + self._below(200))
            return bytes(made[:MOST_BYTES_SOMETIMES])
        return bytes(made[:MOST_BYTES])

    def _below(self, count: int) -> int:
        return int(self._random.random() * count)

    def _sample(self) -> bytes:
        return self._samples[self._below(len(self._samples))]

    # --- steps on bytes

    def _flip(self, made: bytearray) -> None:
        if made:
            made[self._below(len(made))] ^= 1 << self._below(8)

    def _set(self, made: bytearray) -> None:
        if made:
            made[self._below(len(made))] = self._below(256)

    def _cut(self, made: bytearray) -> None:
        del made[self._below(len(made) + 1) :]

    def _remove(self, made: bytearray) -> None:
        at = self._below(len(made) + 1)
        del made[at : at + 1 + self._below(8)]

    def _repeat(self, made: bytearray) -> None:
        at = self._below(len(made) + 1)
        piece = made[at : at + 1 + self._below(32)]
        made[at:at] = piece * (1 + self._below(1 + self._below(30)))

    def _noise(self, made: bytearray) -> None:
        at = self._below(len(made) + 1)
        made[at:at] = self._random.randbytes(1 + self._below(9))

    def _splice(self, made: bytearray) -> None:
        other, at = self._sample(), self._below(len(made) + 1)
        made[at:] = other[self._below(len(other) + 1) :]

    def _length(self, made: bytearray) -> None:
        size = (1, 2, 4, 8)[self._below(4)]
        at, value = self._below(len(made) + 1), LENGTHS[self._below(len(LENGTHS))]
        made[at : at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "big")

    def _fragment(self, made: bytearray) -> None:
        at = self._below(len(made) + 1)
        made[at : at + self._below(3)] = FRAGMENTS[self._below(len(FRAGMENTS))]

    # --- steps on values

    def _changed(self, plain: Any) -> Any:
        """`plain` with one place in it changed."""
        kind, dice = plain.__class__, self._random.random()
        if kind is list and plain and dice < 0.8:
            at = self._below(len(plain))
            return [*plain[:at], self._changed(plain[at]), *plain[at + 1 :]]
        if kind is dict and plain and dice < 0.8:
            key = list(plain)[self._below(len(plain))]
            return {**plain, key: self._changed(plain[key])}
        if kind is bytes and dice < 0.6:
            return self._changed_bytes(plain)
        return self._other(plain)

    def _changed_bytes(self, data: bytes) -> bytes:
        """Bytes within: by what is packed in them, if anything is, or as they are."""
        inner = _plain(data)
        if inner.__class__ in (list, dict):
            packed: bytes = msgpack.packb(self._changed(inner))
            return packed
        made = bytearray(data)
        self._steps[self._below(len(self._steps))](made)
        return bytes(made)

    def _other(self, plain: Any) -> Any:
        """Something else in the place of `plain`."""
        dice = self._below(8)
        hostile = PLAINS[self._below(len(PLAINS))]
        if dice == 0:
            return [plain]
        if dice == 1 and plain.__class__ is list:
            return [*plain, hostile]
        if dice == 2 and plain.__class__ is dict:
            return {**plain, ("x", "name", 1, "")[self._below(4)]: hostile}
        if dice == 3 and plain.__class__ in (list, dict) and plain:
            return dict(list(plain.items())[1:]) if plain.__class__ is dict else plain[1:]
        if dice == 4 and plain.__class__ is str:
            return plain + (hostile if hostile.__class__ is str else "\ufffd")
        return hostile


def _plain(data: bytes) -> Any:
    try:
        return msgpack.unpackb(data, strict_map_key=False)
    except Exception:  # noqa: BLE001 - msgpack raises many kinds; then it is no msgpack
        return None
