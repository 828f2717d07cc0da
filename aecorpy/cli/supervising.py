"""`aecorpy run`: several nodes on this machine, each in a process of its own; those that die are started again."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from typing import TextIO

from aecorpy.cli.children import ended, how, pass_on, start_node, stopped
from aecorpy.cli.failures import Failure
from aecorpy.cli.lifeline import Lifeline
from aecorpy.cli.wishes import EndWish, end_wish

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds before a node that died is started again
STABLE = 60.0  # seconds after which a node counts as one that works
KILL_AFTER = 5.0  # seconds beyond the time that stopping may take
USAGE = 2  # the exit code of a node that can never start

_log = logging.getLogger(__name__)


def supervise(options: argparse.Namespace) -> int:
    """Run the nodes until SIGTERM or Ctrl-C, and wait for their end; 0 when all have stopped in order.

    Raises:
        Failure: the nodes cannot be started the way they are asked for, or did not stop in order.
    """
    return asyncio.run(_supervise(options))


async def _supervise(options: argparse.Namespace) -> int:
    lifeline = Lifeline()
    children = [Child(options, f"{options.prefix}-{number}", lifeline) for number in range(1, options.nodes + 1)]
    with end_wish(at_once=lambda: kill_all(children)) as wish:
        try:
            async with asyncio.TaskGroup() as keepers:
                for child in children:
                    keepers.create_task(child.keep(wish))
        finally:
            lifeline.close()
    if any(child.is_hopeless for child in children):
        raise Failure(f"{options.factory} cannot be run: see above", USAGE)
    if not all(child.ended_well for child in children):
        raise Failure("not all nodes stopped in order: see above", 1)
    return 0


def kill_all(children: Sequence[Child]) -> None:
    """End them at once."""
    for child in children:
        child.kill()


class Pauses:
    """How long to wait before a node that died is started again: ever longer while it dies soon."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE

    def after(self, lived: float) -> float:
        """The pause after a life of so many seconds."""
        pause = FIRST_PAUSE if lived >= STABLE else self._next
        self._next = min(2 * pause, LONGEST_PAUSE)
        return pause


class Child:
    """One node, over all its lives.

    Args:
        options: of the command.
        name: the node's.
        lifeline: by which its process ends with this one.

    Attributes:
        is_hopeless: it ended saying that it can never start.
        ended_well: its last life ended as it was asked to.
    """

    def __init__(self, options: argparse.Namespace, name: str, lifeline: Lifeline) -> None:
        self.name = name
        self.is_hopeless = False
        self.ended_well = True
        self._options = options
        self._lifeline = lifeline
        self._process: Process | None = None
        self._pauses = Pauses()

    async def keep(self, wish: EndWish) -> None:
        """Start the node, and again when it dies, until somebody asks to end; then see it off."""
        clock = asyncio.get_running_loop().time
        while not wish.is_set:
            began = clock()
            try:
                code = await self._live(wish)
            except OSError as error:  # no memory, too many processes
                _log.warning("%s cannot be started: %s", self.name, error)
                code = 1
            if wish.is_set:
                self.ended_well = stopped(code)
                return
            if code == USAGE:
                self.is_hopeless = True
                wish.set(signal.SIGTERM)
                return
            pause = self._pauses.after(clock() - began)
            _log.warning("%s ended (%s): started again in %g s", self.name, how(code), pause)
            await wish.within(pause)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            pass_on(self._process, signal.SIGKILL)

    async def _live(self, wish: EndWish) -> int:
        more = ["--stop-within", str(self._options.stop_within), *(["--verbose"] if self._options.verbose else [])]
        process = self._process = await start_node(self._options.factory, self.name, self._lifeline, more)
        seeing_off = asyncio.ensure_future(self._see_off(process, wish))
        try:
            return await ended(process, self._to(sys.stdout, wish), self._to(sys.stderr, wish))
        finally:
            seeing_off.cancel()

    async def _see_off(self, process: Process, wish: EndWish) -> None:
        await wish.wait()
        pass_on(process, signal.SIGTERM)
        await asyncio.sleep(self._options.stop_within + KILL_AFTER)
        _log.error("%s did not end: it is killed", self.name)
        pass_on(process, signal.SIGKILL)

    def _to(self, stream: TextIO, wish: EndWish) -> Callable[[str], object]:
        def say(line: str) -> None:
            try:
                stream.write(f"{self.name} | {line}\n")
                stream.flush()
            except BrokenPipeError:  # nobody reads any more, as behind `| head`
                if not wish.is_set:
                    wish.set(signal.SIGPIPE)

        return say
