"""An engine, and a region under a post that keeps what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sharding.actors import Engine
from tests.sharding.posts import Rig


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """An engine, which ends with nothing left over."""
    engine = Engine(asyncio.get_running_loop())
    yield engine
    assert (await engine.shutdown()).clean


@pytest.fixture
def rig(engine: Engine) -> Rig:
    """A region that has joined."""
    return Rig(engine)
