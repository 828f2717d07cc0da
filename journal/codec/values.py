"""Codecs of one annotation: replies, states, and the arguments of a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar, overload

from journal.codec.annotations import Shapes
from journal.codec.errors import BadArguments, UnsupportedType
from journal.codec.fields import resolved, substituted
from journal.codec.packing import MAX_BYTES, ByteForm
from journal.codec.records import Field, misnamed
from journal.codec.shapes import Misfit, Part, Shape, misfit

T = TypeVar("T")
UnknownFields = Literal["error", "ignore"]


class ValueCodec(Generic[T]):
    """Encodes and decodes values of one annotation, such as `BookingState | None` or `tuple[Seat, ...]`.

    Nothing but the value is stored: neither a name nor a version, so both sides must agree on the annotation.

    Args:
        annotation: the type of the values; what is supported is listed in docs/codec.md.
        what: the value's name in error messages, such as "reply of Booking.status".
        max_bytes: more than that is neither written nor read.
        unknown_fields: "ignore" to skip fields that this program's classes do not have; refused otherwise.

    Raises:
        UnsupportedType: the annotation, or a field of a class in it, cannot be stored.
    """

    @overload
    def __init__(
        self: ValueCodec[T],
        annotation: type[T],
        *,
        what: str = ...,
        max_bytes: int = ...,
        unknown_fields: UnknownFields = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: ValueCodec[Any],
        annotation: object,
        *,
        what: str = ...,
        max_bytes: int = ...,
        unknown_fields: UnknownFields = ...,
    ) -> None: ...

    def __init__(
        self,
        annotation: Any,
        *,
        what: str = "value",
        max_bytes: int = MAX_BYTES,
        unknown_fields: UnknownFields = "error",
    ) -> None:
        shapes = Shapes(ignore_unknown=unknown_fields == "ignore")
        shape = shapes.of(annotation, what)
        self._form = ByteForm(shape, what, max_bytes, recursive=shapes.recursive)

    def encode(self, value: T) -> bytes:
        """The bytes of `value`; the same value gives the same bytes.

        Raises:
            UnencodableValue: it does not fit the annotation, or msgpack cannot hold it. The message says where.
            PayloadTooLarge, NestedTooDeep: it is over a limit.
        """
        return self._form.encode(value)

    def decode(self, data: bytes) -> T:
        """The value whose bytes are `data`.

        Raises:
            UnreadablePayload: they are not one whole msgpack value.
            MisfitPayload: they are, but it does not fit the annotation. The message says where.
            PayloadTooLarge, NestedTooDeep: it is over a limit.
        """
        return self._form.decode(data)  # type: ignore[no-any-return]  # the shape was built for T


class ArgumentsCodec:
    """Encodes the arguments of calls to one function, as a map from parameter to value.

    Arguments left to their defaults are not stored: the receiver's own defaults apply.

    Args:
        function: every parameter annotated, none of them `*args`, `**kwargs` or positional only. A first parameter
            `self` or `cls` without annotation is left out.
        variables: what stands for type variables in the annotations, as `variables_within` gives it.
        max_bytes: more than that is neither written nor read.

    Raises:
        UnsupportedType: a parameter has no annotation, or one that cannot be stored; names function and parameter.
    """

    def __init__(
        self, function: Callable[..., Any], *, variables: Mapping[Any, Any] | None = None, max_bytes: int = MAX_BYTES
    ) -> None:
        self._name = function.__qualname__
        shapes = Shapes()
        hints = _hints(function, variables or {})
        self._fields = [
            _parameter(hints, self._name, parameter, shapes) for parameter in _parameters_to_store(function)
        ]
        self._positional = [field.name for field in self._fields if not field.keyword]
        self._names = frozenset(field.name for field in self._fields)
        self._required = frozenset(field.name for field in self._fields if field.required)
        self._form = ByteForm(_Arguments(self._fields), self._name, max_bytes, recursive=shapes.recursive)

    def encode(self, *args: Any, **kwargs: Any) -> bytes:
        """The bytes of the arguments of one call.

        Raises:
            BadArguments: they do not fit the function's parameters.
            UnencodableValue: one of them does not fit its annotation, or msgpack cannot hold it.
            PayloadTooLarge, NestedTooDeep: they are over a limit.
        """
        if args:
            self._check_positional(args, kwargs)
            kwargs = {**dict(zip(self._positional, args, strict=False)), **kwargs}
        if not self._required <= kwargs.keys() <= self._names:
            raise self._wrong_names(kwargs)
        return self._form.encode(kwargs)

    def decode(self, data: bytes) -> dict[str, Any]:
        """The arguments by parameter, ready to be passed as `**kwargs`.

        Raises:
            UnreadablePayload: `data` is not one whole msgpack value.
            MisfitPayload: it is, but does not fit the parameters.
            PayloadTooLarge, NestedTooDeep: it is over a limit.
        """
        return self._form.decode(data)  # type: ignore[no-any-return]  # `_Arguments` makes dicts

    def _check_positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if len(args) > len(self._positional):
            raise BadArguments(f"{self._name}() takes {len(self._positional)} positional arguments, got {len(args)}")
        twice = [name for name in self._positional[: len(args)] if name in kwargs]
        if twice:
            raise BadArguments(f"{self._name}() is given {twice[0]!r} twice")

    def _wrong_names(self, kwargs: dict[str, Any]) -> BadArguments:
        unknown = [name for name in kwargs if name not in self._names]
        if unknown:
            return BadArguments(f"{self._name}() has no parameter {unknown[0]!r}")
        missing = [repr(field.name) for field in self._fields if field.required and field.name not in kwargs]
        return BadArguments(f"{self._name}() is called without {', '.join(missing)}")


def reply_codec(
    function: Callable[..., Any], *, variables: Mapping[Any, Any] | None = None, max_bytes: int = MAX_BYTES
) -> ValueCodec[Any]:
    """The codec of what `function` returns (of a coroutine function: what awaiting it gives), by its annotation.

    Args:
        function: has a return annotation.
        variables: what stands for type variables in it, as `variables_within` gives it.
        max_bytes: more than that is neither written nor read.

    Raises:
        UnsupportedType: it has none, or one that cannot be stored.
    """
    name = function.__qualname__
    hints = _hints(function, variables or {})
    if "return" not in hints:
        raise UnsupportedType(f"reply of {name}", "a reply without annotation", "say what it returns, such as -> None")
    return ValueCodec(hints["return"], what=f"reply of {name}", max_bytes=max_bytes)


class _Arguments(Shape):
    """The arguments of one function: a dict of those given, as a map."""

    def __init__(self, fields: list[Field]) -> None:
        self.expected, self.classes, self.kinds = "a dict", frozenset({dict}), frozenset({dict})
        self._fields = fields
        self._shapes = {field.name: field.shape for field in fields}
        encoders = {name: shape.encode for name, shape in self._shapes.items()}
        decoders = {name: shape.decode for name, shape in self._shapes.items()}
        required = {field.name for field in fields if field.required}

        def encode(value: dict[str, Any]) -> Any:
            # In the order of the parameters, so that the way of calling does not change the bytes.
            return {name: encoder(value[name]) for name, encoder in encoders.items() if name in value}

        def decode(plain: Any, _: Any) -> Any:
            if plain.__class__ is not dict:
                raise misfit(plain, "a map of arguments")
            if not required <= plain.keys():
                raise Misfit("arguments are missing")
            return {name: decoders[name](item, None) for name, item in plain.items()}

        self.encode, self.decode = encode, decode

    def parts(self, value: Any) -> list[Part]:
        """Each argument, by name."""
        return [Part(f".{name}", self._shapes[name], item) for name, item in value.items() if name in self._shapes]

    def plain_parts(self, plain: Any) -> list[Part]:
        """Each argument, by name."""
        return self.parts(plain) if plain.__class__ is dict else []

    def flaw(self, plain: Any) -> str | None:
        """Arguments that are missing or unknown."""
        return misnamed(plain, self._fields, ignore_unknown=False) if plain.__class__ is dict else None


def _parameters_to_store(function: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(function).parameters.values())
    if parameters and parameters[0].name in ("self", "cls") and parameters[0].annotation is inspect.Parameter.empty:
        return parameters[1:]
    return parameters


def _hints(function: Callable[..., Any], variables: Mapping[Any, Any]) -> dict[str, Any]:
    hints = resolved(function, function.__qualname__)
    return {name: substituted(annotation, variables) for name, annotation in hints.items()}


def _parameter(hints: Mapping[str, Any], name: str, parameter: inspect.Parameter, shapes: Shapes) -> Field:
    where = f"{name}.{parameter.name}"
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise UnsupportedType(
            where, str(parameter), f"parameters {parameter.kind.description} have no name of their own"
        )
    if parameter.name not in hints:
        raise UnsupportedType(where, "a parameter without annotation", "annotate it")
    required, keyword = parameter.default is parameter.empty, parameter.kind is parameter.KEYWORD_ONLY
    return Field(parameter.name, shapes.of(hints[parameter.name], where), required, keyword)
