"""Logging of a process that the command line started."""

from __future__ import annotations

import logging
import sys

FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"


def log_to_stderr(*, verbose: bool) -> None:
    """Log from INFO on, with `verbose` from DEBUG on, a line each, unless the program has set logging up already."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT, "%H:%M:%S"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    if verbose:
        for package in ("aecorpy", "journal", "sharding"):
            logging.getLogger(package).setLevel(logging.DEBUG)
