"""From annotations to shapes. What cannot be stored is refused here, with class and field."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from journal.codec.choices import EnumShape, LiteralShape
from journal.codec.containers import Distinct, Fixed, Keyed, Many
from journal.codec.errors import UnsupportedType
from journal.codec.fields import fields_of, is_record, substituted, variables_of
from journal.codec.records import Field, Raised, Record, tag_of
from journal.codec.scalars import SCALARS
from journal.codec.shapes import Deferred, Shape, an
from journal.codec.unions import Maybe, OneOf, Tagged, clash

_PLAIN_ARGUMENT = None | bool | int | float | str | bytes
_HINTS = {
    "Any": "name the types it may have, as a union",
    "object": "name the types it may have, as a union",
    "Sequence": "say tuple[…] or list[…], so that the same type comes back",
    "Iterable": "say tuple[…] or list[…], so that the same type comes back",
    "Collection": "say tuple[…] or list[…], so that the same type comes back",
    "Set": "say frozenset[…] or set[…], so that the same type comes back",
    "Mapping": "say dict[…], so that the same type comes back",
    "MutableMapping": "say dict[…], so that the same type comes back",
}


class Shapes:
    """Builds shapes, each record class once.

    Args:
        ignore_unknown: skip fields that a record does not have, instead of refusing the payload.

    Attributes:
        recursive: whether some type built here contains itself, so that its values have no bound to their depth.
    """

    def __init__(self, *, ignore_unknown: bool = False) -> None:
        self.recursive = False
        self._ignore_unknown = ignore_unknown
        self._built: dict[Hashable, Shape] = {}

    def of(self, annotation: Any, where: str) -> Shape:
        """The shape of `annotation`; `where` is its place, for messages.

        Raises:
            UnsupportedType: it, or something in it, cannot be stored.
        """
        if _is_alias(annotation):
            return self._once(annotation, Deferred(str(annotation), frozenset(), frozenset()), self._alias, where)
        target = bare(annotation)
        if target is not annotation:
            return self.of(target, where)
        if is_union(target):
            return self._union(target, where)
        origin = get_origin(target)
        if origin is Literal:
            return self._literal(target, where)
        if target is None:
            return SCALARS[NoneType]
        cls = origin or target
        if not isinstance(cls, type):
            raise UnsupportedType(where, annotation, _reason(annotation))
        return (
            SCALARS.get(cls) or self._container(cls, get_args(target), target, where) or self._class(cls, target, where)
        )

    def _container(self, cls: Any, arguments: tuple[Any, ...], target: Any, where: str) -> Shape | None:
        if cls not in _EXAMPLES:
            return None
        if not arguments and str(target) not in ("tuple[()]", "typing.Tuple[()]"):
            raise UnsupportedType(where, target, f"say what it holds, such as {_EXAMPLES[cls]}")
        if cls is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
            return Fixed([self.of(item, f"{where}[{at}]") for at, item in enumerate(arguments)])
        if cls is dict:
            return Keyed(self.of(arguments[0], f"{where} key"), self.of(arguments[1], f"{where}[…]"))
        item = self.of(arguments[0], f"{where}[…]")
        return Many(cls, item) if cls in (list, tuple) else Distinct(cls, item)

    def _union(self, target: Any, where: str) -> Shape:
        members = union_members(target)
        rest = [member for member in members if member is not NoneType]
        if len(rest) == 1:
            return Maybe(self.of(rest[0], where))
        shapes = [_tagged(self.of(member, where), member) for member in members]
        reason = clash(shapes)
        if reason:
            raise UnsupportedType(where, target, f"{reason}, so they could not be told apart")
        return OneOf(shapes)

    def _literal(self, target: Any, where: str) -> Shape:
        shape = LiteralShape(get_args(target))
        if shape.ambiguous:
            raise UnsupportedType(where, target, "two of its values are stored alike")
        return shape

    def _class(self, cls: type, target: Any, where: str) -> Shape:
        if issubclass(cls, Enum) and len(cls.__members__):
            return EnumShape(cls)
        if is_record(cls):
            return self._once(
                target, Deferred(an(cls.__name__), frozenset({cls}), frozenset({dict})), self._record, where
            )
        if issubclass(cls, BaseException):
            return Raised(cls, self.of(tuple[_PLAIN_ARGUMENT, ...], where))
        raise UnsupportedType(where, target, _reason(target))

    def _once(self, target: Any, stand_in: Deferred, build: Callable[[Any, str], Shape], where: str) -> Shape:
        """The shape of `target`, built once; a stand-in where it is asked for while it is being built."""
        found = self._built.get(target)
        if found is not None:
            self.recursive |= isinstance(found, Deferred)
            return found
        self._built[target] = stand_in
        stand_in.target = self._built[target] = build(target, where)
        return stand_in.target

    def _alias(self, target: Any, where: str) -> Shape:
        origin = get_origin(target)
        return self.of(target.__value__ if origin is None else origin.__value__[get_args(target)], where)

    def _record(self, target: Any, where: str) -> Shape:
        cls = get_origin(target) or target
        variables = variables_of(target)
        fields = [
            Field(name, self.of(substituted(annotation, variables), f"{cls.__qualname__}.{name}"), required, keyword)
            for name, annotation, required, keyword in fields_of(cls)
        ]
        return Record(cls, fields, ignore_unknown=self._ignore_unknown)


_EXAMPLES = {
    list: "list[str]",
    tuple: "tuple[str, ...]",
    set: "set[str]",
    frozenset: "frozenset[str]",
    dict: "dict[str, int]",
}


def bare(annotation: Any) -> Any:
    """The annotation without NewType, Annotated and Final around it."""
    while True:
        if isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif get_origin(annotation) in (Annotated, Final):
            annotation = get_args(annotation)[0]
        else:
            return annotation


def is_union(annotation: Any) -> bool:
    """Whether it is `A | B`, `Union` or `Optional`."""
    return get_origin(annotation) in (Union, UnionType)


def union_members(annotation: Any) -> list[Any]:
    """The members of a union, unions within it and aliases of unions taken apart; of anything else, itself."""
    target = bare(annotation)
    if _is_alias(target) and get_origin(target) is None and is_union(bare(target.__value__)):
        return union_members(target.__value__)
    if not is_union(target):
        return [NoneType if target is None else target]
    return list(dict.fromkeys(member for inner in get_args(target) for member in union_members(inner)))


def _is_alias(annotation: Any) -> bool:
    return type(get_origin(annotation) or annotation).__name__ == "TypeAliasType"


def _tagged(shape: Shape, member: Any) -> Shape:
    if isinstance(shape, (Record, Raised)):
        return Tagged(tag_of(shape.cls), shape)
    if isinstance(shape, Deferred) and shape.kinds:
        return Tagged(tag_of(get_origin(member) or member), shape)
    return shape


def _reason(annotation: Any) -> str:
    if isinstance(annotation, TypeVar):
        return "this type variable stands for nothing here: say which type, such as Page[Seat]"
    name = getattr(annotation, "__name__", "") or getattr(get_origin(annotation), "__name__", "")
    return _HINTS.get(name, "it is neither one of the codec's plain types nor a dataclass")
