"""What all commands of `aecorpy projections` have in common: their database, how they end, and some arguments."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aecorpy.cli.failures import Failure, described, exit_code_of
from aecorpy.errors import AecorError, JournalError
from journal.contract import Database
from journal.database import open_database

Work: TypeAlias = Callable[[Database, argparse.Namespace], Awaitable[None]]


def carry_out(options: argparse.Namespace, work: Work) -> int:
    """Do `work` on the database at `options.store`, which is never created.

    Raises:
        Failure: it cannot be done.
    """
    try:
        asyncio.run(_on_database(options, work))
    except BrokenPipeError:  # whoever reads has had enough
        sys.stdout = None
    except (AecorError, JournalError) as error:
        raise Failure(described(error), exit_code_of(error), error) from error
    return 0


async def _on_database(options: argparse.Namespace, work: Work) -> None:
    database = await open_database(options.store, create=False)
    try:
        await work(database, options)
    finally:
        await database.close()


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add the argument that says where."""
    parser.add_argument("store", metavar="STORE_URL", help="the journal's URL: sqlite:///FILE or postgresql://…")


def add_reason(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add who wants it, and why."""
    parser.add_argument("--by", default=_user(), help="who wants that (default: %(default)s)")
    parser.add_argument("--why", default="", required=required, help="the reason, kept with it")


def add_manner(parser: argparse.ArgumentParser) -> None:
    """Add how it is told."""
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    parser.add_argument("--verbose", action="store_true", help="log more, and show tracebacks")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # nobody has told the machine who this is
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
