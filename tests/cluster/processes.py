"""Starts, signals and watches node processes; none of them outlives the block that it was started in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sharding.store import ClusterStore, StoreUnavailable, open_cluster_store
from tests.cluster.ledger import FAILED, Findings, Ledger, audit
from tests.cluster.notes import keys_by_shard, notes
from tests.cluster.program import Options
from tests.cluster.records import Records
from tests.waiting import eventually

START_LIMIT = 20.0


class ProcessEnded(Exception):
    """It cannot answer any more."""


class NodeProcess:
    """One node's process. Its log is the file `PROCESS.log` beside its records."""

    def __init__(self, options: Options, prefix: Sequence[str] = ()) -> None:
        self.options = options
        self.name = options.process
        self.log = Path(options.folder) / f"{options.process}.log"
        self.port = 0
        self._prefix = prefix
        self._process: Process | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last = 0
        self._started: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._reading: asyncio.Task[None] | None = None

    async def spawn(self) -> None:
        """Start the process."""
        command = [*self._prefix, sys.executable, "-X", "faulthandler", "-m", "tests.cluster.program"]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, self.options.as_json(), stdin=PIPE, stdout=PIPE, stderr=log
            )
        self._reading = asyncio.get_running_loop().create_task(self._read(self._process))

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            said = json.loads(line)
            if "n" in said:
                waiting = self._answers.pop(said["n"])
                if not waiting.done():
                    waiting.set_result(said)
            elif not self._started.done():
                self._started.set_result(said)
        for waiting in [*self._answers.values(), self._started]:
            if not waiting.done():
                waiting.set_result({"outcome": "unknown", "error": f"{self.name} ended"})
        self._answers.clear()

    async def said(self, within: float = START_LIMIT) -> dict[str, Any]:
        """What it said once it was started, or why it could not be."""
        async with asyncio.timeout(within):
            said: dict[str, Any] = await asyncio.shield(self._started)
            return said

    async def ready(self, within: float = START_LIMIT) -> None:
        """Return when the node is a member and takes requests."""
        said = await self.said(within)
        assert said.get("ready"), f"{self.name}: {said}\n{self.tail()}"
        self.port = said["port"]

    async def go(self) -> None:
        """Let a node that waits join."""
        await self.said()
        self._started = asyncio.get_running_loop().create_future()
        self._write(b"\n")
        await self.ready()

    async def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Its answer to a request; when it ends meanwhile the outcome is unknown."""
        if not self.is_alive:
            raise ProcessEnded(f"{self.name} has ended")
        self._last += 1
        waiting = self._answers[self._last] = asyncio.get_running_loop().create_future()
        self._write(json.dumps({"n": self._last, "do": do, **arguments}).encode() + b"\n")
        answer: dict[str, Any] = await waiting
        return answer

    def _write(self, line: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "started"
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process exists."""
        return self._process is not None and self._process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def freeze(self) -> None:
        """SIGSTOP; returns when the system says that it stands still."""
        self.signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.pid}/stat")
        await eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", every=0.001)

    def thaw(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def terminate(self, within: float = 15.0) -> int:
        """SIGTERM, and wait; its exit code."""
        self.signal(signal.SIGTERM)
        return await self.ended(within)

    async def ended(self, within: float = 10.0) -> int:
        """Wait until it has ended, and take what it still said; its exit code."""
        assert self._process is not None, "started"
        assert self._reading is not None, "started"
        async with asyncio.timeout(within):
            code = await self._process.wait()
            await self._reading
        return code

    async def close(self) -> None:
        """Let it not outlive this."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


class Fleet:
    """The processes of one cluster, by node name; a node that is started again is another process.

    Args:
        folder: for logs and records.
        url: journal and cluster store.
        defaults: options that all processes share.
    """

    def __init__(self, folder: Path, url: str, **defaults: Any) -> None:
        self.url = url
        self.nodes: dict[str, NodeProcess] = {}
        self.former: list[NodeProcess] = []
        self.ledger = Ledger()
        self.records = Records(folder)
        self.options = Options("fleet", url, "", "", str(folder), **defaults)
        self.keys = [keys[0] for keys in keys_by_shard(self.options.shards)]
        self._store: ClusterStore | None = None

    async def start(self, *names: str, prefix: Sequence[str] = (), **other: Any) -> list[NodeProcess]:
        """Start nodes at the same time, and wait until all are members."""
        started = [await self.spawn(name, prefix=prefix, **other) for name in names]
        for node in started:
            await node.ready()
        return started

    async def spawn(self, name: str, *, prefix: Sequence[str] = (), **other: Any) -> NodeProcess:
        """Start a node, and do not wait."""
        if name in self.nodes:
            self.former.append(self.nodes[name])
        number = sum(one.options.node == name for one in self.former) + 1
        options = replace(self.options, node=name, process=f"{name}.{number}", **other)
        node = self.nodes[name] = NodeProcess(options, prefix)
        await node.spawn()
        return node

    # --- who owns what

    def owned(self) -> dict[str, set[int]]:
        """The shards of each living process that can own any, by its own record."""
        self.records.refresh()
        return {
            name: set(self.records.owned_by(node.name))
            for name, node in self.nodes.items()
            if node.is_alive and node.options.weight > 0
        }

    def is_balanced(self, names: Collection[str] | None = None) -> bool:
        """Whether each shard has one owner among the living nodes, or those named, and none has too many or too few."""
        owned = {name: shards for name, shards in self.owned().items() if names is None or name in names}
        if not owned:
            return False
        mean = self.options.shards / len(owned)
        counts = [len(shards) for shards in owned.values()]
        whole = sum(counts) == self.options.shards == len(set().union(*owned.values()))
        return whole and max(counts) <= 1.1 * mean + 1 and min(counts) >= 0.9 * mean - 1

    async def balanced(self, *names: str, within: float = 15.0) -> None:
        """Wait until `is_balanced`."""
        try:
            await eventually(lambda: self.is_balanced(names or None), within=within, every=0.02)
        except AssertionError as error:
            counts = {name: len(shards) for name, shards in self.owned().items()}
            raise AssertionError(f"shards are not balanced: {counts}") from error

    async def coordinator(self) -> str:
        """The node that coordinates; empty while none does or the store is away."""
        if self._store is None:
            self._store = await open_cluster_store(self.url, self.options.cluster)
        try:
            picture = await self._store.picture()
        except StoreUnavailable:
            return ""
        return next((one.node for one in picture.members if one.incarnation == picture.coordinator), "")

    async def coordinates(self) -> NodeProcess:
        """The process that coordinates, once there is one that lives."""

        async def living() -> NodeProcess | None:
            node = self.nodes.get(await self.coordinator())
            return node if node is not None and node.is_alive else None

        found = await eventually(living)
        assert found is not None
        return found

    # --- calls

    async def write(self, by: str, key: str, within: float = 5.0) -> str:
        """A command to the note `key`, called on the node `by`; what its caller is told, which the ledger keeps."""
        command = self.ledger.new_id(by)
        self.ledger.note(command, "unknown")
        answer = await self.nodes[by].ask("write", key=key, id=command, within=within)
        outcome = str(answer.get("outcome", FAILED))
        self.ledger.note(command, outcome, str(answer.get("text", answer.get("error", ""))))
        return outcome

    async def write_to_all(self, by: str, shards: Collection[int] | None = None, within: float = 5.0) -> list[str]:
        """A command to a note of every shard, or of those named, at the same time; what the callers are told."""
        wanted = range(self.options.shards) if shards is None else sorted(shards)
        return await asyncio.gather(*(self.write(by, self.keys[shard], within) for shard in wanted))

    async def served(self, by: str, shards: Collection[int] | None = None, within: float = 10.0) -> None:
        """Wait until a note of every shard, or of those named, has answered a caller on the node `by`."""
        left = set(range(self.options.shards) if shards is None else shards)

        async def all_answered() -> bool:
            asked = sorted(left)
            outcomes = await self.write_to_all(by, asked, within=2.0)
            left.difference_update(shard for shard, one in zip(asked, outcomes, strict=True) if one == "answered")
            return not left

        await eventually(all_answered, within=within, what=f"every shard answers on {by}")

    async def audit(self) -> Findings:
        """Compare what callers were told, the journal and the owners' records."""
        self.records.refresh()
        return await audit(self.url, notes(self.options.shards), self.ledger, self.records.all)

    # --- the end

    async def close(self) -> None:
        """End all processes."""
        for node in [*self.nodes.values(), *self.former]:
            await node.close()
        if self._store is not None:
            await self._store.close()

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"=== {node.name}\n{node.tail(60)}" for node in [*self.former, *self.nodes.values()])


@asynccontextmanager
async def fleet(folder: Path, url: str, **defaults: Any) -> AsyncIterator[Fleet]:
    """A cluster of processes, which ends with the block."""
    one = Fleet(folder, url, **defaults)
    try:
        yield one
    finally:
        await one.close()
