"""The demo's node processes."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from aecorpy import AecorError
from aecorpy.cli.children import ended, how, pass_on, start_node, stopped
from aecorpy.cli.lifeline import Lifeline
from aecorpy.demo.hosting import PAYMENTS_FILE, STORE

FACTORY = "aecorpy.demo.hosting:node"
STOP_WITHIN = 15.0  # seconds
LINES_KEPT = 5


@dataclass(slots=True)
class Machine:
    """A node process.

    Args:
        process: it.
        said: its last lines.
        watching: ends with it, and gives its exit code.
        is_to_end: whether it was asked to end, or killed, by us.
    """

    process: Process
    said: deque[str]
    watching: asyncio.Task[int]
    is_to_end: bool = field(default=False)


class Fleet:
    """The node processes over one store. None of them outlives this one, however it ends.

    Use it as `async with Fleet(url, path) as fleet`; leaving the block kills what still runs.

    Args:
        url: the store's.
        path: the payments' file.

    Attributes:
        findings: nodes that did not end the way they should, as text.
    """

    def __init__(self, url: str, path: Path) -> None:
        self.findings: list[str] = []
        self._environment = {**os.environ, STORE: url, PAYMENTS_FILE: str(path)}
        self._machines: dict[str, Machine] = {}
        self._lifeline = Lifeline()

    async def __aenter__(self) -> Fleet:
        return self

    async def __aexit__(self, *_: object) -> None:
        for machine in self._machines.values():
            machine.is_to_end = True
            pass_on(machine.process, signal.SIGKILL)
        await asyncio.gather(*(machine.watching for machine in self._machines.values()), return_exceptions=True)
        self._lifeline.close()

    async def start(self, name: str) -> None:
        """Start a node's process; whether it is up is to be seen in the store."""
        options = ["--stop-within", str(STOP_WITHIN)]
        process = await start_node(FACTORY, name, self._lifeline, options, self._environment)
        said: deque[str] = deque(maxlen=LINES_KEPT)
        watching = asyncio.ensure_future(ended(process, said.append, said.append))
        self._machines[name] = machine = Machine(process, said, watching)
        watching.add_done_callback(lambda _: self._ended(name, machine))

    def kill(self, name: str) -> None:
        """End a node's process by SIGKILL."""
        machine = self._machines[name]
        machine.is_to_end = True
        pass_on(machine.process, signal.SIGKILL)

    def check(self) -> None:
        """Do nothing while all nodes live that are to live.

        Raises:
            AecorError: one has ended; the message has its last lines.
        """
        if self.findings:
            raise AecorError(self.findings[0])

    async def stop(self) -> None:
        """Ask all nodes to stop, and wait for that; one that does not end well is a finding."""
        stopping = {name: one for name, one in self._machines.items() if not one.watching.done()}
        for machine in stopping.values():
            machine.is_to_end = True
            pass_on(machine.process, signal.SIGTERM)
        for name, machine in stopping.items():
            code = await machine.watching
            if not stopped(code):
                self._find(name, machine, f"did not stop in order ({how(code)})")

    def _ended(self, name: str, machine: Machine) -> None:
        if not machine.is_to_end and not machine.watching.cancelled():
            self._find(name, machine, f"ended by itself ({how(machine.watching.result())})")

    def _find(self, name: str, machine: Machine, what: str) -> None:
        self.findings.append(f"{name} {what}; its last lines: {' / '.join(machine.said)}")
