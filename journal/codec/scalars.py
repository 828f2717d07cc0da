"""The shapes of single values: what Python's own types look like in msgpack.

Checks are strict both ways: what would come back as something else does not go in. Subclasses of str, int, float and
datetime go in and come back as the plain type, to which they are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from journal.codec.shapes import Decode, Encode, Misfit, Shape, misfit

# Without it a program that turned the trap off in its own context would read garbage as NaN.
_TRAPPED = Context(traps=[InvalidOperation])


class Scalar(Shape):
    """One of Python's own immutable types."""

    def __init__(
        self, cls: type, expected: str, kind: type, encode: Encode, decode: Decode, also: Iterable[type] = ()
    ) -> None:
        self.expected, self.classes, self.kinds, self.also = (
            expected,
            frozenset({cls}),
            frozenset({kind}),
            frozenset(also),
        )
        self.encode, self.decode = encode, decode


def _encode_none(value: Any) -> None:
    if value is not None:
        raise misfit(value, "None")


def _decode_none(plain: Any, _: Any) -> None:
    if plain is not None:
        raise misfit(plain, "None")


def _encode_bool(value: Any) -> bool:
    if value is True or value is False:
        return value
    raise misfit(value, "a bool")


def _decode_bool(plain: Any, _: Any) -> bool:
    if plain is True or plain is False:
        return plain
    raise misfit(plain, "a bool")


def _encode_int(value: Any) -> int:
    if value.__class__ is int:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__int__(value)
    raise misfit(value, "an int")


def _decode_int(plain: Any, _: Any) -> int:
    if plain.__class__ is int:
        return plain
    raise misfit(plain, "an int")


def _encode_float(value: Any) -> float:
    if value.__class__ is float:
        return value
    if isinstance(value, float):
        return float.__float__(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise misfit(value, "a float")
    if float(value) != value:
        raise Misfit("an int that no float can hold exactly")
    return float(value)


def _decode_float(plain: Any, _: Any) -> float:
    if plain.__class__ is float:
        return plain
    if plain.__class__ is int:
        return float(plain)
    raise misfit(plain, "a float")


def _encode_str(value: Any) -> str:
    if value.__class__ is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    raise misfit(value, "a str")


def _decode_str(plain: Any, _: Any) -> str:
    if plain.__class__ is str:
        return plain
    raise misfit(plain, "a str")


def _encode_bytes(value: Any) -> bytes:
    if value.__class__ is bytes:
        return value
    raise misfit(value, "bytes")


def _decode_bytes(plain: Any, _: Any) -> bytes:
    if plain.__class__ is bytes:
        return plain
    raise misfit(plain, "bytes")


def _encode_decimal(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise misfit(value, "a Decimal")


def _decode_decimal(plain: Any, _: Any) -> Decimal:
    if plain.__class__ is not str:
        raise misfit(plain, "a Decimal (as str)")
    try:
        return Decimal(plain, _TRAPPED)
    except InvalidOperation:
        raise Misfit("a str that is no decimal number") from None


def _encode_uuid(value: Any) -> bytes:
    if isinstance(value, UUID):
        return value.bytes
    raise misfit(value, "a UUID")


def _decode_uuid(plain: Any, _: Any) -> UUID:
    if plain.__class__ is bytes and len(plain) == 16:
        return UUID(bytes=plain)
    raise misfit(plain, "a UUID (as 16 bytes)")


def _encode_date(value: Any) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return date.isoformat(value)
    raise misfit(value, "a date")


def _decode_date(plain: Any, _: Any) -> date:
    if plain.__class__ is str:
        return date.fromisoformat(plain)
    raise misfit(plain, "a date (as str)")


def _encode_time(value: Any) -> str:
    if isinstance(value, time):
        return time.isoformat(value)
    raise misfit(value, "a time")


def _decode_time(plain: Any, _: Any) -> time:
    if plain.__class__ is str:
        return time.fromisoformat(plain)
    raise misfit(plain, "a time (as str)")


def _encode_datetime(value: Any) -> str:
    if not isinstance(value, datetime):
        raise misfit(value, "a datetime")
    if value.tzinfo is None or value.utcoffset() is None:
        raise Misfit("a datetime without a time zone: give it one, such as datetime.now(UTC)")
    return datetime.isoformat(value)


def _decode_datetime(plain: Any, _: Any) -> datetime:
    if plain.__class__ is not str:
        raise misfit(plain, "a datetime (as str)")
    moment = datetime.fromisoformat(plain)
    if moment.tzinfo is None:
        raise Misfit("a datetime without a time zone")
    return moment


def _encode_timedelta(value: Any) -> int:
    if isinstance(value, timedelta):
        return (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    raise misfit(value, "a timedelta")


def _decode_timedelta(plain: Any, _: Any) -> timedelta:
    if plain.__class__ is int:
        return timedelta(microseconds=plain)
    raise misfit(plain, "a timedelta (as microseconds, an int)")


SCALARS: dict[type, Scalar] = {
    type(None): Scalar(type(None), "None", type(None), _encode_none, _decode_none),
    bool: Scalar(bool, "a bool", bool, _encode_bool, _decode_bool),
    int: Scalar(int, "an int", int, _encode_int, _decode_int),
    float: Scalar(float, "a float", float, _encode_float, _decode_float, also=[int]),
    str: Scalar(str, "a str", str, _encode_str, _decode_str),
    bytes: Scalar(bytes, "bytes", bytes, _encode_bytes, _decode_bytes),
    Decimal: Scalar(Decimal, "a Decimal", str, _encode_decimal, _decode_decimal),
    UUID: Scalar(UUID, "a UUID", bytes, _encode_uuid, _decode_uuid),
    date: Scalar(date, "a date", str, _encode_date, _decode_date),
    time: Scalar(time, "a time", str, _encode_time, _decode_time),
    datetime: Scalar(datetime, "a datetime", str, _encode_datetime, _decode_datetime),
    timedelta: Scalar(timedelta, "a timedelta", int, _encode_timedelta, _decode_timedelta),
}
"""By class; immutable and without state, hence shared by all codecs."""
