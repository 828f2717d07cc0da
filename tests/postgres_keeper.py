"""Keeps one PostgreSQL server running for as long as the program that asked for it lives.

Run as a script of its own, with standard input held open by that program: when the program ends, in whatever way,
the pipe closes, the server is stopped and its folder deleted. So not even SIGKILL of a test run leaves a server behind.

Usage: postgres_keeper.py FOLDER ACCOUNT COMMAND…, where ACCOUNT is `uid:gid` to run COMMAND as, or empty.
Prints the server's process id, and ends with its exit code.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys


def keep(folder: str, account: str, command: list[str]) -> int:
    """Run `command` until it ends by itself, or until whoever started this script is gone."""
    parent = os.getppid()
    uid, gid = (int(part) for part in account.split(":")) if account else (None, None)
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, user=uid, group=gid, extra_groups=None if uid is None else []
    )
    print(server.pid, flush=True)
    while server.poll() is None:
        closed, _, _ = select.select([sys.stdin], [], [], 0.1)
        # A forked child of the parent can hold the pipe open, so its process id is looked at too.
        if closed or os.getppid() != parent:
            _stop(server)
            shutil.rmtree(folder, ignore_errors=True)
    return server.returncode


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGQUIT)  # PostgreSQL's immediate shutdown: it takes its own children along
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1], sys.argv[2], sys.argv[3:]))
