"""Processes that this one starts: `aecorpy node`s, which end when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence

from aecorpy.cli.lifeline import Lifeline

LONGEST_LINE = 1_000_000  # bytes; more than that in one line is cut into several

Say = Callable[[str], object]


async def start_node(
    factory: str,
    name: str,
    lifeline: Lifeline,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Process:
    """Start `aecorpy node FACTORY --name NAME`, in a session of its own: Ctrl-C on the terminal is ours to pass on.

    Args:
        factory: `MODULE:FACTORY`.
        name: the node's.
        lifeline: whose end is the node's end.
        options: further arguments.
        environment: its environment variables; by default this process's.
    """
    command = [sys.executable, "-m", "aecorpy", "node", factory, "--name", name, "--lifeline", str(lifeline.fd)]
    return await asyncio.create_subprocess_exec(
        *command,
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        pass_fds=(lifeline.fd,),
        env=None if environment is None else dict(environment),
        start_new_session=True,
    )


async def ended(process: Process, out: Say, err: Say) -> int:
    """Pass its lines on until it has ended; its exit code, negative for a signal.

    Args:
        process: started by `start_node`.
        out, err: take a line of what it writes to standard output and to standard error.
    """
    assert process.stdout is not None, "it was started with pipes"
    assert process.stderr is not None, "it was started with pipes"
    await asyncio.gather(_lines(process.stdout, out), _lines(process.stderr, err))
    return await process.wait()


def pass_on(process: Process, number: int) -> None:
    """Send a signal to a process, if it is still there."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)


def stopped(exit_code: int) -> bool:
    """Whether a node that was sent SIGTERM ended well: in order, or by the signal itself, before it had begun."""
    return exit_code in (0, -signal.SIGTERM)


def how(exit_code: int) -> str:
    """How a process ended, in words."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"by signal {-exit_code}"


async def _lines(stream: asyncio.StreamReader, say: Say) -> None:
    rest = b""
    while chunk := await stream.read(65_536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            say(line.decode(errors="replace"))
        if len(rest) > LONGEST_LINE:
            say(rest.decode(errors="replace"))
            rest = b""
    if rest:
        say(rest.decode(errors="replace"))
