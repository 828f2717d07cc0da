"""Making the instance of an actor from a class, a dotted name or a factory."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from thespian.actors import Actor, InvalidActorSpecification, NoCompatibleSystemForActor

__all__ = ["ActorSource", "kind_of", "make", "resolve", "suits"]

ActorSource: TypeAlias = type[Actor] | Callable[[], Actor] | str


def resolve(source: ActorSource) -> type[Actor] | Callable[[], Actor]:
    """The class or factory meant by `source`; a string names a class in an importable module.

    Raises:
        InvalidActorSpecification: the string names no class, or it is neither class, name nor callable.
    """
    if isinstance(source, str):
        module, _, name = source.rpartition(".")
        if not module:
            raise InvalidActorSpecification(source, "a name must say the module too")
        source = getattr(importlib.import_module(module), name)
    if not callable(source):
        raise InvalidActorSpecification(source)
    return source


def kind_of(source: ActorSource) -> str:
    """A short name for logs: the class's, or the factory's."""
    name = source if isinstance(source, str) else getattr(source, "__name__", type(source).__name__)
    return name.rpartition(".")[2]


def suits(actor_class: type, capabilities: Mapping[str, Any], requirements: Mapping[str, Any] | None) -> bool:
    """Whether the actor's own `actorSystemCapabilityCheck`, if it has one, accepts this system."""
    check = getattr(actor_class, "actorSystemCapabilityCheck", None)
    return check is None or bool(check(capabilities, requirements or {}))


def make(source: Callable[..., Actor], capabilities: dict[str, Any], requirements: dict[str, Any] | None) -> Actor:
    """Build the instance; a class whose `__init__` names `capabilities` or `requirements` gets them.

    Raises:
        NoCompatibleSystemForActor: the actor refuses this system's capabilities.
        InvalidActorSpecification: what was built is no actor.
    """
    if isinstance(source, type):
        _check(source, capabilities, requirements)
        given = {"capabilities": capabilities, "requirements": requirements}
        instance = source(**{name: given[name] for name in _init_names(source)})
    else:
        instance = source()
        _check(type(instance), capabilities, requirements)
    if not isinstance(instance, Actor):
        raise InvalidActorSpecification(source, f"it made a {type(instance).__name__}, not an Actor")
    return instance


def _check(actor_class: type, capabilities: dict[str, Any], requirements: dict[str, Any] | None) -> None:
    if not suits(actor_class, capabilities, requirements):
        raise NoCompatibleSystemForActor(actor_class, "The capabilities of this system do not suffice")


@lru_cache(maxsize=1024)
def _init_names(actor_class: type[Actor]) -> tuple[str, ...]:
    names = inspect.signature(actor_class.__init__).parameters
    return tuple(name for name in ("capabilities", "requirements") if name in names)
