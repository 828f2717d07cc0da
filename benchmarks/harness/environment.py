"""The facts of the machine that figures depend on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from tests.postgres_server import PostgresServer

PACKAGES = ("aecorpy", "asyncpg", "msgpack", "thespian", "cattrs", "eventsourcing", "psycopg")
SERVER_SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")


def environment(server: PostgresServer) -> dict[str, Any]:
    """Processor, memory, Python, packages and PostgreSQL with the settings that decide what durable means."""
    return {
        "cores": _usable_cores(),
        "processor": _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "memory": _line("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "postgresql": {name: server.execute(f"SHOW {name}")[0][0] for name in SERVER_SETTINGS},
        "postgresql_started_here": server.owned,
        "flush_ms": flush_milliseconds(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def in_words(facts: dict[str, Any]) -> str:
    """The facts on two lines, for under a table."""
    server = facts["postgresql"]
    return (
        f"{facts['cores']} cores ({facts['processor']}), load before {facts['load_before']}, {facts['python']}\n"
        f"PostgreSQL {server['server_version']}{'' if facts['postgresql_started_here'] else ' (named by POSTGRES_URL)'}"
        f", fsync {server['fsync']}, synchronous_commit {server['synchronous_commit']}; "
        f"one flush of 8 KiB to the temporary folder's disk takes {facts['flush_ms']} ms"
    )


def flush_milliseconds(times: int = 50) -> float:
    """The median time, in milliseconds, to write 8 KiB to a temporary file and flush it to disk."""
    taken = []
    with tempfile.TemporaryFile() as file:
        for _ in range(times):
            began = perf_counter()
            os.pwrite(file.fileno(), bytes(8192), 0)
            os.fsync(file.fileno())
            taken.append(perf_counter() - began)
    return round(statistics.median(taken) * 1000, 3)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _line(file: str, name: str) -> str:
    path = Path(file)
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
