"""SQL from files: statements with names, and numbered migrations."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from sharding.store.errors import ClusterSchemaMismatch


@cache
def statements(package: str) -> dict[str, str]:
    """The statements in the files `sql/*.sql` of a package, by the names that stand before them.

    Raises:
        ValueError: two have one name.
    """
    found: dict[str, list[str]] = {}
    for file in (files(package) / "sql").iterdir():
        lines: list[str] = []
        if file.name.endswith(".sql"):
            for line in file.read_text(encoding="utf-8").splitlines():
                if line.startswith("-- name: "):
                    name = line.removeprefix("-- name: ").strip()
                    if name in found:
                        raise ValueError(f"{package}: two statements are called {name}")
                    lines = found[name] = []
                elif line and not line.startswith("--"):
                    lines.append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


@cache
def migrations(package: str) -> tuple[str, ...]:
    """The scripts `sql/migrations/0001_….sql`, 0002, … of a package; the first makes version 1.

    Raises:
        ValueError: their numbers are not 1, 2, 3, …
    """
    folder = files(package) / "sql" / "migrations"
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    if [int(file.name.partition("_")[0]) for file in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations are numbered 1, 2, 3, …; found {[file.name for file in found]}")
    return tuple(file.read_text(encoding="utf-8") for file in found)


def check_current(package: str, where: str, version: int) -> None:
    """Compare tables of `version` with this program.

    Raises:
        ClusterSchemaMismatch: they differ.
    """
    if missing_migrations(package, where, version):
        raise ClusterSchemaMismatch(
            f"{where}: the cluster's tables have version {version}, this program needs {len(migrations(package))}: "
            "they are older; a node of this version brings them up to date"
        )


def missing_migrations(package: str, where: str, version: int) -> tuple[str, ...]:
    """The scripts that bring tables of `version` (0: there are none) to this program's.

    Raises:
        ClusterSchemaMismatch: the tables are newer than this program.
    """
    scripts = migrations(package)
    if version > len(scripts):
        raise ClusterSchemaMismatch(
            f"{where}: the cluster's tables have version {version}, and this program knows versions up to "
            f"{len(scripts)}: the program is older than the tables; run a newer one"
        )
    return scripts[version:]
