"""Ending tasks for certain."""

from __future__ import annotations

import asyncio

import pytest

from aecorpy.processing.ending import end_all


async def obstinate(asked: asyncio.Queue[str], free: asyncio.Event) -> None:
    """Goes on, however often it is cancelled, until it is free to end."""
    while not free.is_set():
        try:
            await free.wait()
        except asyncio.CancelledError:
            asked.put_nowait("to end")


async def test_all_have_ended_when_it_returns() -> None:
    done = asyncio.ensure_future(asyncio.sleep(0))
    await done
    waiting = asyncio.ensure_future(asyncio.Event().wait())
    await asyncio.sleep(0)
    await end_all([done, waiting])
    assert waiting.cancelled()
    assert not done.cancelled()


async def test_who_is_cancelled_meanwhile_waits_on_and_hears_of_it_in_the_end() -> None:
    asked: asyncio.Queue[str] = asyncio.Queue(4)
    free = asyncio.Event()
    part = asyncio.ensure_future(obstinate(asked, free))
    await asyncio.sleep(0)
    ending = asyncio.ensure_future(end_all([part]))
    for _ in range(3):
        await asked.get()
        ending.cancel()
    await asked.get()
    assert not ending.done()
    free.set()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert part.done()
    assert not part.cancelled()
