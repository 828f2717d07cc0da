"""Hunt the mutants, print the table, and exit with 1 when one survives: `python -m tests.mutants [NAME …]`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.mutants.catalogue import MUTANTS
from tests.mutants.hunting import FIRST_SEED, Found, Unmutated, hunt, sound
from tests.mutants.table import in_text, write
from tests.simulation.faults import Draw
from tests.simulation.playing import in_processes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names (default: all mutants)")
    parser.add_argument("--jobs", type=int, default=2, help="hunt so many at a time")
    parser.add_argument("--write", action="store_true", help="put the table into docs/mutants.md")
    options = parser.parse_args()
    names = [one.name for one in MUTANTS if not options.names or any(part in one.name for part in options.names)]
    if options.write and options.names:
        parser.error("the page has all mutants: name none")
    began = time.perf_counter()
    found = [_said(one) for one in in_processes(hunt, names, options.jobs)]
    print(in_text(found))
    plays = _plays(found)
    unsound = [what for what in in_processes(sound, plays, options.jobs) if what]
    print(*unsound, sep="\n", end="\n" if unsound else "")
    survived = sum(one.violation is None for one in found)
    if options.write and not survived:
        write(found)
    seconds = time.perf_counter() - began
    print(f"{len(plays)} runs of the same seeds without a mutant, {len(unsound)} unsound; {seconds:.0f} s")
    print(f"mutants: {len(found) - survived} passed, {survived + len(unsound)} failed")
    return 1 if survived or unsound else 0


def _said(found: Found) -> Found:
    print(f"{found.mutant}: {found.violation or 'SURVIVED'} ({found.seeds} seeds){found.beside}", flush=True)
    return found


def _plays(found: list[Found]) -> list[Unmutated]:
    """The seeds of each scenario that were played with mutants."""
    mutants = {one.name: one for one in MUTANTS}
    most: Counter[tuple[str, tuple[Draw, ...]]] = Counter()
    for one in found:
        scenario = (mutants[one.mutant].play, mutants[one.mutant].kinds)
        most[scenario] = max(most[scenario], one.seeds)
    return [(*scenario, FIRST_SEED + seed) for scenario, seeds in most.items() for seed in range(seeds)]


if __name__ == "__main__":
    sys.exit(main())
