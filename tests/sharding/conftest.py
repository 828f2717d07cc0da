"""An engine, and a region under a post that keeps what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sharding.actors import Engine
from tests.sharding.posts import Rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A region that has joined. It ends with nothing left over."""
    engine = Engine(asyncio.get_running_loop())
    yield Rig(engine)
    assert (await engine.shutdown()).clean
