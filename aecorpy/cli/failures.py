"""What a command says when it cannot do what it was asked."""

from __future__ import annotations

import logging
import os
import sys
import traceback

from aecorpy.errors import InvalidDefinition
from aecorpy.management.errors import InvalidPlace, NoSuchTag, NotAProjection, NotIdempotent
from journal.errors import InvalidName, InvalidUrl, WrongShardCount
from sharding.links import UnsafeSetting
from sharding.store import DeploymentMismatch, InvalidClusterName, InvalidStoreUrl

HOPELESS = (
    InvalidClusterName,
    InvalidDefinition,
    InvalidName,
    InvalidPlace,
    InvalidStoreUrl,
    InvalidUrl,
    NoSuchTag,
    NotAProjection,
    NotIdempotent,
    UnsafeSetting,
    WrongShardCount,
)  # no later attempt of the same program can go better

OURS = frozenset({"aecorpy", "journal", "sharding"})

_log = logging.getLogger(__name__)


class Failure(Exception):
    """One line for the user, and the exit code.

    Args:
        what: the line.
        exit_code: 2 for what can never go well as it was asked, 1 otherwise.
        cause: what it came from; its traceback is for `--verbose`.
    """

    def __init__(self, what: str, exit_code: int, cause: BaseException | None = None) -> None:
        super().__init__(" ".join(what.split()))
        self.exit_code = exit_code
        if cause is not None:
            _log.debug("where it came from:", exc_info=cause)


def exit_code_of(error: BaseException) -> int:
    """2 for an error that a later attempt meets again, 1 for one that may pass."""
    if isinstance(error, DeploymentMismatch):
        return 1 if error.passes else 2
    return 2 if isinstance(error, HOPELESS) else 1


def described(error: BaseException) -> str:
    """An error in a line: its text, with its type and place unless that is one of ours, whose texts say it all."""
    text = str(error)
    if text and type(error).__module__.partition(".")[0] in OURS:
        return text
    return f"{type(error).__name__}: {text}{place(error)}"


def place(error: BaseException) -> str:
    """Where in the user's own code it was raised, or what raised it was called; empty if nowhere."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        code, package = frame.f_code, frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in OURS | sys.stdlib_module_names and "site-packages" not in code.co_filename:
            return f" ({os.path.basename(code.co_filename)}, line {line}, in {code.co_name})"
    return ""
