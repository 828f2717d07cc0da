"""Play seeds on virtual time: `python -m tests.simulation 17 18`, or a range of them, `--seeds 200`.

`faults`: three nodes of a cluster while everything goes wrong, and then nothing. `moves`: nodes that join and leave in
order, with no command lost. `node`: a single node and its store.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable

from tests.simulation.cluster_scenarios import faulty, moving
from tests.simulation.ready import Order
from tests.simulation.runs import counting

Play = Callable[[int, Order], tuple[str, float, list[str]]]


def _faults(seed: int, order: Order) -> tuple[str, float, list[str]]:
    history, broken = faulty(seed, order=order)
    return f"{dict(history.told)} {history.digest}", history.seconds, broken


def _moves(seed: int, order: Order) -> tuple[str, float, list[str]]:
    history, broken = moving(seed, order=order)
    return f"{dict(history.told)} {history.digest}", history.seconds, broken


def _node(seed: int, order: Order) -> tuple[str, float, list[str]]:
    counted = counting(seed, order=order)
    broken = [] if counted.total in counted.possible else [f"total {counted.total}, possible {counted.possible}"]
    broken += [f"left over: {task}" for task in counted.pending]
    return f"{dict(counted.answers)} {counted.digest}", 45.0, broken


PLAYS: dict[str, Play] = {"faults": _faults, "moves": _moves, "node": _node}


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
    options = parser.parse_args()
    if options.log:
        logging.basicConfig(level=logging.DEBUG, format="%(name)s %(message)s", stream=sys.stdout)
    else:
        logging.disable(logging.CRITICAL)
    seeds = [*options.seed, *range(options.first, options.first + options.seeds)]
    plays = options.play or ["faults", "moves"]
    failed = _play(seeds, plays, Order[options.order], say_all=not options.seeds)
    return 1 if failed else 0


def _play(seeds: list[int], plays: list[str], order: Order, *, say_all: bool) -> int:
    began, virtual, passed, failed = time.perf_counter(), 0.0, 0, 0
    for name in plays:
        for seed in seeds:
            again = f"python -m tests.simulation {seed} --play {name} --order {order.name}"
            try:
                what, seconds, broken = PLAYS[name](seed, order)
            except Exception as error:  # noqa: BLE001 - whatever a run raises is its finding; the others go on
                what, seconds, broken = "", 0.0, [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]
            virtual += seconds
            passed, failed = (passed, failed + 1) if broken else (passed + 1, failed)
            if broken:
                print(f"{name} seed {seed}: NOT SOUND. Again: {again}", *broken[:20], sep="\n  ", flush=True)
            elif say_all:
                print(f"{name} seed {seed}: {what}: sound", flush=True)
    print(f"{virtual / 3600:.2f} h of virtual time in {time.perf_counter() - began:.0f} s")
    print(f"simulation: {passed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
