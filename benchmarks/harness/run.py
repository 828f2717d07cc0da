"""The frame around one benchmark: arguments, a PostgreSQL server, the table, the JSON file and the exit code."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from aecorpy import settle_heap
from benchmarks.harness.environment import environment, in_words
from benchmarks.harness.figures import Bound, Figure, show
from benchmarks.harness.rounds import Contestant, Rounds, interleave
from tests.postgres_server import PostgresServer, find_server


class Run:
    """One run of a benchmark: what it may use, and where it puts its figures.

    Attributes:
        json: the file in which the figures will be; what belongs beside it goes into the same folder.
    """

    def __init__(
        self,
        server: PostgresServer,
        bounds: Sequence[Bound],
        quick: bool,
        console: Console,
        json_file: Path | None = None,
    ) -> None:
        self.server = server
        self.quick = quick
        self.json = json_file
        self.figures: dict[str, Figure] = {}
        self._bounds = {bound.key: bound for bound in bounds}
        self._console = console

    @property
    def seconds(self) -> float:
        """How long one thing is measured, over all its rounds: about 10, or 2 when the run is to be quick."""
        return 2.0 if self.quick else 10.0

    @property
    def unmeasured(self) -> list[str]:
        """The keys that have a bound and no figure."""
        return [key for key in self._bounds if key not in self.figures]

    def record(self, key: str, value: float, note: str = "") -> None:
        """Keep the value of a key that has a bound."""
        bound = self._bounds[key]
        self.figures[key] = Figure(key, value, bound.unit, bound.meaning, bound, note)

    def explain(self, key: str, value: float, unit: str, meaning: str, note: str = "") -> None:
        """Keep a value that has no bound, but belongs to the picture."""
        self.figures[key] = Figure(key, value, unit, meaning, None, note)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """An empty database of one's own: its DSN. Dropped afterwards."""
        url = await asyncio.to_thread(self.server.create_database)
        try:
            yield url
        finally:
            await asyncio.to_thread(self.server.drop_database, url)

    async def settle(self, name: str = "") -> None:
        """Bring Python's heap and the server's buffers into the same state before each measurement."""
        if name:
            self._console.print(f"  {name} …", style="dim", highlight=False)
        settle_heap()
        await asyncio.to_thread(self.server.execute, "CHECKPOINT")

    async def interleave(self, contestants: Mapping[str, Contestant]) -> Rounds:
        """Measure contestants in turns, three rounds of each, settled before each one."""
        return await interleave(contestants, self.seconds, before_each=self.settle)


def run_benchmark(
    name: str,
    bounds: Sequence[Bound],
    measure: Callable[[Run], Awaitable[None]],
    arguments: Sequence[str] | None = None,
) -> int:
    """Run `measure` as the program `python -m benchmarks.NAME`.

    Returns:
        the exit code: 0 when every bound was measured and met, 1 when one was missed or not measured.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=measure.__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and the machine's facts here")
    parser.add_argument("--quick", action="store_true", help="a few seconds for each figure; noisier")
    chosen = parser.parse_args(arguments)
    console = _console()
    with find_server() as server:
        facts = environment(server)
        if chosen.json:
            chosen.json.parent.mkdir(parents=True, exist_ok=True)
        run = Run(server, bounds, chosen.quick, _console(stderr=True), chosen.json)
        asyncio.run(_as_coroutine(measure, run))
    show(console, f"benchmarks.{name}{' (quick)' if chosen.quick else ''}", list(run.figures.values()))
    console.print(in_words(facts), highlight=False)
    missed = [figure.key for figure in run.figures.values() if not figure.met]
    if chosen.json:
        chosen.json.write_text(json.dumps(_document(name, run, missed, facts), indent=2) + "\n")
    for problem, keys in (("missed", missed), ("not measured", run.unmeasured)):
        if keys:
            console.print(f"[bold red]{problem}:[/] {', '.join(keys)}")
    return 1 if missed or run.unmeasured else 0


def _console(stderr: bool = False) -> Console:
    # Away from a terminal rich assumes 80 columns, in which a table of figures cannot be read.
    return Console(stderr=stderr, width=None if sys.stdout.isatty() else 140)


def _document(name: str, run: Run, missed: list[str], facts: dict[str, Any]) -> dict[str, Any]:
    return {
        **{key: figure.value for key, figure in run.figures.items()},
        "benchmark": name,
        "quick": run.quick,
        "missed": missed,
        "not_measured": run.unmeasured,
        "figures": {key: figure.as_json() for key, figure in run.figures.items()},
        "environment": facts,
    }


async def _as_coroutine(measure: Callable[[Run], Awaitable[None]], run: Run) -> None:
    await measure(run)
