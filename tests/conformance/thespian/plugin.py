"""A pytest plugin that lets Thespian's own tests, unchanged, run on our system base.

Loaded before the tests (`-p tests.conformance.thespian.plugin`), because each of their modules star-imports its
fixtures from `thespian.test`.
"""

from __future__ import annotations

import sys
import time
from types import ModuleType
from typing import Any

import pytest
import thespian.test
from thespian.actors import ActorSystem

from sharding.actors import AsyncioSystemBase

NAME = "asyncioBase"

# What the tests look at to choose between the behaviours of Thespian's own bases.
REPORTED_AS = "simpleSystemBase"

CAPABILITIES = {"Foo Allowed": True, "Cows Allowed": True, "Dogs Allowed": True, "dog": "food"}


def system_base(system: ActorSystem, logDefs: Any = None) -> AsyncioSystemBase:
    """What Thespian calls for a base it is given by name; system and engine share the capabilities."""
    return AsyncioSystemBase.in_thread(system.capabilities)


def start(capabilities: dict[str, Any]) -> ActorSystem:
    """A system on our base, described as the tests expect it."""
    system = ActorSystem(NAME, capabilities=capabilities, logDefs=False, transientUnique=True)
    vars(system).update(base_name=REPORTED_AS, port_num=None, txonly=False)
    return system


@pytest.fixture(params=[NAME])
def asys(request: pytest.FixtureRequest) -> ActorSystem:
    """The system of one test."""
    system = start(dict(CAPABILITIES))
    request.addfinalizer(system.shutdown)  # noqa: PT021 - the tests' other fixtures add theirs, in this order
    return system


def similar_asys(
    asys: ActorSystem,
    in_convention: bool = True,
    start_wait: bool = True,
    capabilities: dict[str, Any] | None = None,
) -> ActorSystem:
    """A second system beside the one of the test."""
    system = start(capabilities or {})
    if in_convention and start_wait:
        time.sleep(0.25)
    return system


def install() -> None:
    """Put the base where Thespian looks for bases, and the fixture where its tests look for theirs."""
    module = ModuleType(f"thespian.system.{NAME}")
    module.ActorSystemBase = system_base  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    thespian.test.asys = asys
    thespian.test.similar_asys = similar_asys


install()
