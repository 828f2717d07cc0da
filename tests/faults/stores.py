"""The stores of a run, and what can be done to them: a PostgreSQL server or a SQLite file, on a disk that can fill."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from tests.faults.network import Network
from tests.faults.plan import Kind
from tests.postgres_server import PostgresServer

POSTGRES, SQLITE = "postgresql", "sqlite"
DISK_BYTES = 2 << 30  # of memory at most, when it is full
PAGE = 4096
NO_BATCH_JOBS = {"max_wal_size": "64MB", "min_wal_size": "32MB", "checkpoint_timeout": "30s"}


class Disk:
    """A file system in memory which can be full: it is made as small as what is on it.

    Attributes:
        refused: why there is none, and `folder` lies on the common disk; empty if there is one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refused = (
            "" if sys.platform == "linux" and shutil.which("mount") else "it needs Linux and the program mount"
        )
        if not self.refused:
            self.refused = _mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "aecorpy-faults", str(folder))

    def fill(self) -> None:
        """Leave no room."""
        for more in range(50):
            stat = os.statvfs(self.folder)
            used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize
            if not _mount("-o", f"remount,size={used + more * PAGE}", str(self.folder)):
                return
        raise RuntimeError(f"{self.folder} cannot be made smaller")

    def free(self) -> None:
        """Give it its room back."""
        why = _mount("-o", f"remount,size={DISK_BYTES}", str(self.folder))
        if why:
            raise RuntimeError(f"{self.folder} cannot be made larger: {why}")

    def close(self) -> None:
        """Take it away with all that is on it."""
        if not self.refused:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False, capture_output=True)


class Store:
    """A SQLite file, and what both stores have.

    Attributes:
        url: the journal's, for who is on no machine of its own.
        kinds: the faults that are possible.
        left_out: those that are not, with the reason.
    """

    name = SQLITE

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.url = f"sqlite:///{disk.folder}/journal.db"
        self.kinds: tuple[Kind, ...] = () if disk.refused else (Kind.DISK,)
        self.left_out = {Kind.DISK: disk.refused} if disk.refused else {}

    def url_from(self, machine: int) -> str:
        """The journal's URL for nodes on that machine."""
        return self.url

    async def fill_disk(self, seconds: float) -> None:
        """Leave no room on the disk for so long."""
        self.disk.fill()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.disk.free()

    async def restart(self, seconds: float) -> None:
        """Have it crash, and start it again after so many seconds."""
        raise NotImplementedError(f"{self.name} is no server")

    async def end_connections(self) -> None:
        """End all connections that it has."""
        raise NotImplementedError(f"{self.name} has no connections")

    async def heal(self) -> None:
        """See to it that it works."""
        if not self.disk.refused:
            self.disk.free()

    def close(self) -> None:
        """Delete it."""


class PostgresStore(Store):
    """A server of our own, on a machine of its own where there are any.

    Nodes reach it by their machine's cable. Who looks after the run reaches it by a socket in the file system; so do
    nodes, where there are no machines.
    """

    name = POSTGRES

    def __init__(self, disk: Disk, network: Network) -> None:
        super().__init__(disk)
        self._network = network
        disk.folder.chmod(0o711)
        self._sockets = Path(tempfile.mkdtemp(prefix="aecorpy-sockets-"))
        self._sockets.chmod(0o777)
        admitted = self._sockets / "pg_hba.conf"
        admitted.write_text("local all all scram-sha-256\nhost all all all scram-sha-256\n")
        settings = {
            **NO_BATCH_JOBS,
            "unix_socket_directories": str(self._sockets),
            "hba_file": str(admitted),
            "listen_addresses": "*" if network.cables else "",
        }
        self._server = PostgresServer(settings, folder=disk.folder, prefix=network.beside_store())
        self._server.start()
        self.url = self._server.create_database(by=self._by_socket(self._server.url))
        self.kinds = (*self.kinds, Kind.RESTART, Kind.CONNECTIONS, *network.supply_kinds)

    def _by_socket(self, url: str) -> str:
        parts = urlsplit(url)
        query = f"host={quote(str(self._sockets))}&port={parts.port}"
        return urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@", query=query))

    def url_from(self, machine: int) -> str:
        """See `Store.url_from`."""
        host = self._network.store_host(machine)
        if not host:
            return self.url
        at_home, here = urlsplit(self._server.url), urlsplit(self.url)
        netloc = f"{at_home.username}:{at_home.password}@{host}:{at_home.port}"
        return urlunsplit(here._replace(netloc=netloc, query=""))

    async def fill_disk(self, seconds: float) -> None:
        """See `Store.fill_disk`; a server that gave up is started again."""
        await super().fill_disk(seconds)
        await self.heal()

    async def restart(self, seconds: float) -> None:
        """See `Store.restart`."""
        await asyncio.to_thread(self._server.stop_immediate)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._server.start)

    async def end_connections(self) -> None:
        """See `Store.end_connections`; while the server is down there is none."""
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(self.url, timeout=5)
            try:
                await connection.fetch(f"{others} AND backend_type = 'client backend'")
            finally:
                connection.terminate()

    async def heal(self) -> None:
        """See `Store.heal`."""
        await super().heal()
        await asyncio.to_thread(self._server.start)

    def close(self) -> None:
        """See `Store.close`."""
        self._server.close()
        shutil.rmtree(self._sockets, ignore_errors=True)


@contextmanager
def opened(name: str, network: Network) -> Iterator[Store]:
    """A new store on that network, for the block."""
    folder = Path(tempfile.mkdtemp(prefix="aecorpy-disk-"))
    disk = Disk(folder)
    try:
        store = PostgresStore(disk, network) if name == POSTGRES else Store(disk)
        try:
            yield store
        finally:
            store.close()
    finally:
        disk.close()
        shutil.rmtree(folder, ignore_errors=True)


def _mount(*arguments: str) -> str:
    """Run `mount`; why it failed, or nothing."""
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
