"""Where a demo's journal lies: a store that the user names, or a SQLite file that goes with the run."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of a run's own that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="aecorpy-demo-") as path:
        yield Path(path)


@contextmanager
def store_url(named: str | None) -> Iterator[str]:
    """`named`, or the URL of a SQLite file in a folder of its own that is removed afterwards."""
    if named is not None:
        yield named
        return
    with folder() as path:
        yield f"sqlite:///{path}/journal.db"


def lasting(url: str) -> str:
    """`url`, as an argument of the command line, if what is stored there outlives a node and is read by SQL.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    if url.startswith("memory:"):
        raise argparse.ArgumentTypeError("memory would be gone with its node, and has no SQL: name a file or a server")
    return url


def shown(named: str | None) -> str:
    """A store's name without user and password, for the screen."""
    if named is None:
        return "a SQLite file of this run's own"
    parts = urlsplit(named)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else named
