"""Starts the processes of a run, and starts again what dies; every life of a node has a name of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.checker.records import Crashed, Paused, Record, Resumed
from tests.faults.setting import Setting, now
from tests.waiting import eventually

PAUSE = 0.3  # seconds before a process that ended is started again
STOP_WITHIN = 12.0
HOPELESS = 2  # the exit code of a node that can never run

NODE = ("-m", "aecorpy", "node", "tests.faults.hosting:node", "--stop-within", str(STOP_WITHIN), "--name")
CALLER = ("-m", "tests.faults.calling")

_log = logging.getLogger(__name__)


class Machine:
    """A node, over all its lives.

    Args:
        setting: of each process but for `life`.
        prefix: what the command begins with.
        record: takes the records of what was done to it.

    Attributes:
        calls: whether it is a caller and not one that owns shards.
        busy: held by whoever does something to it.
        findings: what should not be, in words.
        ends: how often a life ended that nobody ended.
    """

    def __init__(
        self, setting: Setting, record: Callable[[Record], None], *, calls: bool = False, prefix: Sequence[str] = ()
    ) -> None:
        self.setting = setting
        self.name = setting.node
        self.calls = calls
        self.busy = asyncio.Lock()
        self.findings: list[str] = []
        self.ends = 0
        self.life = ""
        self._record = record
        self._prefix = prefix
        self._lives = 0
        self._process: Process | None = None
        self._is_asked = False
        self._is_over = False
        self._crashed = ""
        self._done: dict[str, asyncio.Event] = {}

    @property
    def is_alive(self) -> bool:
        """Whether its process exists."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "started"
        return self._process.pid

    async def keep(self) -> None:
        """Start it, and again when it ends, until `end`."""
        while not self._is_over:
            code = await self._live()
            self._record_crash()
            if code == HOPELESS:
                self.findings.append(f"{self.life} can never run:\n{self.tail()}")
                return
            if not self._is_asked:
                self.ends += 1
                _log.warning("%s ended by itself with %d", self.life, code)
            await asyncio.sleep(PAUSE)

    async def _live(self) -> int:
        self._lives += 1
        self.life, self._is_asked = f"{self.name}.{self._lives}", False
        self._done = {}
        setting = replace(self.setting, life=self.life)
        command = CALLER if self.calls else (*NODE, self.name)
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._prefix, sys.executable, "-X", "faulthandler", *command,
                stdin=PIPE if self.calls else DEVNULL, stdout=PIPE, stderr=log, env=setting.environment(),
                start_new_session=True,
            )  # fmt: skip
        self._process = process
        if self._is_over:  # somebody ended it for good while it was being started
            process.kill()
        assert process.stdout is not None
        while line := await process.stdout.readline():
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                self._event("ready" if "ready" in said else said["done"]).set()
        return await process.wait()

    @property
    def log(self) -> Path:
        """What this life says."""
        return Path(self.setting.folder) / f"{self.life}.log"

    def tail(self, lines: int = 20) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _event(self, name: str) -> asyncio.Event:
        return self._done.setdefault(name, asyncio.Event())

    @property
    def owns(self) -> bool:
        """Whether this life has owned something, by its own record."""
        file = Path(self.setting.folder) / f"{self.life}.history"
        return file.exists() and file.stat().st_size > 0

    async def wish(self, what: str, within: float) -> None:
        """Tell a caller to do something, in each of its lives, and return when it has."""
        told = ""

        def is_done() -> bool:
            nonlocal told
            process = self._process
            if self.life != told and self.is_alive and process is not None and process.stdin is not None:
                told = self.life
                process.stdin.write(f"{what}\n".encode())
            return self._event(what).is_set()

        await eventually(is_done, within, 0.05, f"{self.name}: {what}")

    async def ready(self, within: float) -> None:
        """Return when a caller calls, in whichever of its lives."""
        await eventually(lambda: self._event("ready").is_set(), within, 0.1, f"{self.name} calls")

    # --- what is done to it

    def kill(self) -> None:
        """SIGKILL, if it lives."""
        if self.is_alive:
            self._signal(signal.SIGKILL)
            self._record_crash()

    def freeze(self) -> None:
        """SIGSTOP."""
        self._record(Paused(now(), self.life))
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)
        self._record(Resumed(now(), self.life))

    async def terminate(self) -> int:
        """SIGTERM, and wait for its end; the exit code."""
        process = self._process
        assert process is not None, "started"
        self._signal(signal.SIGTERM)
        return await process.wait()

    async def end(self) -> int:
        """SIGTERM for good; the exit code."""
        self._is_over = True
        return await self.terminate() if self.is_alive else 0

    def end_at_once(self) -> None:
        """SIGKILL for good."""
        self._is_over = True
        if self.is_alive:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        self._is_asked = self._is_asked or number in (signal.SIGKILL, signal.SIGTERM)
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _record_crash(self) -> None:
        if self._crashed != self.life:
            self._crashed = self.life
            self._record(Crashed(now(), self.life))
