"""One node in a process of its own: `python -m tests.cluster.program OPTIONS`, steered by its standard input.

A line of JSON is a request, a line of JSON on standard output its answer; each has the request's number. SIGTERM stops
the node and ends the program with 0; the end of standard input ends it at once, so it outlives nobody who steers it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import pkgutil
import signal
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aecorpy import AecorError, ClusterNode, ClusterSettings, EntityRefs, JournalError, settle_heap
from aecorpy.errors import ClusterStoreError
from tests.cluster.ledger import told
from tests.cluster.notes import SHARDS, Note, notes, plain_actor
from tests.cluster.records import Recorder

REFUSED_TO_START = 3
PR_SET_PDEATHSIG = 1


@dataclass
class Options:
    """What a node process is started with; `process` names it in its events, records and logs.

    `hosts` says whether notes may live on it. `on_start` is `MODULE:FUNCTION`: a coroutine function that is called with
    the node and these options when notes are deployed.
    """

    cluster: str
    journal: str
    node: str
    process: str
    folder: str
    host: str = "127.0.0.1"
    port: int = 0
    secret: str = ""
    lease: float = 5.0
    weight: float = 1.0
    shards: int = SHARDS
    kind: str = "entity"
    hosts: bool = True
    on_start: str = ""
    waits: bool = False
    stop_seconds: float = 10.0
    settings: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))

    def new_node(self, recorder: Recorder) -> ClusterNode:
        """The node."""
        return ClusterNode(
            self.cluster,
            journal=self.journal,
            node=self.node,
            bind=(self.host, self.port),
            secret=self.secret.encode() or None,
            lease_seconds=self.lease,
            weight=self.weight,
            stop_seconds=self.stop_seconds,
            cluster=ClusterSettings(**self.settings),  # type: ignore[arg-type]
            on_owned=recorder,
        )


class Program:
    """See the module."""

    def __init__(self, options: Options, requests: asyncio.StreamReader) -> None:
        self._options = options
        self._requests = requests
        self._stop = asyncio.Event()
        self._refs: EntityRefs[Note] | None = None
        self._node: ClusterNode | None = None

    async def run(self) -> int:
        """The exit code."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        recorder = Recorder(Path(self._options.folder), self._options.process)
        try:
            if self._options.waits:
                say({"waits": True})
                await self._requests.readline()
            async with asyncio.TaskGroup() as group:
                return await self._serve(recorder, group)
        finally:
            recorder.close()

    async def _serve(self, recorder: Recorder, group: asyncio.TaskGroup) -> int:
        settle_heap()
        try:
            async with self._options.new_node(recorder) as node:
                await self._deploy(node)
                if self._options.on_start:
                    await pkgutil.resolve_name(self._options.on_start)(node, self._options)
                picture = await node.cluster.store.picture()  # what this node knows of itself may be on its way yet
                port = next(one.port for one in picture.members if one.incarnation == node.cluster.me)
                say({"ready": True, "port": port})
                reading = group.create_task(self._read(group))
                await self._stop.wait()
            reading.cancel()
        except (AecorError, JournalError, ClusterStoreError, OSError) as error:
            say({"error": f"{type(error).__name__}: {error}"})
            return REFUSED_TO_START
        return 0

    async def _deploy(self, node: ClusterNode) -> None:
        self._node = node
        if self._options.kind == "entity":
            self._refs = await node.deploy(notes(self._options.shards), hosts=self._options.hosts)
        else:
            await node.deploy(plain_actor(), shards=self._options.shards)

    async def _read(self, group: asyncio.TaskGroup) -> None:
        while line := await self._requests.readline():
            group.create_task(self._answer(json.loads(line)))
        os._exit(1)  # whoever steered us is gone

    async def _answer(self, request: dict[str, Any]) -> None:
        node, refs = self._node, self._refs
        assert node is not None, "requests are read once it is there"
        answer: dict[str, Any] = {"n": request["n"]}
        match request["do"]:
            case "write" if refs is not None:
                call = refs.within(request["within"])(request["key"]).write(request["id"])
                answer["outcome"], answer["text"] = await told(call)
            case "written" if refs is not None:
                answer["outcome"], answer["text"] = await told(refs.within(request["within"])(request["key"]).written())
            case "live" if refs is not None:
                answer["live"] = node.live_entities(refs.behaviour.entity)
            case "incarnation":
                answer["incarnation"] = node.cluster.me
            case other:
                answer["error"] = f"cannot {other}"
        say(answer)


def say(what: dict[str, Any]) -> None:
    """A line of JSON on standard output."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(what), flush=True)


async def main(options: Options) -> int:
    """Run the program."""
    requests = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    return await Program(options, requests).run()


def die_with_parent() -> None:
    """Also when it is frozen and cannot see its standard input end; on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    die_with_parent()
    given = Options(**json.loads(sys.argv[1]))
    Note.by = given.process
    logging.basicConfig(
        level=os.environ.get("NODE_LOG", "INFO"),
        format=f"%(asctime)s.%(msecs)03d {given.process} %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
    sys.exit(asyncio.run(main(given)))
