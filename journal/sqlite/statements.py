"""SQL from the files in `sql/`: named statements, and scripts of several."""

from __future__ import annotations

import sqlite3
from functools import cache
from importlib.resources import files

SQL = files("journal.sqlite") / "sql"


@cache
def statements(file: str, journal: str = "") -> dict[str, str]:
    """The statements of `sql/{file}.sql` by name, for the tables of `journal` (a validated name)."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (SQL / f"{file}.sql").read_text(encoding="utf-8").splitlines():
        if line.startswith("-- name: "):
            lines = found.setdefault(line.removeprefix("-- name: ").strip(), [])
        elif line and not line.startswith("--"):
            lines.append(line)
    return {name: "\n".join(lines).replace("{journal}", journal) for name, lines in found.items()}


def script(text: str, journal: str = "") -> list[str]:
    """The statements of a script, one by one: `executescript` would commit the transaction it runs in."""
    found, statement = [], ""
    for line in text.replace("{journal}", journal).splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement.strip())
            statement = ""
    return found
