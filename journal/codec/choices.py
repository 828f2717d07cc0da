"""The shapes of values out of a fixed list: enums and `Literal`."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, Flag
from typing import Any

from journal.codec.shapes import Misfit, Shape, an, misfit, shown


class EnumShape(Shape):
    """An enum: its members' values when all of them are str or int, else their names."""

    def __init__(self, cls: type[Enum]) -> None:
        self.expected = an(cls.__name__)
        self.classes = frozenset({cls})
        members = cls.__members__.values()
        by_value = issubclass(cls, Flag) or all(member.value.__class__ in (str, int) for member in members)
        self.kinds = frozenset(
            {int} if issubclass(cls, Flag) else {m.value.__class__ for m in members} if by_value else {str}
        )
        attribute = "_value_" if by_value else "_name_"
        table = {getattr(member, attribute): member for member in members}
        self.encode = _enum_encoder(cls, attribute, self.expected)
        self.decode = _enum_decoder(table, self.kinds, self.expected, cls if by_value else table.__getitem__)


def _enum_encoder(cls: type[Enum], attribute: str, expected: str) -> Callable[[Any], Any]:
    def encode(value: Any) -> Any:
        if value.__class__ is not cls:
            raise misfit(value, expected)
        return getattr(value, attribute)

    return encode


def _enum_decoder(
    table: dict[Any, Enum], kinds: frozenset[type], expected: str, otherwise: Callable[[Any], Any]
) -> Callable[[Any, Any], Any]:
    def decode(plain: Any, _: Any) -> Any:
        # The class first: True == 1 == 1.0 would find each other's member.
        if plain.__class__ not in kinds:
            raise misfit(plain, expected)
        member = table.get(plain)
        if member is not None:
            return member
        try:
            return otherwise(plain)  # combined flags, and what the enum's own `_missing_` knows
        except (ValueError, KeyError):
            raise Misfit(f"{shown(plain)} is not {expected}") from None

    return decode


class LiteralShape(Shape):
    """A `Literal`: one of the values it lists, which are None, bool, int, str, bytes or members of enums."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.expected = f"one of {', '.join(map(shown, values))}"
        self.classes = frozenset(value.__class__ for value in values)
        plain = [value._value_ if isinstance(value, Enum) else value for value in values]
        self.kinds = frozenset(item.__class__ for item in plain)
        # Keyed by class too: Literal[1] is not Literal[True].
        self.encode = _chooser(dict(zip(_keys(values), plain, strict=True)), self.classes, self.expected)
        choose = _chooser(dict(zip(_keys(plain), values, strict=True)), self.kinds, self.expected)
        self.decode = lambda plain, _: choose(plain)
        self.ambiguous = len(set(_keys(plain))) < len(set(_keys(values)))


def _keys(values: Any) -> list[tuple[type, Any]]:
    return [(value.__class__, value) for value in values]


def _chooser(table: dict[tuple[type, Any], Any], classes: frozenset[type], expected: str) -> Callable[[Any], Any]:
    def choose(value: Any) -> Any:
        cls = value.__class__
        if cls not in classes:
            raise misfit(value, expected)
        try:
            return table[cls, value]
        except KeyError:
            raise Misfit(f"{shown(value)} is not {expected}") from None

    return choose
