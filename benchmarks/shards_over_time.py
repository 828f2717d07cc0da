"""Shards per node over time, drawn as an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.failovers import Mark
from tests.cluster.records import Owned

WAIT_AFTER = 1.0
FINEST = 0.02  # seconds; changes closer together are drawn as one


def draw(records: Sequence[Owned], marks: Sequence[Mark], since: float, file: Path) -> None:
    """Draw them into `file`.

    Args:
        records: what the owners recorded.
        marks: what was done to whom.
        since: the time that is 0 in the picture.
        file: where to.
    """
    mpl.rcParams["svg.hashsalt"] = "aecorpy"  # the same figures, the same file
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    nodes = sorted({_node(one.process) for one in records})
    times, counts = _counts(nodes, _changes(records, marks), since)
    until = max(times + [mark.at - since for mark in marks]) + WAIT_AFTER
    areas = [[*counts[node], counts[node][-1]] for node in nodes]
    axes.stackplot([*times, until], *areas, labels=[f"node {node}" for node in nodes], step="post", alpha=0.8)
    for mark in marks:
        who = _node(mark.process)
        label = mark.what if who in mark.what.split() else f"{mark.what} {who}".strip()
        axes.axvline(mark.at - since, color="black", linewidth=0.8, linestyle=":")
        axes.annotate(label, (mark.at - since, 1.01), xycoords=("data", "axes fraction"), fontsize=8)
    axes.set(xlabel="seconds", ylabel="shards that have an owner", xlim=(0, until), ylim=(0, None))
    axes.legend(loc="lower left")
    figure.savefig(file, metadata={"Date": None})


def _node(process: str) -> str:
    return process.partition(".")[0]


def _changes(records: Sequence[Owned], marks: Sequence[Mark]) -> list[tuple[float, str, int]]:
    """When which node had how many shards more, in order. A killed process has none, although it could not say so."""
    changes = [(one.at, _node(one.process), 1 if one.now else -1) for one in records]
    for mark in marks:
        if mark.what == "SIGKILL":
            left = sum(1 if one.now else -1 for one in records if one.process == mark.process)
            changes.append((mark.at, _node(mark.process), -left))
    return sorted(changes)


def _counts(
    nodes: Sequence[str], changes: Sequence[tuple[float, str, int]], since: float
) -> tuple[list[float], dict[str, list[int]]]:
    """The times of all changes from 0 on, and how many shards each node has from then on."""
    now = dict.fromkeys(nodes, 0)
    times, counts = [0.0], {node: [0] for node in nodes}
    for at, node, change in changes:
        now[node] += change
        if at <= since:
            counts[node][0] = now[node]
            continue
        if at - since - times[-1] >= FINEST:
            times.append(at - since)
            for one in nodes:
                counts[one].append(now[one])
        elif len(times) > 1:
            counts[node][-1] = now[node]
    return times, counts
