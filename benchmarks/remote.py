"""How fast do two nodes talk, next to a bare asyncio connection and to Thespian's own processes?"""

from __future__ import annotations

import sys
from functools import partial

from benchmarks import linked_pair
from benchmarks.baselines import thespian_processes
from benchmarks.harness import Run, at_least, run_benchmark

PAYLOAD_BYTES = 100
IN_FLIGHT = 256

BOUNDS = (
    at_least(
        0.25, "round_trips_over_echo", "×", "asks one at a time between two processes, over a bare asyncio echo's"
    ),
    at_least(15_000, "pipelined_asks_per_s", "/s", f"asks between two processes, {IN_FLIGHT} in flight"),
)


async def measure(run: Run) -> None:
    """Asks over links, one at a time and many in flight, in turns with a bare echo and with Thespian's processes."""
    scores = await run.interleave(
        {
            "echo": partial(linked_pair.echoes_per_second, PAYLOAD_BYTES),
            "one": partial(linked_pair.asks_per_second, 1, PAYLOAD_BYTES),
            "many": partial(linked_pair.asks_per_second, IN_FLIGHT, PAYLOAD_BYTES),
            "thespian": partial(thespian_processes.asks_per_second, PAYLOAD_BYTES),
        }
    )
    run.record("round_trips_over_echo", scores.ratio("one", "echo"), scores.spread("one"))
    run.record("pipelined_asks_per_s", scores.median("many"), scores.spread("many"))
    for name, key, meaning in (
        ("one", "round_trips_per_s", "asks between two processes, one at a time"),
        ("echo", "echo_round_trips_per_s", "bare asyncio echo of the same bytes, one at a time"),
        ("thespian", "thespian_asks_per_s", "Thespian's multiprocTCPBase, asks of one actor, one at a time"),
    ):
        run.explain(key, scores.median(name), "/s", meaning, scores.spread(name))


if __name__ == "__main__":
    sys.exit(run_benchmark("remote", BOUNDS, measure))
