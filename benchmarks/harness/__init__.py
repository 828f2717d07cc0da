"""What every benchmark shares: its bounds and figures, interleaved rounds, closed-loop load, the machine's facts."""

from benchmarks.harness.figures import Bound, Figure, at_least, at_most
from benchmarks.harness.load import Load, closed_loop
from benchmarks.harness.rounds import Rounds, interleave
from benchmarks.harness.run import Run, run_benchmark

__all__ = [
    "Bound",
    "Figure",
    "Load",
    "Rounds",
    "Run",
    "at_least",
    "at_most",
    "closed_loop",
    "interleave",
    "run_benchmark",
]
