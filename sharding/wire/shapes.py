"""Readers compiled from annotations: each checks one plain msgpack value and gives it the declared form."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from sharding.wire.errors import UnfitMessageType

Reader = Callable[[Any], Any]

SCALARS = frozenset({int, float, str, bytes, bool, NoneType})
ALLOWED = "int, float, str, bytes, bool, None, unions of these, and tuples, lists and NamedTuples of them"
_MOST_SIGNATURES = 256


class Misfit(Exception):
    """A value that is not what the annotation says. The text names the place and types, never the value."""


def fields_of(cls: type) -> dict[str, Any]:
    """The fields of a NamedTuple class with their annotations.

    Raises:
        UnfitMessageType: it is no NamedTuple class, or its annotations cannot be resolved.
    """
    if not is_named_tuple(cls):
        raise UnfitMessageType(f"{cls!r} is not a NamedTuple class")
    try:
        hints = get_type_hints(cls)
        return {name: hints[name] for name in cls._fields}  # type: ignore[attr-defined]
    except (NameError, KeyError, TypeError) as error:
        raise UnfitMessageType(f"{cls.__qualname__}: cannot resolve its annotations: {error!r}") from error


def is_named_tuple(cls: object) -> bool:
    """Whether it is a class made with NamedTuple."""
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


def signatures(annotations: list[Any]) -> frozenset[tuple[type, ...]]:
    """The exact types that values of these annotations can have in a row; empty if some are no scalars, or too many."""
    choices = [_members(annotation) for annotation in annotations]
    count = 1
    for members in choices:
        if not SCALARS.issuperset(members):
            return frozenset()
        count *= len(members)
    return frozenset(product(*choices)) if count <= _MOST_SIGNATURES else frozenset()


def record_reader(cls: Any, outer: tuple[type, ...] = ()) -> Reader:
    """Reads a row of fields into an instance of the NamedTuple class `cls`.

    Args:
        cls: the class.
        outer: the classes it is compiled for as a part.

    Raises:
        UnfitMessageType: a field's annotation is not among what is allowed, or the class contains itself.
    """
    if cls in outer:
        raise UnfitMessageType(f"{cls.__qualname__} contains itself: the depth of a message must be known")
    fields = fields_of(cls)
    readers = [
        (f"{cls.__qualname__}.{name}", reader_of(annotation, f"{cls.__qualname__}.{name}", (*outer, cls)))
        for name, annotation in fields.items()
    ]
    return _row_reader(cls.__qualname__, signatures(list(fields.values())), readers, cls._make)


def reader_of(annotation: Any, where: str, outer: tuple[type, ...] = ()) -> Reader:
    """Reads one value of an annotation.

    Args:
        annotation: what the value must be.
        where: the place, for messages.
        outer: see `record_reader`.
    """
    members = _members(annotation)
    kinds = frozenset(member for member in members if _is_scalar(member))
    rows = [member for member in members if not _is_scalar(member)]
    if len(rows) > 1:
        raise UnfitMessageType(f"{where}: {annotation} could be read in more than one way; allowed are {ALLOWED}")
    return _scalar_or(kinds, _row_of(rows[0], where, outer) if rows else None, _named(annotation))


def _members(annotation: Any) -> tuple[Any, ...]:
    members = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)
    return tuple(NoneType if member is None else member for member in members)


def _is_scalar(member: Any) -> bool:
    return isinstance(member, type) and member in SCALARS


def _scalar_or(kinds: frozenset[type], row: Reader | None, expected: str) -> Reader:
    whole_numbers_too = float in kinds and int not in kinds

    def read(value: Any) -> Any:
        kind = type(value)
        if kind in kinds:
            return value
        if row is not None and kind is tuple:
            return row(value)
        if whole_numbers_too and kind is int:
            return float(value)
        raise Misfit(f"{expected} expected, {kind.__name__} found")

    return read


def _row_of(annotation: Any, where: str, outer: tuple[type, ...]) -> Reader:
    if is_named_tuple(annotation):
        return record_reader(annotation, outer)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is list:
        return _many_reader(arguments[0], where, outer, list)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _many_reader(arguments[0], where, outer, tuple)
    if origin is tuple:
        readers = [
            (f"{where}[{place}]", reader_of(argument, f"{where}[{place}]", outer))
            for place, argument in enumerate(arguments)
        ]
        return _row_reader(where, signatures(list(arguments)), readers, tuple)
    raise UnfitMessageType(f"{where}: {annotation!r} cannot be sent; allowed are {ALLOWED}")


def _many_reader(annotation: Any, where: str, outer: tuple[type, ...], make: Callable[[Any], Any]) -> Reader:
    kinds = frozenset(_members(annotation))
    item = reader_of(annotation, f"{where}[]", outer)
    plain = kinds <= SCALARS

    def read(values: tuple[Any, ...]) -> Any:
        if plain and kinds.issuperset(map(type, values)):
            return make(values)
        return make([item(value) for value in values])

    return read


def _row_reader(
    what: str, exact: frozenset[tuple[type, ...]], readers: list[tuple[str, Reader]], make: Callable[[Any], Any]
) -> Reader:
    count = len(readers)

    def read(values: tuple[Any, ...]) -> Any:
        if tuple(map(type, values)) in exact:
            return make(values)
        if len(values) != count:
            raise Misfit(f"{what}: {count} fields expected, {len(values)} found")
        row = []
        for (where, reader), value in zip(readers, values, strict=True):
            try:
                row.append(reader(value))
            except Misfit as misfit:
                text = str(misfit)
                raise Misfit(text if ": " in text else f"{where}: {text}") from None
        return make(row)

    return read


def _named(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
