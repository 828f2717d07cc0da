"""What can be asked of `aecorpy`, and what comes of it as an exit code."""

from __future__ import annotations

import argparse
import sys

from aecorpy.cli.failures import Failure
from aecorpy.cli.logs import log_to_stderr
from aecorpy.cli.numbers import seconds
from aecorpy.cli.projections import add_projections
from aecorpy.cli.serving import STOP_WITHIN, serve
from aecorpy.cli.status import status
from aecorpy.cli.supervising import supervise

DESCRIPTION = "Run the nodes of a cluster, look at it, and operate what runs over it."
EPILOG = """\
Exit codes: 0 when all went well; 1 when it did not; 2 for what can never go well, such as a wrong argument; 128 and
the signal's number when a second signal ended it at once.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: as on the command line, without the program's name; by default the process's.

    Returns:
        the exit code.

    Raises:
        SystemExit: the arguments are wrong (2), or help was asked for (0).
    """
    options = _parser().parse_args(arguments)
    log_to_stderr(verbose=options.verbose)
    try:
        code: int = options.run(options)
    except Failure as failure:
        sys.stderr.write(f"aecorpy: {failure}\n")
        return failure.exit_code
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aecorpy", description=DESCRIPTION, epilog=EPILOG)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_node(commands.add_parser("node", help="run one node", description="Run one node until SIGTERM or Ctrl-C."))
    _add_run(
        commands.add_parser(
            "run",
            help="run several nodes on this machine",
            description="Run several nodes on this machine, each in a process of its own, and restart those that die.",
        )
    )
    _add_status(
        commands.add_parser(
            "status", help="show a cluster", description="Show nodes and shards of a cluster. Changes nothing."
        )
    )
    add_projections(
        commands.add_parser(
            "projections",
            help="show and change what runs over a cluster",
            description="Projections, process managers and other processes: show them, pause, resume, skip, replay.",
        )
    )
    return parser


def _add_node(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=serve)
    _add_factory(parser)
    parser.add_argument("--name", help="the node's name; keep it over restarts (default: HOST-PID)")
    parser.add_argument("--lifeline", type=int, metavar="FD", help=argparse.SUPPRESS)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=supervise)
    _add_factory(parser)
    parser.add_argument("--nodes", type=_count, default=4, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--prefix", default="node", help="names are PREFIX-1, PREFIX-2, … (default: %(default)s)")


def _add_factory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "factory",
        metavar="MODULE:FACTORY",
        help="a function that takes a node's name and returns a ClusterNode that is not started",
    )
    parser.add_argument(
        "--stop-within",
        type=seconds,
        default=STOP_WITHIN,
        metavar="SECONDS",
        help="how long stopping may take in all (default: %(default)g)",
    )
    parser.add_argument("--verbose", action="store_true", help="log more, and show tracebacks")


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=status)
    parser.add_argument("store", metavar="STORE_URL", help="the journal's URL: sqlite:///FILE or postgresql://…")
    parser.add_argument("--cluster", required=True, metavar="NAME", help="the cluster's name")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    parser.add_argument("--verbose", action="store_true", help="log more, and show tracebacks")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000")
    return int(text)
