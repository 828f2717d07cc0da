"""Real processes under real faults: `python -m tests.faults --minutes 2 --seed 7 --store both --load both`.

A cluster of nodes and callers runs on a new store while processes are killed and frozen, links cut and slowed, the
store restarted, its connections ended, its disk filled, all nodes restarted in turn. Then all is repaired, and the
checker looks at what happened. What is not allowed here (namespaces, file systems) is said and left out.

Everything stays in build/faults/STORE-SEED. Exit code: 0 when all promises were kept, 1 when not.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import shutil
import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests.faults.network import made
from tests.faults.plan import MEAN_GAP
from tests.faults.run import Outcome, Wish, run
from tests.faults.setting import BOOKING, PERMITS
from tests.faults.stores import POSTGRES, SQLITE, opened

FOLDER = Path("build/faults")
BEFORE_AND_AFTER = 15.0  # seconds of a run in which there are no faults
SHOWN = 20


def main(arguments: list[str] | None = None) -> int:
    """Run as asked; the exit code."""
    options = _parser().parse_args(arguments)
    end_in_order()
    stores = (POSTGRES, SQLITE) if options.store == "both" else (options.store,)
    loads = _loads(options)
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    say(f"seed {seed}, {options.minutes:g} minutes, {' and '.join(stores)}, load {' and '.join(loads)}")
    share = options.minutes * 60 / len(stores)
    outcomes = []
    for store in stores:
        folder = FOLDER / f"{store}-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        wish = Wish(seed, max(10.0, share - BEFORE_AND_AFTER), loads, options.permits, folder.absolute(), options.nodes)
        began = time.monotonic()
        outcomes.append(_run(replace(wish, gap=options.gap, mutant=options.mutant), store))
        _tell(store, outcomes[-1], time.monotonic() - began)
        if outcomes[-1].violations:
            say(f"{store}: everything is in {folder}")
    faults = sum((one.faults for one in outcomes), Counter[str]())
    told = sum((some for one in outcomes for some in one.told.values()), Counter[str]())
    violations = sum(len(one.violations) for one in outcomes)
    say(f"{_faults(faults)}; {told.total():,} commands: {_shown(told)}; violations {violations}; seed {seed}")
    return 1 if violations else 0


def end_in_order() -> None:
    """Let SIGTERM do what Ctrl-C does, so that no namespace, file system or process is left behind."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def say(line: str) -> None:
    """Tell the user."""
    print(f"faults: {line}", flush=True)


def _loads(options: argparse.Namespace) -> tuple[str, ...]:
    wanted = (BOOKING, PERMITS) if options.load == "both" else (options.load,)
    if PERMITS in wanted and not options.permits.exists():
        say("the permit log is left out: there is no such file; --permits or AECORPY_RECEIPT_CSV names it")
        return (BOOKING,)
    return wanted


def _run(wish: Wish, name: str) -> Outcome:
    log = logging.FileHandler(wish.folder / "run.log")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s.%(msecs)03d %(message)s", datefmt="%H:%M:%S",
                        handlers=[log], force=True)  # fmt: skip
    with made() as network, opened(name, network) as store:
        for what, why in {**store.left_out, **network.left_out}.items():
            say(f"{name}: left out: {what} ({why})")
        return asyncio.run(run(wish, store, network))


def _tell(store: str, outcome: Outcome, seconds: float) -> None:
    for note in outcome.notes:
        say(f"{store}: {note}")
    for violation in outcome.violations[:SHOWN]:
        say(f"{store}: {violation}")
    say(f"{store}: {_faults(outcome.faults)}")
    for load, told in sorted(outcome.told.items()):
        say(f"{store}: {load}: {told.total():,} commands: {_shown(told)}")
    say(f"{store}: {seconds:.0f} s, violations {len(outcome.violations)}")


def _faults(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def _shown(told: Counter[str]) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in told.most_common())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=2.0, help="how long in all (2)")
    parser.add_argument("--seed", type=int, help="from which faults and load are drawn; by default a new one")
    parser.add_argument("--store", choices=(POSTGRES, SQLITE, "both"), default="both")
    parser.add_argument("--load", choices=(BOOKING, PERMITS, "both"), default="both")
    parser.add_argument("--nodes", type=int, default=3, choices=range(3, 9), help="that own shards (3)")
    parser.add_argument("--gap", type=float, default=MEAN_GAP, help=f"seconds between two faults ({MEAN_GAP:g})")
    parser.add_argument("--mutant", default="", help="a deliberate fault, by its name in docs/mutants.md, to be found")
    beside = Path(__file__).parents[3] / "shared" / "data" / "receipt.csv"
    log = Path(os.environ.get("AECORPY_RECEIPT_CSV") or beside)
    parser.add_argument("--permits", type=Path, metavar="FILE.csv", default=log, help="the permit log")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("given up")
        sys.exit(130)
