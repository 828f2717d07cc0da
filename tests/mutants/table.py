"""The table of mutants: for a terminal, and for the page `docs/mutants.md`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.mutants.catalogue import MUTANTS
from tests.mutants.hunting import Found

PAGE: Final = Path(__file__).parents[2] / "docs" / "mutants.md"
BEGIN: Final = "<!-- written by `make mutants ARGS=--write` -->\n"
END: Final = "<!-- to here -->\n"
_HEAD: Final = ("mutant", "promise", "scenario", "seeds needed", "stated bound", "first violation")


def rows(found: Sequence[Found]) -> list[tuple[str, ...]]:
    """A row per hunt, in the order of the catalogue."""
    by_name = {one.mutant: one for one in found}
    return [
        (
            mutant.name,
            mutant.promise,
            mutant.scenario,
            str(by_name[mutant.name].seeds) if by_name[mutant.name].violation else "SURVIVED",
            str(mutant.bound),
            by_name[mutant.name].violation or "-",
        )
        for mutant in MUTANTS
        if mutant.name in by_name
    ]


def in_text(found: Sequence[Found]) -> str:
    """The table in columns."""
    lines = [_HEAD, *rows(found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD) - 1)]
    padded = [[*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]] for line in lines]
    return "\n".join("  ".join(line) for line in padded)


def write(found: Sequence[Found], page: Path = PAGE) -> None:
    """Put the table between the page's marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, behind = rest.partition(END)
    lines = [_HEAD, ("---",) * len(_HEAD), *rows(found)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    page.write_text(f"{before}{BEGIN}\n{table}\n\n{END}{behind}")
