"""A stream of bytes cut into frames: four bytes of length, big-endian, then a body of that length."""

from __future__ import annotations

from struct import Struct

from sharding.wire.errors import BadFrame

LENGTH = Struct(">I")
_SIZE = LENGTH.size
_length_at = LENGTH.unpack_from


def framed(body: bytes) -> bytes:
    """`body` as a frame."""
    return LENGTH.pack(len(body)) + body


def unframed(frame: bytes) -> bytes:
    """The body of a whole frame."""
    return frame[LENGTH.size :]


class Splitter:
    """Takes bytes as they come and gives whole bodies.

    A declared length is judged as soon as its four bytes are there, before anything of the body is kept.

    Args:
        limit: the largest body taken, in bytes; may be changed between two bodies.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        if self._at:
            del self._buffer[: self._at]  # moves nothing: a bytearray only forgets its beginning
            self._at = 0
        self._buffer += data

    def next(self) -> bytes | None:
        """The next body, or None until more bytes arrive.

        Raises:
            BadFrame: its declared length is 0 or over the limit. The stream cannot be read any further.
        """
        buffer, start = self._buffer, self._at + _SIZE
        if len(buffer) < start:
            return None
        (length,) = _length_at(buffer, self._at)
        if not 0 < length <= self.limit:
            raise BadFrame(f"a frame of {length} bytes: the limit is {self.limit}" if length else "a frame of 0 bytes")
        end = start + length
        if len(buffer) < end:
            return None
        self._at = end
        return bytes(buffer[start:end])
