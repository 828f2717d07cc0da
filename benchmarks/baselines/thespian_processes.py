"""Thespian's own multi-process base over TCP: asks per second of one actor, from outside.

Run as a program of its own that carries a mark in its environment. Its processes outlive a killed admin or parent, in
sessions of their own; the caller ends all that carry the mark.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from thespian.actors import Actor, ActorSystem

WARM_UP = 0.3  # seconds


class Echo(Actor):
    """Answers with what it was asked."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """One turn."""
        if isinstance(message, str):
            self.send(sender, message)  # type: ignore[no-untyped-call]


async def asks_per_second(payload_bytes: int, seconds: float) -> float:
    """Asks per second, measured by a fresh interpreter; nothing of it is left afterwards."""
    mark = f"AECORPY_BENCHMARK={secrets.token_hex(16)}"
    name, _, value = mark.partition("=")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(payload_bytes), str(seconds)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, name: value},
    )
    try:
        async with asyncio.timeout(seconds + 30):
            printed, _ = await process.communicate()
    finally:
        end_marked(mark)
        await process.wait()
    if process.returncode != 0:
        raise RuntimeError(f"{__name__} ended with exit code {process.returncode}")
    return float(printed)


def end_marked(mark: str) -> int:
    """Kill every process whose environment has the entry `mark`; how many there were."""
    ended = 0
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)
                ended += 1
        except (OSError, ValueError):
            continue  # it is somebody else's, or has ended meanwhile
    return ended


def measure(payload_bytes: int, seconds: float) -> float:
    """Asks per second, one at a time, as `ActorSystem.ask` is made for."""
    text = "x" * payload_bytes
    capabilities = {"Admin Port": _free_port(), "Convention Address.IPv4": None}
    system = ActorSystem("multiprocTCPBase", capabilities, transientUnique=True)
    try:
        echo = system.createActor(Echo)
        answered, began = 0, perf_counter() + WARM_UP
        while perf_counter() < began + seconds:
            if system.ask(echo, text, 5) != text:
                raise RuntimeError("the actor did not answer")
            answered += perf_counter() >= began
        return answered / seconds
    finally:
        system.shutdown()


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


if __name__ == "__main__":
    print(measure(int(sys.argv[1]), float(sys.argv[2])))
