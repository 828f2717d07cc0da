"""What can go wrong between a typed value and its bytes. All of it is a `BadPayload`.

Three moments, told apart by class: when a codec is built (`UnsupportedType`, `UnnamedType`, `NameTaken`,
`BadUpcasters`), when a value is encoded (`UnencodableValue`, `PayloadTooLarge`, `NestedTooDeep`, `BadArguments`) and
when bytes are decoded (the rest).
"""

from __future__ import annotations

from collections.abc import Iterable

from journal.errors import BadPayload


class UnsupportedType(BadPayload, TypeError):
    """An annotation that the codec cannot store. Raised when the codec is built; `where` is class and field."""

    def __init__(self, where: str, annotation: object, reason: str) -> None:
        shown = annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
        super().__init__(f"{where}: cannot store {shown}: {reason}")
        self.where, self.annotation, self.reason = where, annotation, reason


class UnnamedType(BadPayload, TypeError):
    """A class without a name in the journal. Raised when the codec is built."""

    def __init__(self, cls: object) -> None:
        shown = cls.__qualname__ if isinstance(cls, type) else str(cls)
        ours = not isinstance(cls, type) or cls.__module__ != "builtins"
        todo = "decorate the class with" if ours else "put it into a dataclass under"
        super().__init__(f"{shown} has no name in the journal: {todo} @event(…) or @snapshot(…)")
        self.cls = cls


class NameTaken(BadPayload, TypeError):
    """Two classes claim one name. Raised when the codec is built."""

    def __init__(self, name: str, first: object, second: object) -> None:
        super().__init__(f"name {name!r} is claimed by {first} and by {second}: give one of them another")
        self.name = name


class BadUpcasters(BadPayload, ValueError):
    """Upcasters that form a cycle, leave a gap or stand twice. Raised when the codec is built."""


class UnencodableValue(BadPayload):
    """A value that does not fit its annotation, or that msgpack cannot hold. `path` is where in it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot store {path}: {reason}")
        self.path, self.reason = path, reason


class BadArguments(BadPayload, TypeError):
    """A call that does not fit the function's parameters: missing, unknown or given twice."""


class UnknownType(BadPayload):
    """A type that this codec was not built with: a name in the journal, or the class of a value."""

    def __init__(self, found: str, known: Iterable[str]) -> None:
        super().__init__(f"{found} is not known here; known are {', '.join(sorted(known)) or 'none'}")
        self.found = found


class NewerVersion(BadPayload):
    """The stored version is newer than this program's: an older program reads what a newer one wrote."""

    def __init__(self, name: str, version: int, known: int) -> None:
        super().__init__(
            f"{name!r} was stored in version {version}, this program knows versions up to {known}: "
            "it is older than the program that wrote it; upgrade it"
        )
        self.name, self.version, self.known = name, version, known


class MissingUpcaster(BadPayload):
    """The stored version is older than this program's, and no upcaster starts from it."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"no upcaster from version {version} of {name!r}: add one with @upcast({name!r}, {version}), "
            "and name it in `upcasters`"
        )
        self.name, self.version = name, version


class UpcastFailed(BadPayload):
    """An upcaster raised, or returned something else than a payload."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"the upcaster from version {version} of {name!r} failed: {reason}")
        self.name, self.version, self.reason = name, version, reason


class PayloadTooLarge(BadPayload):
    """More bytes than the codec's limit. `size` and `limit` are in bytes."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} takes {size} bytes, the limit is {limit}")
        self.size, self.limit = size, limit


class NestedTooDeep(BadPayload):
    """A value of a recursive type is nested deeper than the codec's limit, or contains itself."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"{what} is nested deeper than {limit} levels, or contains itself")
        self.limit = limit


class UnreadablePayload(BadPayload):
    """Bytes that are not one whole msgpack value: corrupt, cut short, or followed by more."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"cannot read {what}: {reason}")
        self.reason = reason


class MisfitPayload(BadPayload):
    """A msgpack value that does not fit the type it is read into. `path` is where in it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot read {path}: {reason}")
        self.path, self.reason = path, reason
