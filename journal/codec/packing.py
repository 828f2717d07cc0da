"""Shapes joined with msgpack: a value to bytes and back, within limits, and the place where it failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgpack import Packer, unpackb

from journal.codec.errors import MisfitPayload, NestedTooDeep, PayloadTooLarge, UnencodableValue, UnreadablePayload
from journal.codec.shapes import Misfit, Part, Shape, exception_text

MAX_BYTES = 1_000_000
MAX_DEPTH = 128


class ByteForm:
    """Turns values of one shape into msgpack bytes and back.

    Args:
        shape: what the values look like.
        what: the value's name in messages, where every path starts.
        max_bytes: more than that is neither written nor read.
        recursive: the shape contains itself, so the depth of its values has to be watched.
    """

    def __init__(self, shape: Shape, what: str, max_bytes: int, *, recursive: bool) -> None:
        self._shape, self._what, self.max_bytes, self._recursive = shape, what, max_bytes, recursive
        # One packer for all values: `pack` is one call into C that never runs Python code, so it cannot be re-entered.
        self._encode, self._decode, self._pack = shape.encode, shape.decode, Packer().pack

    def encode(self, value: Any) -> bytes:
        """The bytes of `value`.

        Raises:
            UnencodableValue: it does not fit the shape, or msgpack cannot hold it.
            PayloadTooLarge, NestedTooDeep: it is over a limit.
        """
        try:
            plain = self._encode(value)
            if self._recursive:
                self._check_depth(plain)
            data = self._pack(plain)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a value's own properties may raise anything: it is the reason given
            raise self._unencodable(value, error) from _cause(error)
        if len(data) > self.max_bytes:
            raise PayloadTooLarge(self._what, len(data), self.max_bytes)
        return data  # type: ignore[no-any-return]  # msgpack is not annotated

    def decode(self, data: bytes) -> Any:
        """The value whose bytes are `data`.

        Raises:
            UnreadablePayload: they are not one whole msgpack value.
            MisfitPayload: that value does not fit the shape.
            PayloadTooLarge, NestedTooDeep: it is over a limit.
        """
        return self.restore(unpacked(data, self._what, self.max_bytes))

    def restore(self, plain: Any) -> Any:
        """The value whose plain form is `plain`.

        Raises:
            MisfitPayload, NestedTooDeep: as `decode`.
        """
        try:
            if self._recursive:
                self._check_depth(plain)
            return self._decode(plain, None)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a class's __post_init__ may raise anything: it is the reason given
            raise self._misfit(plain, error) from _cause(error)

    def _check_depth(self, plain: Any) -> None:
        level = [plain]
        for _ in range(MAX_DEPTH):
            level = [inner for outer in level if outer.__class__ in _NESTS for inner in _inner(outer)]
            if not level:
                return
        raise NestedTooDeep(self._what, MAX_DEPTH)

    def _unencodable(self, value: Any, error: Exception) -> Exception:
        if isinstance(error, (RecursionError, NestedTooDeep)):
            return NestedTooDeep(self._what, MAX_DEPTH)
        path, _, error = _blame(
            Part(self._what, self._shape, value),
            error,
            lambda part: self._pack(part.shape.encode(part.item)),
            lambda part: part.shape.parts(part.item),
        )
        return UnencodableValue(path, _why_unencodable(error))

    def _misfit(self, plain: Any, error: Exception) -> Exception:
        if isinstance(error, (RecursionError, NestedTooDeep)):
            return NestedTooDeep(self._what, MAX_DEPTH)
        path, last, error = _blame(
            Part(self._what, self._shape, plain),
            error,
            lambda part: part.shape.decode(part.item, None),
            lambda part: part.shape.plain_parts(part.item),
        )
        return MisfitPayload(path, last.shape.flaw(last.item) or _why_misfit(error))


def unpacked(data: bytes, what: str, max_bytes: int) -> Any:
    """The one msgpack value in `data`; lengths it declares are checked against its size before anything is reserved.

    Raises:
        UnreadablePayload, PayloadTooLarge: as `ByteForm.decode`.
    """
    try:
        if len(data) <= max_bytes:
            return unpackb(data, max_ext_len=0)
    except (ValueError, TypeError) as error:
        raise UnreadablePayload(what, f"it is not one msgpack value: {str(error) or type(error).__name__}") from None
    raise PayloadTooLarge(what, len(data), max_bytes)


def _blame(
    top: Part, error: Exception, attempt: Callable[[Part], object], parts: Callable[[Part], Sequence[Part]]
) -> tuple[str, Part, Exception]:
    """Descend from `top`, which failed, to the innermost part that fails; its path, itself and its error."""
    path, failing = top.step, top
    for _ in range(2 * MAX_DEPTH):
        found = _first_failure(failing, attempt, parts)
        if found is None:
            break
        failing, error = found
        path += failing.step
    return path, failing, error


def _first_failure(
    outer: Part, attempt: Callable[[Part], object], parts: Callable[[Part], Sequence[Part]]
) -> tuple[Part, Exception] | None:
    try:
        inner = parts(outer)
    except Exception:  # noqa: BLE001 - no parts can be looked at, so the failure is its own, and known already
        return None
    for part in inner:
        try:
            attempt(part)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for, and is reported
            return part, error
    return None


def _why_misfit(error: Exception) -> str:
    return str(error) if isinstance(error, Misfit) else exception_text(error)


def _why_unencodable(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return f"text that is not valid Unicode (a lone surrogate at {error.start})"
    if isinstance(error, OverflowError):
        return "an int outside of what msgpack holds, -2**63 to 2**64 - 1"
    return _why_misfit(error)


def _cause(error: Exception) -> Exception | None:
    return None if isinstance(error, Misfit) else error


_NESTS = (dict, list)


def _inner(plain: Any) -> Any:
    return plain.values() if plain.__class__ is dict else plain
