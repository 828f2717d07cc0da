"""Play seeds of the single node under faults: `python -m tests.simulation 17 18`."""

from __future__ import annotations

import argparse

from tests.simulation.ready import Order
from tests.simulation.runs import counting


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--order", choices=[order.name for order in Order], default=Order.ANY.name)
    parser.add_argument("--trace", action="store_true", help="print what happened, line by line")
    options = parser.parse_args()
    for seed in options.seeds:
        counted = counting(seed, order=Order[options.order])
        print(f"seed {seed}: plan\n{counted.plan}")
        if options.trace:
            print("\n".join(counted.lines))
        sound = "sound" if counted.total in counted.possible and not counted.pending else "NOT SOUND"
        print(f"seed {seed}: {dict(counted.answers)}, total {counted.total}, {counted.digest}: {sound}")


if __name__ == "__main__":
    main()
