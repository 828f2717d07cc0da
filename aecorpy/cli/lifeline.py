"""A process that must not outlive the one that started it: both hold an end of a pipe.

The starter keeps the writing end and never writes. However it ends, also by SIGKILL, the system closes that end, and
whoever reads the other one sees it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading

AFTER_STOPPING = 2.0  # seconds beyond the time that stopping may take

_log = logging.getLogger(__name__)


class Lifeline:
    """The starter's side. Give `fd` to the processes it starts (`pass_fds`), and their `--lifeline` its number.

    Attributes:
        fd: the end that they read.
    """

    def __init__(self) -> None:
        self.fd, self._kept = os.pipe()  # the kept end is closed in every program that is started

    def close(self) -> None:
        """Let go: whoever still holds the other end comes to its end."""
        os.close(self._kept)
        os.close(self.fd)


def hold(fd: int, stop_within: float) -> None:
    """The started side: when the starter is gone, ask this process to stop, and end it if it does not.

    Args:
        fd: the reading end.
        stop_within: seconds that stopping may take.
    """
    os.set_inheritable(fd, False)
    threading.Thread(target=_watch, args=(fd, stop_within), name="lifeline", daemon=True).start()


def _watch(fd: int, stop_within: float) -> None:
    os.read(fd, 1)  # nobody writes: it returns when the other end is closed
    _log.warning("the process that started this one is gone: stopping")
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(stop_within + AFTER_STOPPING)  # if the process is still there then, it is stuck
    os.kill(os.getpid(), signal.SIGKILL)
