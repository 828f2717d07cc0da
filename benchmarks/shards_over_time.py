"""Shards per node over time, drawn as an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.failovers import Mark
from tests.cluster.records import Owned

WAIT_AFTER = 1.0


def draw(records: Sequence[Owned], marks: Sequence[Mark], since: float, file: Path) -> None:
    """Draw them into `file`.

    Args:
        records: what the owners recorded.
        marks: what was done to whom; a killed process says nothing more, so its line ends there.
        since: the time that is 0 in the picture.
        file: where to.
    """
    until = max([one.at for one in records] + [mark.at for mark in marks]) + WAIT_AFTER
    mpl.rcParams["svg.hashsalt"] = "aecorpy"  # the same figures, the same file
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    killed = {mark.process: mark.at for mark in marks if mark.what == "SIGKILL"}
    nodes = sorted({one.process.partition(".")[0] for one in records})
    for node in nodes:
        times, counts = _line(node, records, killed, until)
        axes.step([at - since for at in times], counts, where="post", label=f"node {node}")
    for mark in marks:
        who = mark.process.partition(".")[0]
        label = mark.what if who in mark.what.split() else f"{mark.what} {who}".strip()
        axes.axvline(mark.at - since, color="grey", linewidth=0.8, linestyle=":")
        axes.annotate(label, (mark.at - since, 1.01), xycoords=("data", "axes fraction"), fontsize=8)
    axes.set(xlabel="seconds", ylabel="shards", xlim=(0, until - since), ylim=(0, None))
    axes.legend(loc="lower left")
    figure.savefig(file, metadata={"Date": None})


def _line(node: str, records: Sequence[Owned], killed: dict[str, float], until: float) -> tuple[list[float], list[int]]:
    changes = [(one.at, 1 if one.now else -1) for one in records if one.process.partition(".")[0] == node]
    for process, at in killed.items():
        if process.partition(".")[0] == node:
            left = sum(1 if one.now else -1 for one in records if one.process == process)
            changes.append((at, -left))
    times, counts, count = [0.0], [0], 0
    for at, change in sorted(changes):
        count += change
        times.append(at)
        counts.append(count)
    return [*times, until], [*counts, count]
