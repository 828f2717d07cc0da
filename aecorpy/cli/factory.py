"""From `MODULE:FACTORY` to a node that is not started."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

from aecorpy.cli.failures import Failure, described, place
from aecorpy.node import ClusterNode


def new_node(spec: str, name: str) -> ClusterNode:
    """What the factory returns for `name`. Modules are looked for in the current folder, too.

    Args:
        spec: `package.module:function`.
        name: the node's.

    Raises:
        Failure: there is no such factory, it raises, or returns something else.
    """
    factory = _factory(spec)
    try:
        node = factory(name)
    except Exception as error:
        raise Failure(f"{spec} raised {type(error).__name__}: {error}{place(error)}", 2, error) from error
    if inspect.iscoroutine(node):
        node.close()
        raise Failure(f"{spec} is an `async def`: the factory is a plain one, and returns a ClusterNode not started", 2)
    if not isinstance(node, ClusterNode):
        raise Failure(f"{spec} returned {node!r}: it has to return a ClusterNode that is not started", 2)
    return node


def _factory(spec: str) -> Callable[[str], Any]:
    module, colon, path = spec.partition(":")
    if not (module and colon and path):
        raise Failure(f"{spec!r} is not MODULE:FACTORY, such as tickets.main:node", 2)
    found: Any = _module(module)
    for part in path.split("."):
        if not hasattr(found, part):
            raise Failure(f"module {module!r} has no {path!r}", 2)
        found = getattr(found, part)
    if not callable(found):
        raise Failure(f"{spec} is {found!r}: it has to be a function that takes a node's name", 2)
    factory: Callable[[str], Any] = found
    return factory


def _module(name: str) -> Any:
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise Failure(f"there is no module {error.name!r} here ({os.getcwd()}) or installed", 2, error) from error
        raise Failure(f"module {name!r} cannot be imported: {described(error)}", 2, error) from error
    except (Exception, SystemExit) as error:
        raise Failure(f"module {name!r} cannot be imported: {described(error)}", 2, error) from error
