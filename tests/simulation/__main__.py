"""Play seeds on virtual time: `python -m tests.simulation 17 18`, or a range of them, `--seeds 200`.

`faults`: three nodes of a cluster while everything goes wrong, and then nothing. `moves`: nodes that join and leave in
order, with no command lost. `node`: a single node and its store.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.simulation.playing import PLAYS, Play, be_quiet, in_processes, played
from tests.simulation.ready import Order


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seed", type=int, nargs="*", help="seeds to play")
    parser.add_argument("--seeds", type=int, default=0, help="play so many, from --first on")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--play", choices=PLAYS, action="append", help="what (default: faults and moves)")
    parser.add_argument("--order", choices=[order.name for order in Order], default=Order.ANY.name)
    parser.add_argument("--log", action="store_true", help="print what the nodes log")
    parser.add_argument("--jobs", type=int, default=1, help="play so many at a time, each in a process of its own")
    options = parser.parse_args()
    if options.log:
        logging.basicConfig(level=logging.DEBUG, format="%(name)s %(message)s", stream=sys.stdout)
    else:
        be_quiet()
    seeds = [*options.seed, *range(options.first, options.first + options.seeds)]
    plays = [(name, seed, Order[options.order]) for name in options.play or ["faults", "moves"] for seed in seeds]
    return 1 if _play(plays, min(options.jobs, len(plays)), say_all=not options.seeds) else 0


def _play(plays: list[Play], jobs: int, *, say_all: bool) -> int:
    began, virtual, failed = time.perf_counter(), 0.0, 0
    for (name, seed, order), (what, seconds, broken) in zip(plays, in_processes(played, plays, jobs), strict=True):
        virtual += seconds
        if broken:
            failed += 1
            again = f"python -m tests.simulation {seed} --play {name} --order {order.name}"
            print(f"{name} seed {seed}: NOT SOUND. Again: {again}", *broken[:20], sep="\n  ", flush=True)
        elif say_all:
            print(f"{name} seed {seed}: {what}: sound", flush=True)
    print(f"{virtual / 3600:.2f} h of virtual time in {time.perf_counter() - began:.0f} s")
    print(f"simulation: {len(plays) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
