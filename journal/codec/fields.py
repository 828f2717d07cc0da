"""What a class's constructor or a function takes: names and evaluated annotations, type variables filled in."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import attrs

from journal.codec.errors import UnsupportedType


def resolved(target: Callable[..., Any], where: str) -> dict[str, Any]:
    """The annotations of a function or class, evaluated.

    Raises:
        UnsupportedType: one of them cannot be evaluated.
    """
    try:
        return _evaluated(target)
    except NameError as error:
        name = str(error.name)
        raise UnsupportedType(
            f"{where}{_mention(target, name)}", name, "its annotation names what cannot be found"
        ) from None
    except Exception as error:  # evaluating an annotation runs the user's expressions, which may raise anything
        raise UnsupportedType(where, "its annotations", f"evaluating them raised {error!r}") from error


def _evaluated(target: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(target, include_extras=True)
    except NameError:
        # A class within a function can still mention itself.
        return get_type_hints(target, localns={target.__name__: target}, include_extras=True)


def _mention(target: Any, name: str) -> str:
    texts: Mapping[str, Any] = getattr(target, "__annotations__", {})
    return next((f".{field}" for field, text in texts.items() if isinstance(text, str) and name in text), "")


def is_record(cls: type) -> bool:
    """Whether it is a class with fields that its constructor takes."""
    return (
        dataclasses.is_dataclass(cls)
        or attrs.has(cls)
        or (issubclass(cls, tuple) and hasattr(cls, "_fields"))
        # An exception with a constructor of its own is stored by what that takes, any other by its `args`.
        or (issubclass(cls, BaseException) and inspect.isfunction(cls.__init__))
    )


def _parameters(cls: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(cls).parameters.values())


def fields_of(cls: type) -> list[tuple[str, Any, bool, bool]]:
    """Name, annotation, whether required and whether by keyword only, of what the constructor takes.

    Raises:
        UnsupportedType: an instance could not be restored from the fields it takes.
    """
    hints = _annotations(cls)
    fields = []
    for parameter in _parameters(cls):
        where = f"{cls.__qualname__}.{parameter.name}"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise UnsupportedType(where, parameter, "its constructor must take each field by name")
        if parameter.name not in hints:
            raise UnsupportedType(where, parameter, "its constructor takes it, but no field of that name is annotated")
        required, keyword = parameter.default is parameter.empty, parameter.kind is parameter.KEYWORD_ONLY
        fields.append((parameter.name, hints[parameter.name], required, keyword))
    return fields


def _annotations(cls: type) -> dict[str, Any]:
    """The evaluated annotations of its fields (an attrs field by the name the constructor takes it under)."""
    if attrs.has(cls):
        declared: Any = attrs.fields(cls)
    elif dataclasses.is_dataclass(cls):
        declared = dataclasses.fields(cls)
    else:
        return resolved(cls if issubclass(cls, tuple) else inspect.getattr_static(cls, "__init__"), cls.__qualname__)
    hints = resolved(cls, cls.__qualname__)
    for field in declared:
        if not field.init or getattr(field, "alias", field.name) != field.name:
            reason = "the constructor does not take it under its name, so it could not be restored"
            raise UnsupportedType(f"{cls.__qualname__}.{field.name}", hints.get(field.name), reason)
    return {field.name: hints.get(field.name, Any) for field in declared}


def variables_of(target: Any) -> dict[Any, Any]:
    """What stands for the type variables of a class and of the generic classes it inherits from."""
    cls = get_origin(target) or target
    variables = dict(zip(getattr(cls, "__parameters__", ()), get_args(target), strict=False))
    for base in getattr(cls, "__orig_bases__", ()):
        if get_origin(base) not in (None, Generic):
            inherited = variables_of(base)
            variables.update({name: substituted(value, variables) for name, value in inherited.items()})
    return variables


def variables_within(target: Any, owner: type) -> dict[Any, Any]:
    """What stands for the type variables of `owner`, which `target` is or inherits from; only of those that are given.

    Two classes on the way may use one variable for different things, so it matters whose they are.
    """
    cls = get_origin(target) or target
    own = dict(zip(getattr(cls, "__parameters__", ()), get_args(target), strict=False))
    if cls is owner:
        return own
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        origin = get_origin(base) or base
        if isinstance(origin, type) and issubclass(origin, owner):
            return {name: substituted(value, own) for name, value in variables_within(base, owner).items()}
    return {}


def substituted(annotation: Any, variables: Mapping[Any, Any]) -> Any:
    """The annotation with its type variables replaced by what stands for them."""
    if isinstance(annotation, TypeVar):
        return variables.get(annotation, annotation)
    open_ones = getattr(annotation, "__parameters__", ())
    if isinstance(annotation, type) or not open_ones:
        return annotation
    return annotation[tuple(variables.get(one, one) for one in open_ones)]
