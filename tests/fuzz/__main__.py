"""Give hostile inputs to everything that reads what others wrote: `python -m tests.fuzz --inputs 100000 --seed 1`.

What may come of an input is a value or the reader's own typed error. Everything else is a finding, and so is an input
that takes over a second of processor time, or a target by which the process grows by over 64 MiB.
"""

from __future__ import annotations

import argparse
import logging
import resource
import sys
import time
import traceback
from collections.abc import Iterator

from tests.fuzz.mutation import Mutator
from tests.fuzz.runs import Outcome, run
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Run what the command line asks for; 1 if anything was found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="how many in all, divided among the targets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=TARGETS, action="append", help="what (default: all)")
    parser.add_argument("--input", metavar="HEX", help="give this one input to the targets, and show what comes of it")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    names = options.target or list(TARGETS)
    if options.input is not None:
        return _once(names, bytes.fromhex(options.input))
    limit_memory(1 << 30)
    began = time.perf_counter()
    outcomes = list(_said(names, options.inputs, options.seed))
    inputs, findings = sum(one.inputs for one in outcomes), sum(len(one.findings) for one in outcomes)
    print(f"fuzz: {inputs} inputs, {findings} findings in {time.perf_counter() - began:.1f}s, seed {options.seed}")
    return 1 if findings else 0


def limit_memory(more: int) -> None:
    """Let this process grow by so many bytes and no further: what asks for more fails, which is a finding."""
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))


def _said(names: list[str], inputs: int, seed: int) -> Iterator[Outcome]:
    for at, name in enumerate(names):
        share = inputs // len(names) + (at < inputs % len(names))
        target = TARGETS[name]
        outcome = run(target, Mutator(target.samples, f"{seed} {name}", target.packed_from), share)
        print(
            f"{name:15} {outcome.inputs:>9} inputs, {outcome.accepted:>8} accepted, {outcome.seconds:7.1f} s, "
            f"slowest {outcome.slowest * 1000:5.1f} ms, grown by {outcome.grown >> 20} MiB",
            flush=True,
        )
        for data, what in outcome.findings:
            again = f"python -m tests.fuzz --target '{name}' --input {data.hex()}"
            print(f"  FOUND: {what}\n    again: {again[:20_000]}", flush=True)
        yield outcome


def _once(names: list[str], data: bytes) -> int:
    failed = False
    for name in names:
        try:
            print(f"{name}: {'accepted' if TARGETS[name].take(data) else 'refused'}")
        except Exception:  # noqa: BLE001 - whatever it is, it is what was asked for
            failed = True
            print(f"{name}: {traceback.format_exc()}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
