"""What arguments of a node may be. A wrong one is named where it is given, not where it is first used."""

from __future__ import annotations

from types import UnionType


def check_kind(name: str, value: object, kind: type | UnionType, what: str) -> None:
    """Refuse a value of another kind, without repeating it: it may hold a password.

    Raises:
        TypeError: it is of another kind.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} is of type {type(value).__name__}: use {what}")


def check_number(name: str, value: object, *, zero: bool = False) -> None:
    """Refuse what is no number above 0; 0 itself, too, unless `zero`.

    Raises:
        TypeError: it is no number.
        ValueError: it is NaN, or too small.
    """
    what = "a number, 0 or more" if zero else "a number above 0"
    check_kind(name, value, int | float, what)
    if not (value > 0 or (zero and value == 0)):  # type: ignore[operator]
        raise ValueError(f"{name} is {value}: use {what}")


def check_address(name: str, address: object) -> None:
    """Refuse what is no pair of host and port.

    Raises:
        TypeError: it is none.
    """
    pair = isinstance(address, tuple | list) and len(address) == 2
    if not pair or not isinstance(address[0], str) or type(address[1]) is not int:  # type: ignore[index]
        raise TypeError(f"{name} is {address!r}: use a pair of host and port, such as ('127.0.0.1', 0)")
