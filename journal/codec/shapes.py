"""What every shape has: the two generated functions, and the means to say where one of them failed.

A *shape* knows how values of one annotation become plain msgpack data (None, bool, int, float, str, bytes, list,
dict) and back. `encode` and `decode` are plain closures, because they are the hot path; they raise whatever comes,
without a place. When one fails, `blame` walks from the top to the part that fails, and only then is the place worked
out.
"""

from __future__ import annotations

import reprlib
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Encode = Callable[[Any], Any]
# The second argument is the target type that cattrs hands to every structuring hook; ours know it already.
Decode = Callable[[Any, Any], Any]


class Misfit(Exception):
    """A value or its plain form is not what the shape expects. Never leaves the codec."""


class Shape:
    """How values of one annotation become plain data, and back.

    Attributes:
        expected: what its values are, for messages: "a UUID".
        classes: the classes of its values, by which a union chooses when it encodes.
        also: further classes it takes when no other member of a union claims them (an int for a float).
        kinds: the classes of its plain form, by which a union chooses when it decodes.
    """

    expected: str
    classes: frozenset[type]
    also: frozenset[type] = frozenset()
    kinds: frozenset[type]
    encode: Encode
    decode: Decode

    def parts(self, value: Any) -> Sequence[Part]:
        """The parts that `encode` of `value` goes through, in order."""
        return ()

    def plain_parts(self, plain: Any) -> Sequence[Part]:
        """The parts that `decode` of `plain` goes through, in order."""
        return ()

    def flaw(self, plain: Any) -> str | None:
        """Why `plain` cannot be decoded although all its parts can, if the shape knows better than the exception."""
        return None


class Part(NamedTuple):
    """One part of a value or of its plain form: how the path goes on, its shape, and itself."""

    step: str
    shape: Shape
    item: Any


class Deferred(Shape):
    """Stands for a shape that is still being built: a type that contains itself."""

    def __init__(self, expected: str, classes: frozenset[type], kinds: frozenset[type]) -> None:
        self.expected, self.classes, self.kinds = expected, classes, kinds
        self.target: Shape | None = None

        def encode(value: Any) -> Any:
            return self._built.encode(value)

        def decode(plain: Any, _: Any) -> Any:
            return self._built.decode(plain, _)

        self.encode, self.decode = encode, decode

    @property
    def _built(self) -> Shape:
        assert self.target is not None, "used before it was built"
        return self.target

    def parts(self, value: Any) -> Sequence[Part]:
        """Those of the shape it stands for."""
        return self._built.parts(value)

    def plain_parts(self, plain: Any) -> Sequence[Part]:
        """Those of the shape it stands for."""
        return self._built.plain_parts(plain)

    def flaw(self, plain: Any) -> str | None:
        """That of the shape it stands for."""
        return self._built.flaw(plain)


def misfit(found: Any, expected: str) -> Misfit:
    """The error for a value of the wrong class; it names classes, never the value, which may be private."""
    return Misfit(f"{an(type(found).__name__)} where {expected} is expected")


def an(noun: str) -> str:
    """The noun with its article."""
    return noun if noun == "NoneType" else f"{'an' if noun[0] in 'aeiouAEIO' else 'a'} {noun}"


def exception_text(error: BaseException) -> str:
    """Type and message of an exception, even if its own `__str__` raises."""
    return "".join(traceback.format_exception_only(error)).strip()


def shown(value: Any) -> str:
    """A short representation for messages: keys, enum values and the like."""
    return reprlib.repr(value)
