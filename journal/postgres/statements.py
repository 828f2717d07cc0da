"""SQL from the files in `sql/`, for the tables of one schema and journal."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

SQL = files("journal.postgres") / "sql"


@cache
def _text(file: str) -> str:
    lines = (SQL / f"{file}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line and not line.startswith("--"))


def quoted(name: str) -> str:
    """A name as it stands in SQL, whatever letters it has."""
    return '"' + name.replace('"', '""') + '"'


def filled(text: str, schema: str, journal: str = "") -> str:
    """SQL with the names of a schema (unquoted) and a journal (validated) put in their places."""
    return text.replace("{schema}", quoted(schema)).replace("{journal}", journal)


def statement(file: str, schema: str, journal: str = "") -> str:
    """The statement in `sql/{file}.sql`, or the script.

    Args:
        file: its name without ending.
        schema: the PostgreSQL schema of the tables, unquoted.
        journal: a validated journal name, where the statement is about one.
    """
    return filled(_text(file), schema, journal)
