"""Commands: the methods by which callers reach an entity."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from aecorpy.errors import InvalidDefinition

Method = TypeVar("Method", bound=Callable[..., Coroutine[Any, Any, Any]])

_MARK = "__aecorpy_command__"
_SUSPENDING = frozenset({"GET_AWAITABLE", "GET_AITER", "SEND", "YIELD_VALUE"})


def command(method: Method) -> Method:
    """Mark an `async def` of an entity as a command: it may append events, and is answered once they are committed."""
    return _marked(method, "command")


def query(method: Method) -> Method:
    """Mark an `async def` of an entity as a read-only command.

    It may not append. Its answer shows committed state only: it waits for the commits of what it saw.
    """
    return _marked(method, "query")


def _marked(method: Method, mark: str) -> Method:
    if not inspect.isfunction(method):
        raise InvalidDefinition(f"@{mark} stands above an `async def`, not above {method!r}")
    setattr(method, _MARK, mark)
    return method


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command as the runtime sees it.

    Args:
        name: the method's name.
        method: the method itself, unbound.
        read_only: declared with `@query`.
        suspends: its code holds an `await`; such a command runs as a task, any other within one turn of its actor.
    """

    name: str
    method: Callable[..., Coroutine[Any, Any, Any]]
    read_only: bool
    suspends: bool


def commands_of(entity: type) -> dict[str, CommandSpec]:
    """The commands that a class and its bases define, by name.

    Raises:
        InvalidDefinition: a command is not an `async def`.
    """
    found = {}
    for name, member in inspect.getmembers(entity, callable):
        mark = getattr(member, _MARK, None)
        if mark is None:
            continue
        if not inspect.iscoroutinefunction(member):
            raise InvalidDefinition(f"{entity.__name__}.{name}: a {mark} is an `async def`")
        found[name] = CommandSpec(name, member, mark == "query", _suspends(member))
    return found


def _suspends(method: Callable[..., Any]) -> bool:
    """Whether the code of an `async def` can suspend: without any await in it, it runs to its end at the first step."""
    code = getattr(method, "__code__", None)
    return code is None or any(step.opname in _SUSPENDING for step in dis.get_instructions(code))
