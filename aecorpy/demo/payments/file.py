"""A file of payments: one JSON object a line, which others append to."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

MAX_ID_BYTES = 512
MAX_LINE_BYTES = 8_192
CHUNK_BYTES = 65_536


class BadLine(ValueError):
    """A line of the file is no payment; says why."""


class FileShrank(Exception):
    """The file is shorter than what was read of it: it is not the one that it was."""


@dataclass(frozen=True, slots=True)
class Payment:
    """Money for a booking."""

    payment_id: str
    booking_id: str

    def line(self) -> bytes:
        """As a line of the file."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> Payment:
        """The payment that stands in `line`.

        Raises:
            BadLine: none.
        """
        if len(line) > MAX_LINE_BYTES:
            raise BadLine(f"it has more than {MAX_LINE_BYTES:,} bytes")
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadLine(f"it is no JSON: {error}") from error
        if not isinstance(document, dict):
            raise BadLine("it is no JSON object")
        return cls(_id(document, "payment_id"), _id(document, "booking_id"))


def _id(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise BadLine(f"{name} is no text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise BadLine(f"{name} is no text: {error}") from error
    if size > MAX_ID_BYTES or "\0" in value:
        raise BadLine(f"{name} has more than {MAX_ID_BYTES} bytes, or holds NUL")
    return value


class Line(NamedTuple):
    """A line without its end, at most a little more than may be; `begin` and `end` are where it and the next begin."""

    text: bytes
    begin: int
    end: int


async def lines_from(path: Path, position: int) -> list[Line]:
    """The next whole lines from `position` on, a few hundred at most; none when there is none yet.

    A last line without its end is not there yet: somebody is writing it. Of a line that is too long only the beginning
    is kept.

    Raises:
        FileShrank: the file ends before `position`.
        OSError: it cannot be read.
    """
    return await asyncio.to_thread(_lines_from, path, position)


def _lines_from(path: Path, position: int) -> list[Line]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        if position:
            raise FileShrank(f"{path} is gone, of which {position:,} bytes were read") from None
        return []
    with file:
        if file.seek(0, 2) < position:
            raise FileShrank(f"{path} has {file.tell():,} bytes, of which {position:,} were read")
        file.seek(position)
        found: list[Line] = []
        text, begin, end = b"", position, position
        while not found and (chunk := file.read(CHUNK_BYTES)):
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                end += len(part) + 1
                found.append(Line((text + part)[: MAX_LINE_BYTES + 1], begin, end))
                text, begin = b"", end
            text = (text + rest)[: MAX_LINE_BYTES + 1]
            end += len(rest)
        return found


class PaymentsFile:
    """The end at which payments are appended, by one program at a time.

    Args:
        path: where; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = asyncio.Lock()

    async def append(self, line: bytes, pause: float | None = None) -> None:
        """Append a line, its end included.

        Args:
            line: what.
            pause: seconds between its two halves, as of a writer who is slow; all at once by default.
        """
        half = len(line) // 2 if pause is not None else 0
        async with self._turn:
            if half:
                await asyncio.to_thread(self._append, line[:half])
                await asyncio.sleep(pause or 0.0)
            await asyncio.to_thread(self._append, line[half:])

    def _append(self, part: bytes) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(part)
