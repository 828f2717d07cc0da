"""Files an actor watches, as Thespian's ThespianWatch has it."""

from __future__ import annotations

import os
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, ThespianWatch, WatchMessage

from sharding.actors import AsyncActor, Engine
from tests.waiting import eventually


class Reader(AsyncActor):
    """Reads a file whenever something is there."""

    def __init__(self, file: int, seen: list[bytes]) -> None:
        super().__init__()
        self.file = file
        self.seen = seen

    def receiveMessage(self, message: Any, sender: ActorAddress) -> ThespianWatch | None:
        if message == "stop" or isinstance(message, ActorExitRequest):
            return None
        if isinstance(message, WatchMessage):
            assert message.ready == [self.file]
            self.seen.append(os.read(self.file, 100))
        return ThespianWatch([self.file])


async def test_an_actor_hears_of_a_file_it_watches_until_it_says_otherwise(engine: Engine) -> None:
    assert engine.capabilities["Thespian Watch Supported"]
    out, into = os.pipe()
    try:
        seen: list[bytes] = []
        reader = engine.create(lambda: Reader(out, seen))
        engine.tell(reader, "start")
        os.write(into, b"one")
        await eventually(lambda: seen == [b"one"])
        os.write(into, b"two")
        await eventually(lambda: seen == [b"one", b"two"])
        engine.tell(reader, "stop")
        await eventually(lambda: not engine.loop.remove_reader(out))
        engine.tell(reader, "start")
        engine.stop(reader)
        await eventually(lambda: engine.actors == 0)
        assert not engine.loop.remove_reader(out)
    finally:
        os.close(out)
        os.close(into)
