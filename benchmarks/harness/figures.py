"""A benchmark's bounds, what was measured against them, and both as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table


class Bound(NamedTuple):
    """What a figure must reach. `meaning` says what is measured, in a few words."""

    key: str
    limit: float
    direction: Literal["at least", "at most"]
    unit: str
    meaning: str


def at_least(limit: float, key: str, unit: str, meaning: str) -> Bound:
    """A figure that must be `limit` or more."""
    return Bound(key, limit, "at least", unit, meaning)


def at_most(limit: float, key: str, unit: str, meaning: str) -> Bound:
    """A figure that must be `limit` or less."""
    return Bound(key, limit, "at most", unit, meaning)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. Without a bound it is there to explain another one."""

    key: str
    value: float
    unit: str
    meaning: str
    bound: Bound | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        """True when there is no bound, or the value keeps it."""
        if self.bound is None:
            return True
        if self.bound.direction == "at least":
            return self.value >= self.bound.limit
        return self.value <= self.bound.limit

    def as_json(self) -> dict[str, Any]:
        """The figure with its bound, for machines."""
        described = {"value": self.value, "unit": self.unit, "meaning": self.meaning, "note": self.note}
        if self.bound:
            described |= {"bound": self.bound.limit, "direction": self.bound.direction, "met": self.met}
        return described


def show(console: Console, title: str, figures: Sequence[Figure]) -> None:
    """Print figures with a bound, then the others, as one table."""
    table = Table(title=title, title_justify="left")
    for name, justify in (("key", "left"), ("value", "right"), ("bound", "right"), ("", "left"), ("meaning", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    for figure in sorted(figures, key=lambda figure: figure.bound is None):
        bound = figure.bound
        verdict = "" if bound is None else "[green]met[/]" if figure.met else "[bold red]MISSED[/]"
        table.add_row(
            figure.key,
            escape(readable(figure.value, figure.unit)),
            "" if bound is None else f"{bound.direction} {readable(bound.limit)}",
            verdict,
            escape(f"{figure.meaning} ({figure.note})" if figure.note else figure.meaning),
        )
    console.print(table)


def readable(value: float, unit: str = "") -> str:
    """A number with as many digits as a reader needs, and its unit."""
    digits = 0 if abs(value) >= 100 or float(value).is_integer() else 2
    return f"{value:,.{digits}f} {unit}".rstrip()
