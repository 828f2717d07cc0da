"""An engine on the test's own loop, which must end clean."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sharding.actors import Engine


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """Shut down afterwards: no actor, no task may be left."""
    running = Engine()
    yield running
    report = await running.shutdown(timeout=5)
    assert report.clean, report
    assert running.actors == 0
    assert running.tasks == 0
